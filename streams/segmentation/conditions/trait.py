"""`trait`: what a contact's traits say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from pydantic import ConfigDict, Field

from schemas.instants import parse_any_instant
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Evidence, Occurrence, Past, plain
from streams.segmentation.patterns import Path
from streams.segmentation.quantities import NEVER, Duration
from streams.segmentation.refusals import keys_of
from streams.segmentation.shapes import some_of
from streams.segmentation.units import LeafKind, Unit
from streams.segmentation.values import Operators, Predicate, found
from streams.segmentation.wording import operators

_DATE_LENGTH = 10


_TIMES = ("older_than", "newer_than", "within_next")


class TraitSpec(Operators):
    """What must hold of a trait of the contact."""

    model_config = ConfigDict(json_schema_extra=some_of(*keys_of(Operators), *_TIMES))

    name: Path = Field(description="The trait, by its dotted path.", examples=["plan"])
    older_than: Duration | None = Field(
        default=None, description="The trait is a time or a date, so long ago or longer.", examples=["730d"]
    )
    newer_than: Duration | None = Field(
        default=None, description="The trait is a time or a date, less long ago, or to come.", examples=["30d"]
    )
    within_next: Duration | None = Field(
        default=None, description="The trait is a time or a date that comes within this time.", examples=["7d"]
    )

    def timed(self) -> bool:
        """Whether time alone can flip it."""
        return any(getattr(self, name) is not None for name in _TIMES)

    def given(self) -> bool:
        return self.timed() or super().given()


@dataclass(frozen=True, slots=True)
class TraitEvidence(Evidence):
    """What lies under the path, and when the trait was set."""

    kind = "trait"
    values: tuple[Any, ...]
    """Several where the path meets a list; none where it is missing."""
    set_at: Occurrence | None
    """None: the trait was never set."""

    def found(self) -> str:
        if not self.values:
            return "is not set" + ("" if self.set_at is None else f" (trait set {self.set_at})")
        return f"is {', '.join(map(plain, self.values))} (set {self.set_at})"


class TraitUnit(Unit):
    """Reads the trait that the path begins with; keeps nothing of its own."""

    def __init__(self, spec: TraitSpec) -> None:
        super().__init__()
        self._top = spec.name.split(".")[0]
        self._fact = f"trait:{self._top}"
        self._predicate = Predicate(spec.name, spec)
        self._spec = spec if spec.timed() else None
        self._steps = tuple(spec.name.split("."))
        self.facts = frozenset({self._fact})
        self.timed = spec.timed()

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        fact = contact.facts.get(self._fact)
        root = {} if fact is None else {self._top: fact[1]}
        if not self._predicate.holds(root):
            return 0, NEVER
        if self._spec is None:
            return self.mask, NEVER
        holds, flip_ms = False, NEVER
        for value in found(root, self._steps):
            instant_ms = instant_of(value)
            if instant_ms is not None:
                one, one_flip_ms = _compare(self._spec, instant_ms, now_ms)
                holds, flip_ms = holds or one, min(flip_ms, one_flip_ms)
        return (self.mask if holds else 0), flip_ms

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any) -> TraitEvidence:  # noqa: ARG002 - one unit, one question
        fact = contact.facts.get(self._fact)
        if fact is None:
            return TraitEvidence((), None)
        return TraitEvidence(tuple(found({self._top: fact[1]}, self._steps)), past.fact(self._fact, fact[0]))


def instant_of(value: Any) -> int | None:
    """The instant that a trait stands for: an RFC 3339 time, or midnight UTC of a date; None for another value."""
    if not isinstance(value, str):
        return None
    try:
        return parse_any_instant(f"{value}T00:00:00Z" if len(value) == _DATE_LENGTH else value)
    except ValueError:
        return None


def _compare(spec: TraitSpec, instant_ms: int, now_ms: int) -> tuple[bool, int]:
    """Whether every duration given holds of the instant, and when one of them may flip."""
    holds, edges = True, []
    if spec.older_than is not None:
        edges.append(instant_ms + spec.older_than)
        holds &= now_ms >= edges[-1]
    if spec.newer_than is not None:
        edges.append(instant_ms + spec.newer_than)
        holds &= now_ms < edges[-1]
    if spec.within_next is not None:
        edges += [instant_ms - spec.within_next, instant_ms]
        holds &= edges[-2] <= now_ms < edges[-1]
    return holds, min((edge for edge in edges if edge > now_ms), default=NEVER)


def _build(spec: Any, _zone: tzinfo) -> Unit:
    return TraitUnit(spec)


_TIMED = {"older_than": "older than", "newer_than": "newer than", "within_next": "within the next"}


def _wording(body: Any) -> str:
    timed = [f"{words} {body[key]}" for key, words in _TIMED.items() if body.get(key) is not None]
    return f"trait {body['name']} {' and '.join([*filter(None, [operators(body)]), *timed])}"


TRAIT = LeafKind(TraitSpec, _build, wording=_wording)
