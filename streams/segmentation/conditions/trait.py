"""`trait`: what a contact's traits say."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

from streams.segmentation.contact import Contact
from streams.segmentation.problems import Findings
from streams.segmentation.quantities import NEVER
from streams.segmentation.units import LeafKind, Scope, Unit
from streams.segmentation.values import Operators, Predicate


class TraitSpec(Operators):
    """A trait, by its dotted path, and what must hold of it."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class TraitUnit(Unit):
    """Reads the trait that the path begins with; keeps nothing of its own."""

    def __init__(self, spec: TraitSpec) -> None:
        self._top = spec.name.split(".")[0]
        self._fact = f"trait:{self._top}"
        self._predicate = Predicate(spec.name, spec)
        self.facts = frozenset({self._fact})

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:  # noqa: ARG002 - time does not touch it
        fact = contact.facts.get(self._fact)
        root = {} if fact is None else {self._top: fact[1]}
        return (self.mask if self._predicate.holds(root) else 0), NEVER


def _check(_spec: TraitSpec, _scope: Scope, _path: str, _findings: Findings) -> None:
    """The types of the spec say it all."""


def _build(spec: Any) -> Unit:
    return TraitUnit(spec)


TRAIT = LeafKind(TraitSpec, _check, _build)
