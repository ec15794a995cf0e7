"""What stands of a contact apart from its events: consent, static lists, and how long it is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel, StringConstraints

from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Evidence, Occurrence, Past
from streams.segmentation.names import nearest, told
from streams.segmentation.problems import Findings, Spec
from streams.segmentation.quantities import NEVER, Duration
from streams.segmentation.units import LeafKind, Scope, Unit

Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class ConsentSpec(Spec):
    """The contact's latest decision for a purpose."""

    purpose: Name = Field(description="The purpose that the contact decided about.", examples=["newsletter"])
    is_: Literal["granted", "denied", "unknown"] = Field(
        alias="is", description="The latest decision; `unknown` where there is none.", examples=["granted"]
    )


@dataclass(frozen=True, slots=True)
class FactEvidence(Evidence):
    """What stands, and since which record."""

    kind = "fact"
    value: str
    since: Occurrence | None
    """None: nothing was ever said of it, or the definition file has had it so from the start."""

    def found(self) -> str:
        return f"is {self.value}" + ("" if self.since is None else f" since {self.since}")


@dataclass(frozen=True, slots=True)
class KnownEvidence(Evidence):
    """When the contact's first record came."""

    kind = "known"
    known_since: Occurrence
    """The clock at which it came, which is not its event time."""

    def found(self) -> str:
        return f"is known since {self.known_since}"


class FactUnit(Unit):
    """True while a fact has a certain value; None stands for a fact that is not known."""

    def __init__(self, fact: str, value: bool | None, names: dict[bool | None, str]) -> None:
        super().__init__()
        self._fact = fact
        self._value = value
        self._names = names
        self.facts = frozenset({fact})

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:  # noqa: ARG002 - time does not touch it
        known = contact.facts.get(self._fact, (0, None))[1]
        return (self.mask if known is self._value else 0), NEVER

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any) -> FactEvidence:  # noqa: ARG002 - one unit, one question
        at_ms, value = contact.facts.get(self._fact, (0, None))
        return FactEvidence(self._names[value], past.fact(self._fact, at_ms) if at_ms else None)


class KnownUnit(Unit):
    """True from a duration after the clock of the contact's first record."""

    def __init__(self, duration_ms: int) -> None:
        super().__init__()
        self.timed = self.standing = True
        self._duration_ms = duration_ms

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        due_ms = contact.known_since_ms + self._duration_ms
        return (self.mask, NEVER) if now_ms >= due_ms else (0, due_ms)

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any) -> KnownEvidence:  # noqa: ARG002 - one unit, one question
        return KnownEvidence(Occurrence(contact.known_since_ms, contact.created_by))


class KnownForSpec(RootModel[Duration]):
    """So much time has passed since the contact's first record."""

    model_config = ConfigDict(strict=True, frozen=True)


class ListedSpec(RootModel[Name]):
    """The contact is on the static list of this name."""

    model_config = ConfigDict(strict=True, frozen=True)


def _check_listed(spec: ListedSpec, scope: Scope, path: str, findings: Findings) -> None:
    if spec.root not in scope.lists:
        known = told(sorted(scope.lists)) or "none is declared; `lists: {NAME: []}` declares an empty one"
        expected = f"expected the name of a list of this file: {known}"
        findings.add(path, spec.root, expected, nearest(spec.root, scope.lists))


_DECISIONS = {"granted": True, "denied": False, "unknown": None}


_NAMES = {decision: name for name, decision in _DECISIONS.items()}
_LISTED = {True: "on it", False: "not on it", None: "not on it"}


def _consent(spec: Any, _zone: tzinfo) -> Unit:
    return FactUnit(f"consent:{spec.purpose}", _DECISIONS[spec.is_], _NAMES)


CONSENT = LeafKind(ConsentSpec, _consent, wording=lambda body: f"consent to {body['purpose']} {body['is']}")
KNOWN_FOR = LeafKind(KnownForSpec, lambda spec, _zone: KnownUnit(spec.root), wording=lambda body: f"known for {body}")
LISTED = LeafKind(
    ListedSpec,
    lambda spec, _zone: FactUnit(f"list:{spec.root}", True, _LISTED),
    _check_listed,
    wording=lambda body: f"on the list {body}",
)
