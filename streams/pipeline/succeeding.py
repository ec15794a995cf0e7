"""Brings a build to where its partition stands, and lets its contacts go on from how they stood.

Both a change of definitions and the take-over of a state of an older format do so, each for reasons of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Hashable, Iterator, Sequence
from typing import NamedTuple

from schemas.errors import InputError, UnavailableError
from streams.generations import Build, Heirs
from streams.pipeline.building import Builder
from streams.pipeline.ports import PipelineBounds, PipelinePorts
from streams.ports import Cursor, Fence, FenceLostError, LogBounds
from streams.segmentation import Definitions, Succession

_CONTACTS_AT_ONCE = 200


class Serving(NamedTuple):
    """The state that serves, where it stands still."""

    generation: int
    fence: Fence
    at: Cursor
    clock_ms: int


class Heritage(NamedTuple):
    """What some contacts have of a state, and which one that is."""

    heirs: Heirs
    differ: list[str]
    """Keys of those about whom something is to be told. What they have is only since when they are members where they
    were some before: nobody is told of that."""


class Succeeding:
    """Lets one partition's build follow the state that serves."""

    def __init__(self, partition: int, ports: PipelinePorts, bounds: PipelineBounds) -> None:
        self._partition = partition
        self._ports = ports
        self._bounds = bounds
        self._built = ports.meters.counter("segue_build_records_total")
        self.progress: Hashable = None
        """Differs from what it was when something was done."""

    async def bring_to(
        self, upto: Cursor, fence: Fence, definitions: Definitions, *, short_history: bool = False
    ) -> Builder:
        """The build of definitions, with the log folded up to a record; not beyond `upto`.

        Raises `InputError` where the log does not hold its history.
        """
        ports, end = self._ports, upto.offset
        builder = Builder(
            self._partition, ports.builds, definitions, topic=ports.names.tracking, partitions=ports.partitions,
            bounds=self._bounds, short_history=short_history,
        )  # fmt: skip
        build = await builder.begin(owner=fence)
        if build.cursor > upto:
            build = await builder.begin(owner=fence, anew=True)
        try:
            async for records in ports.history.read(self._partition, LogBounds(build.cursor.offset, end)):
                await builder.apply(records)
                self._built.inc(len(records))
                self.progress = builder.build
        except FenceLostError as error:  # of the build: who owns the partition is another question
            raise self._taken_over() from error
        if builder.build.cursor.offset != end:
            raise InputError(
                f"partition {self._partition}: the log does not hold the history that is to be folded again: it ends "
                f"at {builder.build.cursor.offset}, before offset {end}"
            )
        return builder

    async def release(self, builder: Builder, clock_ms: int, before: tuple[int, str] | None) -> Build:
        """Fire the timers of a build on behalf of the record at its cursor, see `Builder.release`."""
        try:
            await builder.release(clock_ms, before)
        except FenceLostError as error:
            raise self._taken_over() from error
        return builder.build

    async def built_keys(self, build: Build) -> AsyncIterator[Sequence[str]]:
        """Keys of all contacts in a build, a part at a time; each at least once."""
        page = 0
        while keys := await self._ports.generations.built_keys(self._partition, build.generation, page):
            for some in parts(list(dict.fromkeys(keys))):
                yield some
                self.progress = ("settling", page, some[-1])
            page += 1

    async def heritage(
        self, keys: Sequence[str], succession: Succession, build: Build, generation: int, clock_ms: int
    ) -> Heritage:
        """What contacts of a build have of how they stood in another generation, at the instant `clock_ms`."""
        store = self._ports.generations
        raws = await store.states(self._partition, build.generation, keys)
        known = await store.states(self._partition, generation, keys)
        states: dict[str, bytes] = {}
        since: defaultdict[str, dict[str, int]] = defaultdict(dict)
        differ: list[str] = []
        for key, raw, former in zip(keys, raws, known, strict=True):
            settled = succession.settle(raw, former, clock_ms)
            if settled.differs:
                differ.append(key)
            if settled.raw is None or settled.raw == raw:
                continue
            if not settled.differs:
                states[key] = settled.raw
            for segment, since_ms in settled.kept:
                since[segment][settled.who[0]] = since_ms
        return Heritage(Heirs(states, since), differ)

    async def differing(self, names: Collection[str], one: int, other: int) -> set[str]:
        """Ids of those who are in one of these segments in one generation, and not in the other."""
        store, ids = self._ports.generations, set[str]()
        for name in names:
            were = await store.members(self._partition, one, name)
            are = await store.members(self._partition, other, name)
            ids |= were.keys() ^ are.keys()
            self.progress = ("comparing", name)
        return ids

    def _taken_over(self) -> UnavailableError:
        return UnavailableError(f"partition {self._partition}: somebody else has taken the build over")


def parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    """The items, some at a time."""
    for start in range(0, len(items), _CONTACTS_AT_ONCE):
        yield items[start : start + _CONTACTS_AT_ONCE]


def names_in(*definitions: Definitions) -> list[str]:
    """Names of all segments in them."""
    return list(dict.fromkeys(segment.name for each in definitions for segment in each.segments))


def in_order(ids: set[str]) -> list[str]:
    """Ids of contacts in the order in which a change tells of them."""
    return sorted(ids, key=str.encode)
