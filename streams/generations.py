"""States of a partition beside the one that serves: the one that is built for new definitions, and the one before.

A change of definitions folds the log's history once more, under the new ones, into the keys of the next generation.
When that build has come to the record that brings them, it is settled with what was told before, and serves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from schemas.errors import UnavailableError
from schemas.forwards import Taken
from streams.ports import Cursor, Fence, FenceLostError, FoldStore, LogBounds, PartitionMeta, RawRecord
from streams.versions import Version


class Build(NamedTuple):
    """How far a build has come."""

    generation: int
    fence: Fence  # of this builder; a later one has another
    cursor: Cursor
    clock_ms: int
    taken: Taken = ()
    settled: int = 0  # calls of `settle` since the builder began; a Redis that was set back between them knows fewer


class Building(NamedTuple):
    """A build as it is seen from outside."""

    generation: int
    definitions_hash: str
    semantics: str
    by_worker: bool  # the partition's owner builds, and nobody else may
    cursor: Cursor
    clock_ms: int


class BuildBusyError(UnavailableError):
    """The partition's owner is building, since a change has come to its turn."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition}: its worker is making a change of definitions right now")


def owned_by_another(partition: int, ours: Fence | None, found: Fence) -> Exception:
    """Why an owner with the fence `ours` may not build where the fence `found` is kept."""
    assert ours is not None, "only owners show their fence"
    if found.generation < ours.generation:  # than our own take
        return UnavailableError(f"partition {partition}: Redis was set back")
    return FenceLostError(partition, ours, found)


class BuildStore(FoldStore, Protocol):
    """Keeps the builds, one a partition. Its commits move no output and tell of no epoch."""

    async def begin(self, partition: int, identity: str, *, owner: Fence | None, anew: bool = False) -> Build:
        """Go on with the build for the definitions of this identity, or begin one in place of whatever was built.

        `owner` is the fence of who owns the partition, None for anybody else. The builder before, if any, is refused
        from here on. Raises `FenceLostError` where another one owns the partition, `BuildBusyError` where the owner
        builds and it is not the owner who asks, and `UnavailableError` where no state serves yet.
        """

    async def give_up(self, partition: int) -> bool:
        """Remove what is built; whether there was any. Raises `BuildBusyError` where the partition's owner builds."""


@dataclass(frozen=True, slots=True)
class Heirs:
    """Contacts of a build that go on from how they stood before."""

    states: dict[str, bytes]  # by contact key
    since: dict[str, dict[str, int]]  # by segment: ids of members, and since when each is one

    def and_of(self, others: Heirs) -> Heirs:
        """These and others."""
        segments = self.since.keys() | others.since.keys()
        since = {name: self.since.get(name, {}) | others.since.get(name, {}) for name in sorted(segments)}
        return Heirs(self.states | others.states, since)


class Holding(NamedTuple):
    """What holds from a record of definitions on."""

    definitions: str  # canonical text
    versions: tuple[Version, ...]  # all, the newest last


class GenerationStore(Protocol):
    """Turns a partition from the state that serves to the one that was built. Raises `UnavailableError`."""

    async def serving(self, partition: int) -> PartitionMeta | None:
        """What is known of a partition, without taking it; None where nothing is stored."""

    async def states(self, partition: int, generation: int, keys: Sequence[str]) -> list[bytes | None]:
        """What a generation has of some contacts."""

    async def members(self, partition: int, generation: int, segment: str) -> dict[str, int]:
        """Ids of a segment's members in a generation, and since when each is one."""

    async def built_keys(self, partition: int, generation: int, page: int) -> list[str]:
        """Keys of contacts in a build, each at least once; the pages are counted from 0, past the last it is empty."""

    async def settle(self, partition: int, fence: Fence, at: Cursor, build: Build, heirs: Heirs) -> None:
        """Write states into a build, which has one more `settled` after that.

        Raises `FenceLostError`, or `CursorMismatchError` where the serving state is not at `at` or the build is not
        where it is said to be; nothing is written then.
        """

    async def switch(self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding) -> PartitionMeta:
        """Let the build serve, at the same record of the log with no steps taken; the output goes on as it was.

        Raises as `settle` does.
        """

    async def take_over(
        self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding
    ) -> PartitionMeta:
        """Let the build serve in place of a state of an older format, under the definitions that hold in it already.

        All that was begun goes on: timers of the record at the cursor, output, and what a change tells; that is told
        as the difference to the same state before. Raises as `settle` does.
        """

    async def drop_former(self, partition: int, generation: int) -> None:
        """Remove what is left of the state before, as long as `generation` serves and has told what differs."""


class History(Protocol):
    """Reads the log once more."""

    def read(self, partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
        """The records of a partition from one offset up to another, in order. Raises `UnavailableError`."""


class RecordReader(Protocol):
    """Reads single records of the log."""

    async def read(self, partition: int, offsets: Sequence[int]) -> Mapping[int, RawRecord]:
        """The records at rising offsets; those that the log does not hold any more are missing.

        Raises `UnavailableError`.
        """
