"""Makes a change of definitions in one partition: at the record that brings them, and nowhere else.

The state that serves stands still at that record, its timers up to the partition's clock fired. The build is brought
to the same point; every contact in it goes on from how it stood before; the build serves; and what the two states
differ in is told, contact by contact, in order of their ids. Each of these steps may be cut short and is then made
again, or gone on with: what was told is known by the cursor, and the differences are always the same.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from schemas.errors import InputError, UnavailableError
from schemas.records import DefinitionsRecord
from schemas.transitions import Transition
from streams.generations import Build, Heirs, Holding
from streams.pipeline.building import Builder
from streams.pipeline.ports import PipelineBounds, PipelinePorts
from streams.ports import Cursor, Fence, FenceLostError, LogBounds, PartitionMeta
from streams.segmentation import Core, Definitions, Step, Succession, contact_key, parse_canonical
from streams.versions import Version

_CONTACTS_AT_ONCE = 200


class Serving(NamedTuple):
    """The state that serves, where it stands still."""

    generation: int
    fence: Fence
    at: Cursor
    clock_ms: int


def holding_from(record: DefinitionsRecord, offset: int, clock_ms: int, before: tuple[Version, ...]) -> Holding:
    """What holds from a record on, where the versions `before` held."""
    version = Version(
        record.number,
        record.hash,
        offset,
        clock_ms,
        record.author,
        record.message,
        record.silent,
        record.accept_short_history,
    )
    return Holding(record.definitions, (*before, version))


class Told(NamedTuple):
    """Differences that a change makes, as many as one commit takes."""

    states: dict[str, bytes | None]  # of the contacts concerned, by key
    steps: list[list[Transition]]  # one of each contact, in order


class Changing:
    """Changes the definitions of one partition."""

    def __init__(self, partition: int, ports: PipelinePorts, bounds: PipelineBounds) -> None:
        self._partition = partition
        self._ports = ports
        self._bounds = bounds
        self._built = ports.meters.counter("segue_build_records_total")
        self._dropping: asyncio.Task[None] | None = None
        self.progress: Hashable = None
        """Differs from what it was when something was done."""

    async def succeed(
        self, serving: Serving, former: Definitions, definitions: Definitions, holding: Holding
    ) -> PartitionMeta:
        """Let a state that is built for new definitions serve, at the record at which the one that serves stands."""
        short_history = holding.versions[-1].short_history
        build = await self._bring_to(serving, definitions, short_history)
        await self._settle(serving, Succession(former, Core(definitions)), build)
        return await self._ports.generations.switch(self._partition, serving.fence, serving.at, build, holding)

    async def _settle(self, serving: Serving, succession: Succession, build: Build) -> None:
        """Let the contacts of the build be heirs, but for those about whom something is to be told."""
        store, page = self._ports.generations, 0
        while keys := await store.built_keys(self._partition, build.generation, page):
            for some in _parts(list(dict.fromkeys(keys))):
                heirs = await self._heirs(some, succession, build, serving)
                await store.settle(self._partition, serving.fence, serving.at, build, heirs)
                self.progress = ("settling", page, some[-1])
            page += 1

    async def differences(self, meta: PartitionMeta, core: Core, record: DefinitionsRecord) -> AsyncIterator[Told]:
        """What is still to be told, in order, where the change at `meta.cursor` has been made: nothing of it twice."""
        former = meta.former
        assert former is not None, "what has changed was something else before"
        before = parse_canonical(former.definitions)
        succession = Succession(before, core)
        ids = await self._who_differs(meta, before, core.definitions)
        position, told, count = (self._partition, meta.cursor.offset), Told({}, []), 0
        for some in _parts(ids[meta.cursor.steps :]):
            keys = [contact_key(contact_id) for contact_id in some]
            states = await self._ports.generations.states(self._partition, meta.generation, keys)
            knowns = await self._ports.generations.states(self._partition, former.generation, keys)
            for key, state, known in zip(keys, states, knowns, strict=True):
                step = Step(meta.clock_ms, meta.clock_ms, position, [], record)
                settled = succession.settle(state, known, meta.clock_ms)
                succession.tell(key, settled, step)
                told.states[key] = settled.raw
                told.steps.append(step.emitted)
                count += len(step.emitted)
                if count >= self._bounds.transitions_per_commit_max:
                    yield told
                    told, count = Told({}, []), 0
        if told.steps:
            yield told

    def drop_former(self, generation: int) -> None:
        """Begin to remove what is left of the states before `generation`, which serves."""
        self.close()
        self._dropping = asyncio.create_task(self._drop(generation))
        self._dropping.add_done_callback(self._dropped)

    @property
    def is_tidying(self) -> bool:
        """Whether something is being removed."""
        return self._dropping is not None and not self._dropping.done()

    def close(self) -> None:
        """Do nothing any more. What is left of a state before is removed another time."""
        if self._dropping is not None:
            self._dropping.cancel()

    async def _drop(self, generation: int) -> None:
        with suppress(UnavailableError):  # then it is done after the next load
            await self._ports.generations.drop_former(self._partition, generation)

    def _dropped(self, task: asyncio.Task[None]) -> None:
        """Nobody waits for it; a bug in it ends the process like any other."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ports.on_failure(error)

    async def _bring_to(self, serving: Serving, definitions: Definitions, short_history: bool) -> Build:
        ports, end = self._ports, serving.at.offset + 1
        builder = Builder(
            self._partition, ports.builds, definitions, topic=ports.names.tracking, partitions=ports.partitions,
            bounds=self._bounds, short_history=short_history,
        )  # fmt: skip
        build = await builder.begin(owner=serving.fence)
        if build.cursor.offset > end:
            build = await builder.begin(owner=serving.fence, anew=True)
        try:
            async for records in ports.history.read(self._partition, LogBounds(build.cursor.offset, end)):
                await builder.apply(records)
                self._built.inc(len(records))
                self.progress = builder.build
        except FenceLostError as error:  # of the build: who owns the partition is another question
            raise UnavailableError(f"partition {self._partition}: somebody else has taken the build over") from error
        if builder.build.cursor != Cursor(end, 0):
            raise InputError(
                f"partition {self._partition}: the log does not hold the history that new definitions need: it ends "
                f"at {builder.build.cursor.offset}, before offset {end}"
            )
        return builder.build

    async def _heirs(self, keys: Sequence[str], succession: Succession, build: Build, serving: Serving) -> Heirs:
        """Those among the contacts about whom nothing is to be told. The others change as they are told of, but for
        since when they are members where they were some before: nobody is told of that."""
        store = self._ports.generations
        raws = await store.states(self._partition, build.generation, keys)
        known = await store.states(self._partition, serving.generation, keys)
        states: dict[str, bytes] = {}
        since: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for key, raw, former in zip(keys, raws, known, strict=True):
            settled = succession.settle(raw, former, serving.clock_ms)
            if settled.raw is None or settled.raw == raw:
                continue
            if not settled.differs:
                states[key] = settled.raw
            for segment, since_ms in settled.kept:
                since[segment][settled.who[0]] = since_ms
        return Heirs(states, since)

    async def _who_differs(self, meta: PartitionMeta, before: Definitions, after: Definitions) -> list[str]:
        assert meta.former is not None, "what has changed was something else before"
        store, ids = self._ports.generations, set[str]()
        for name in dict.fromkeys(segment.name for segment in (*before.segments, *after.segments)):
            were = await store.members(self._partition, meta.former.generation, name)
            are = await store.members(self._partition, meta.generation, name)
            ids |= were.keys() ^ are.keys()
            self.progress = ("comparing", name)
        return sorted(ids, key=str.encode)


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _CONTACTS_AT_ONCE):
        yield items[start : start + _CONTACTS_AT_ONCE]
