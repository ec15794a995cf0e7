"""What comes out: a contact entered or left a segment."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
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

CauseKind = Literal["event", "traits", "consent", "list", "erasure", "timer", "definition", "backfill", "merge"]
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


_FIELDS_OF_CAUSE = frozenset(Cause.model_fields)
_FIELDS_OF_TRANSITION = frozenset(Transition.model_fields)
_set = object.__setattr__


def known_cause(kind: CauseKind, position: str, event_id: str | None = None, event: str | None = None) -> Cause:
    """A cause made of values that are right by construction, at a fraction of the cost of checking them."""
    cause = Cause.__new__(Cause)
    _set(cause, "__dict__", {"kind": kind, "position": position, "event_id": event_id, "event": event})
    _set(cause, "__pydantic_fields_set__", _FIELDS_OF_CAUSE)
    _set(cause, "__pydantic_extra__", None)
    _set(cause, "__pydantic_private__", None)
    return cause


def known_transition(values: dict[str, object]) -> Transition:
    """A transition made of all its fields, right by construction and in the order of the model."""
    transition = Transition.__new__(Transition)
    _set(transition, "__dict__", values)
    _set(transition, "__pydantic_fields_set__", _FIELDS_OF_TRANSITION)
    _set(transition, "__pydantic_extra__", None)
    _set(transition, "__pydantic_private__", None)
    return transition


def transition_body(transition: Transition) -> dict[str, object]:
    """The JSON object of a transition: fields in the order of the model, absent parts of the cause left out."""
    body = dict(transition.__dict__)
    body["cause"] = {key: value for key, value in transition.cause.__dict__.items() if value is not None}
    body["effective_at"] = format_instant(transition.effective_at)
    body["detected_at"] = format_instant(transition.detected_at)
    body["valid_until"] = None if transition.valid_until is None else format_instant(transition.valid_until)
    return body


def encode_transition(transition: Transition) -> bytes:
    """The bytes that go to Kafka."""
    return msgspec.json.encode(transition_body(transition))


def decode_transition(raw: bytes) -> Transition:
    """The transition in the value of a Kafka message. Raises `pydantic.ValidationError`."""
    return Transition.model_validate(msgspec.json.decode(raw))
