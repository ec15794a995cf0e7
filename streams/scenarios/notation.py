"""The words of a scenarios file, as models. What they are checked against besides is in `giving` and `expecting`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from schemas.record_models import ContactId, EventId, JsonObject, Machine
from streams.scenarios.moments import MomentField
from streams.segmentation.problems import Spec
from streams.segmentation.quantities import Bound, Duration, Event
from streams.segmentation.refusals import wrong

MAX_TIMES = 10_000


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _suspected(value: Any) -> Any:
    return {"suspected": value} if isinstance(value, bool) else value


Suspicion = Annotated[Machine | None, BeforeValidator(_suspected)]
"""Whether a machine seems to have caused an event; `true` says as much as a record's `{suspected: true}`."""


def _yes(value: Any) -> Any:
    if value is not True:
        raise wrong("expected true, or leave the key away")
    return value


Yes = Annotated[bool, BeforeValidator(_yes)]
"""A key that says all by being there."""
Cause = Literal["event", "traits", "consent", "list", "correction", "erasure", "timer", "backfill"]
"""Kinds of causes that a scenario can bring about."""
Names = Annotated[list[str], BeforeValidator(_one_or_more), Field(min_length=1)]
"""Names of segments; one may stand without brackets."""


def _some(scenarios: dict[str, Any]) -> dict[str, Any]:
    if not scenarios:
        raise wrong("expected at least one scenario: its name, and under it given and expect")
    return scenarios


class FileSpec(Spec):
    """The top level: scenarios by name, and what they have in common."""

    description: str = ""
    start: MomentField | None = None
    contact: ContactId | None = None
    scenarios: Annotated[dict[str, Any], AfterValidator(_some)]


class ScenarioSpec(Spec):
    """One scenario; what it gives and expects is read item by item."""

    description: str = ""
    start: MomentField | None = None
    contact: ContactId | None = None
    until: MomentField | None = None
    given: list[Any] = Field(default_factory=list)
    expect: Annotated[list[Any], Field(min_length=1)]


class GivenSpec(Spec):
    """What every record has. With `times` it comes that often, `every` so long after the one before."""

    at: MomentField
    contact: ContactId | None = None
    event_id: EventId | None = None
    received_at: MomentField | None = None
    backfill: bool = False
    times: Annotated[int, Field(ge=1, le=MAX_TIMES)] = 1
    every: Duration | None = None


class EventSpec(GivenSpec):
    """Something that the contact did."""

    event: Event
    properties: JsonObject = Field(default_factory=dict)
    context: JsonObject = Field(default_factory=dict)
    source: str | None = None
    machine: Suspicion = None


class TraitsSpec(GivenSpec):
    """Traits were set; null removes one."""

    traits: JsonObject


class ConsentSpec(GivenSpec):
    """A decision for the purpose that `consent` names."""

    consent: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    granted: bool
    document: str = "scenario"
    method: str = "scenario"


class ListSpec(GivenSpec):
    """The contact was put on the list, or with `member: false` taken off."""

    list: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    member: bool = True


class EraseSpec(GivenSpec):
    """The contact is to be forgotten."""

    erase: Yes


GIVEN: dict[str, type[GivenSpec]] = {
    "event": EventSpec,
    "traits": TraitsSpec,
    "consent": ConsentSpec,
    "list": ListSpec,
    "erase": EraseSpec,
}
"""The key that says what kind of record it is, and the rest of its words."""


class ScoreSpec(Spec):
    """What a score's reading must be, in points."""

    name: str
    eq: Bound | None = None
    between: Annotated[list[Bound], Field(min_length=2, max_length=2)] | None = None
    gte: Bound | None = None
    gt: Bound | None = None
    lte: Bound | None = None
    lt: Bound | None = None


class TierSpec(Spec):
    """The tier that a score must be in; null is none."""

    name: str
    is_: str | None = Field(alias="is")


class StateSpec(Spec):
    """How things must stand at an instant, or from one until just before another."""

    at: MomentField | None = None
    from_: MomentField | None = Field(default=None, alias="from")
    before: MomentField | None = None
    contact: ContactId | None = None
    in_: Names | None = Field(default=None, alias="in")
    not_in: Names | None = None
    only_in: Annotated[list[str], BeforeValidator(_one_or_more)] | None = None
    score: ScoreSpec | None = None
    tier: TierSpec | None = None


class MoveSpec(Spec):
    """One transition of a complete list."""

    entered_at: MomentField | None = None
    exited_at: MomentField | None = None
    cause: Cause | None = None


class SegmentSpec(MoveSpec):
    """What one segment must have seen of a contact in the whole scenario."""

    segment: str
    contact: ContactId | None = None
    never_entered: Yes | None = None
    never_exited: Yes | None = None
    transitions: list[MoveSpec] | None = None
