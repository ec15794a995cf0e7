"""What comes out: a contact entered or left a segment."""

from __future__ import annotations

import msgspec

from schemas import transition_models as models
from schemas.instants import format_instant
from schemas.transition_models import CauseKind, TransitionType

__all__ = [
    "Cause", "CauseKind", "Transition", "TransitionType", "cause_body", "decode_transition", "encode_transition",
    "known_transition",
    "transition_body",
]  # fmt: skip


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why the step was taken that changed the membership; see the model."""

    kind: CauseKind
    position: str
    event_id: str | None = None
    event: str | None = None


class Transition(msgspec.Struct, frozen=True, gc=False):
    """A contact entered or left a segment, exactly once and in order per contact and segment; see the model.

    Instants are in milliseconds here. Its fields are right by construction, and are not checked again.
    """

    transition_id: str
    type: TransitionType
    contact_id: str
    segment: str
    tags: list[str]
    definition: str
    sequence: int
    effective_at: int
    detected_at: int
    cause: Cause
    scores: dict[str, float | int]
    valid_until: int | None


class _CauseText(msgspec.Struct, omit_defaults=True, gc=False):
    kind: str
    position: str
    event_id: str | None = None
    event: str | None = None


class _TransitionText(msgspec.Struct, gc=False):
    """A transition as JSON has it."""

    transition_id: str
    type: str
    contact_id: str
    segment: str
    tags: list[str]
    definition: str
    sequence: int
    effective_at: str
    detected_at: str
    cause: _CauseText
    scores: dict[str, float | int]
    valid_until: str | None


def _text(transition: Transition) -> _TransitionText:
    cause, effective_at = transition.cause, format_instant(transition.effective_at)
    timely = transition.detected_at == transition.effective_at
    return _TransitionText(
        transition.transition_id,
        transition.type,
        transition.contact_id,
        transition.segment,
        transition.tags,
        transition.definition,
        transition.sequence,
        effective_at,
        effective_at if timely else format_instant(transition.detected_at),
        _CauseText(cause.kind, cause.position, cause.event_id, cause.event),
        transition.scores,
        None if transition.valid_until is None else format_instant(transition.valid_until),
    )


_encode = msgspec.json.Encoder().encode


def cause_body(cause: Cause) -> dict[str, str]:
    """The JSON object of a cause, absent parts left out."""
    return {name: value for name, value in msgspec.structs.asdict(cause).items() if value is not None}


def transition_body(transition: Transition) -> dict[str, object]:
    """The JSON object of a transition: fields in the order of the model, absent parts of the cause left out."""
    body: dict[str, object] = msgspec.to_builtins(_text(transition))
    return body


def encode_transition(transition: Transition) -> bytes:
    """The bytes that go to Kafka."""
    return _encode(_text(transition))


def decode_transition(raw: bytes) -> Transition:
    """The transition in the value of a Kafka message. Raises `pydantic.ValidationError`."""
    return known_transition(models.Transition.model_validate(msgspec.json.decode(raw)))


def known_transition(model: models.Transition) -> Transition:
    """The transition that a model has found to be right."""
    return Transition(**vars(model) | {"cause": Cause(**vars(model.cause))})
