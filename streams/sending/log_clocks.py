"""When a record has to occur so that nothing that the log holds already can win over it, whatever clock sends it.

The last decision by event time wins, and an erasure drops what occurred at or before it. Event time is never after
the clock of the partition, so a record that occurs after that clock cannot lose: at most it is brought back to the
clock at which it is applied, and at the same instant the later record wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from schemas.topics import partition_of
from streams.ports import TimestampType
from streams.sending.ports import ClockReader

_APPLY_MS = 1  # after the clock, since an erasure holds what occurs at its own instant
_BY_HAND_MS = 2  # so that completing an interrupted apply cannot undo what was decided by hand since


class LogClocks:
    """The largest timestamp in each partition of `tracking`, as it was when it was read."""

    def __init__(self, latest: Mapping[int, int]) -> None:
        self._latest = latest

    def at_ms(self, contact_id: str) -> int:
        """The clock of a contact's partition; 0 where its log is empty."""
        return self._latest[partition_of(contact_id, len(self._latest))] if self._latest else 0

    def by_hand_ms(self, contact_id: str, now_ms: int) -> int:
        """When a record occurs that is sent at `now_ms` with no time of its own."""
        return max(now_ms, self.at_ms(contact_id) + _BY_HAND_MS)


def read_clocks(reader: ClockReader, topic: str) -> LogClocks:
    """The clocks that the log of `topic` has now. Raises `UnavailableError`."""
    return LogClocks(reader.latest_timestamps(topic))


class Moment(NamedTuple):
    """The times of one record that an apply writes."""

    occurred_at_ms: int
    again_ms: int  # when it occurs if the next apply has to write it again: before all that came to the log since
    timestamp_ms: int  # 0 leaves it to the broker


@dataclass(frozen=True, slots=True)
class ApplyTimes:
    """The times of an apply's records: as stated, else now by its own clock or by that of the log."""

    clocks: LogClocks
    now_ms: int
    at_ms: int | None  # as stated
    timestamps: TimestampType

    def of(self, contact_id: str) -> Moment:
        """The times of a new record about a contact."""
        if self.at_ms is not None:
            return Moment(self.at_ms, self.at_ms, self.at_ms)
        clock_ms = self.clocks.at_ms(contact_id)
        occurred_at_ms = max(self.now_ms, clock_ms + _APPLY_MS)
        again_ms = clock_ms + _APPLY_MS if clock_ms else occurred_at_ms
        return Moment(occurred_at_ms, again_ms, 0 if self.timestamps == "append" else occurred_at_ms)
