"""What the commands that send single records, and publish lists, need of Kafka beyond `streams/ports.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeAlias

from streams.ports import Message


class Progress(NamedTuple):
    """How far a partition is folded and published, all of it at one moment."""

    next_offset: int
    seq: int  # of the last transition
    epoch: int
    unpublished_from: int | None  # record of the first transition that may not be acknowledged yet


class Acknowledgement(NamedTuple):
    """What the broker says of one record that it took."""

    partition: int
    offset: int | None  # None where the broker did not say
    timestamp_ms: int  # as it stands in the log


OnAcknowledged: TypeAlias = Callable[[Acknowledgement], None]


class ClockReader(Protocol):
    """Tells how far the clocks of a log have come. Raises `UnavailableError`."""

    def latest_timestamps(self, topic: str) -> Mapping[int, int]:
        """The largest timestamp, in ms, in the log of every partition; 0 where it is empty."""


class CompactedLog(Protocol):
    """A topic of one partition of which the last value of each key counts. Errors as for `LogWriter`."""

    def read(self) -> Mapping[bytes, bytes]:
        """The last value of every key that has one, up to the end that the log has now."""

    def end(self) -> int:
        """The offset that the next append will get: it moves with every append, whoever makes it."""

    def put(self, key: bytes, value: bytes | None) -> None:
        """Queue a key's new value; None removes the key."""

    def flush(self) -> None:
        """Returns when the broker has acknowledged all that was put."""


class Follower(Protocol):
    """Reads on along partitions of one topic. Raises `UnavailableError`."""

    @property
    def positions(self) -> Mapping[int, int]:
        """Partition -> the offset up to which all was read."""

    def read(self, timeout_ms: int) -> list[Message]:
        """The next messages, once there are some; empty at the end of the log, or when none came in `timeout_ms`."""

    def close(self) -> None:
        """Let go of the connection."""
