"""The record that moves others to another contact, as code works on it. See `record_models.Forward`."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple, TypeAlias

import msgspec

from schemas.record_models import Consent, Correction, Identify, ListMembership
from schemas.tracks import Track

MovedRecord: TypeAlias = Track | Identify | Consent | ListMembership | Correction

ForwardKind: TypeAlias = Literal["history", "record", "erasure"]

Taken: TypeAlias = tuple[tuple[int, int, int], ...]
"""By partition that has sent forwards: the offset of the record that sent the last one, and how much of it came."""


class Sending(NamedTuple):
    """What one contact sends to another one, as one `forward` record."""

    offset: int
    """Of the record that sends it."""
    first: int
    """Place of its first record among all that is sent by that one."""
    to: str
    linked_id: str
    kind: ForwardKind
    event_id: str
    occurred_at: int
    known_since: int | None = None
    records: tuple[int, ...] = ()
    """Offsets of the records that move, in the partition that sends them."""


class Origin(NamedTuple):
    """What sent a forward, and the place of the first of its records among all that it sends."""

    partition: int
    offset: int
    first: int


class Forward(msgspec.Struct, frozen=True):
    """Records of a linked contact, on their way to whom they count for."""

    event_id: str
    contact_id: str
    occurred_at: int
    origin: Origin
    linked_id: str
    kind: ForwardKind
    records: list[MovedRecord | None]
    """None for one that the log had lost already."""
    known_since: int | None = None
    received_at: int | None = None
    backfill: bool = False
    type: ClassVar[Literal["forward"]] = "forward"
