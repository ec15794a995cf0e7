"""What became of a record, and what it sends to other contacts."""

from __future__ import annotations

from typing import NamedTuple

from schemas.records import ForwardKind


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


class Outcome(NamedTuple):
    """What became of a record.

    `applied`; `duplicate`; `erased` (at or before an erasure); or `forwarded`, since its contact is linked to another.
    """

    result: str
    late: bool = False
    future: bool = False
    sent: tuple[Sending, ...] = ()


DUPLICATE = Outcome("duplicate")
DROPPED = Outcome("erased")
APPLIED = {(late, future): Outcome("applied", late, future) for late in (False, True) for future in (False, True)}
