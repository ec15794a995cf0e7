"""Transitions as models: the source of their JSON Schema, and the judge of those that come from elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from schemas.instants import format_instant, parse_any_instant
from schemas.record_models import ContactId, EventId, Instant


def _later_instant(value: object) -> int:
    if isinstance(value, str):
        return parse_any_instant(value)
    raise ValueError("expected an RFC 3339 time as a string")


LaterInstant = Annotated[
    int,
    BeforeValidator(_later_instant),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""As `Instant`, up to the year 9999."""

CauseKind = Literal[
    "event", "traits", "consent", "list", "correction", "erasure", "timer", "definition", "backfill", "merge"
]
TransitionType = Literal["segment.entered", "segment.exited"]


class Cause(BaseModel):
    """Why the step was taken that changed the membership."""

    model_config = ConfigDict(extra="ignore", strict=True)

    kind: CauseKind
    position: str = Field(
        description="The record that was applied or that moved the clock.", examples=["tracking-3@1042"]
    )
    event_id: EventId | None = None
    event: str | None = None


class Transition(BaseModel):
    """A contact entered or left a segment, exactly once and in order per contact and segment."""

    model_config = ConfigDict(extra="ignore", strict=True)

    transition_id: str = Field(description="The same for the same change, however often the log is replayed.")
    type: TransitionType
    contact_id: ContactId
    segment: str
    tags: list[str]
    definition: str = Field(description="SHA-256 of the canonical JSON of the segment and all it refers to.")
    sequence: Annotated[int, Field(ge=1)] = Field(
        description="Counts 1, 2, 3 per contact and segment: odd entered, even exited."
    )
    effective_at: Instant = Field(description="The exact millisecond at which the membership changed.")
    detected_at: Instant = Field(description="The clock of the partition when the change was seen.")
    cause: Cause
    scores: dict[str, float | int] = Field(description="Reading at `effective_at` of the scores it depends on.")
    valid_until: LaterInstant | None = Field(description="When it will change again if nothing else comes.")
