"""What the detector needs of the outside, besides a `LogWriter`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from streams.ports import Message


class Gained(NamedTuple):
    """A partition is ours now, and is read from some time back; `end` is where its log ended then."""

    partition: int
    end: int


class Lost(NamedTuple):
    """A partition is not ours any more."""

    partition: int


Step: TypeAlias = Message | Gained | Lost


class Share(Protocol):
    """The partitions of a topic that a group gives to one of its members."""

    @property
    def positions(self) -> Mapping[int, int]:
        """Partition -> the offset up to which all was read."""

    @property
    def joined(self) -> bool:
        """Whether the group has given this member its partitions, were it none."""

    def ends(self) -> Mapping[int, int]:
        """Where the logs of its partitions end, as far as is known without asking."""

    def read(self, timeout_ms: int) -> Sequence[Step]:
        """What happened next, in its order; empty when nothing did in time. Raises `SegueError`."""

    def close(self) -> None:
        """Leave the group."""
