"""The record that moves others to another contact, as code works on it. See `record_models.Forward`."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple, TypeAlias

import msgspec

from schemas.record_models import Consent, Correction, Identify, ListMembership
from schemas.tracks import Track

MovedRecord: TypeAlias = Track | Identify | Consent | ListMembership | Correction

ForwardKind: TypeAlias = Literal["history", "record", "erasure"]


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
