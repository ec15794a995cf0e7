"""What came out of Kafka, made sense of: the stamp in the headers and the transition in the value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from pydantic import ValidationError

from schemas.topics import HEADER_EPOCH, HEADER_PARTITION, HEADER_SEQ, HEADER_TRANSITION_ID
from schemas.transitions import Transition, decode_transition

_MAX_DIGITS = 19


class RawMessage(NamedTuple):
    """A message of `transitions` as Kafka gave it."""

    partition: int
    offset: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes


class Stamp(NamedTuple):
    """A transition's place in its partition."""

    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A transition on its way to a sink. `transition` is None where the value is no valid transition."""

    partition: int
    offset: int
    stamp: Stamp
    transition_id: str
    value: bytes
    transition: Transition | None


def read_stamp(message: RawMessage) -> Stamp | None:
    """The stamp in the headers; None where the message carries none and so was not written by Segue's relay."""
    headers = dict(message.headers)
    epoch, seq = _number(headers.get(HEADER_EPOCH)), _number(headers.get(HEADER_SEQ))
    if epoch is None or not seq or _number(headers.get(HEADER_PARTITION)) != message.partition:
        return None
    if not headers.get(HEADER_TRANSITION_ID):
        return None
    return Stamp(epoch, seq)


def read_arrival(message: RawMessage, stamp: Stamp) -> Arrival:
    """The transition behind a stamp; one whose id differs from the header's is not valid."""
    transition_id = dict(message.headers)[HEADER_TRANSITION_ID].decode("ascii", "replace")
    transition: Transition | None
    try:
        transition = decode_transition(message.value)
    except (msgspec.DecodeError, ValidationError, RecursionError):
        transition = None
    if transition is not None and transition.transition_id != transition_id:
        transition = None
    return Arrival(message.partition, message.offset, stamp, transition_id, message.value, transition)


def _number(raw: bytes | None) -> int | None:
    if raw is None or len(raw) > _MAX_DIGITS or not raw.isdigit():
        return None
    return int(raw)
