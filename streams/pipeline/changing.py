"""Makes a change of definitions in one partition: at the record that brings them, and nowhere else.

The state that serves stands still at that record, its timers up to the partition's clock fired. The build is brought
to the same point; every contact in it goes on from how it stood before; the build serves; and what the two states
differ in is told, contact by contact, in order of their ids. Each of these steps may be cut short and is then made
again, or gone on with: what was told is known by the cursor, and the differences are always the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import suppress
from typing import NamedTuple

from schemas.errors import UnavailableError
from schemas.records import DefinitionsRecord
from schemas.transitions import Transition
from streams.generations import Build, Holding
from streams.pipeline.ports import PipelineBounds, PipelinePorts
from streams.pipeline.succeeding import Serving, Succeeding, in_order, names_in, parts
from streams.ports import Cursor, PartitionMeta
from streams.segmentation import Core, Definitions, Step, Succession, contact_key, core_of, parse_canonical
from streams.versions import Version


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
        record.semantics,
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
        self._succeeding = Succeeding(partition, ports, bounds)
        self._dropping: asyncio.Task[None] | None = None

    @property
    def progress(self) -> Hashable:
        """Differs from what it was when something was done."""
        return self._succeeding.progress

    async def succeed(
        self, serving: Serving, former: Definitions, definitions: Definitions, holding: Holding
    ) -> PartitionMeta:
        """Let a state that is built for new definitions serve, at the record at which the one that serves stands."""
        upto, short_history = Cursor(serving.at.offset + 1, 0), holding.versions[-1].short_history
        builder = await self._succeeding.bring_to(upto, serving.fence, definitions, short_history=short_history)
        build = await self._settle(serving, Succession(former, core_of(definitions)), builder.build)
        return await self._ports.generations.switch(self._partition, serving.fence, serving.at, build, holding)

    async def _settle(self, serving: Serving, succession: Succession, build: Build) -> Build:
        """Let the contacts of the build be heirs, but for those about whom something is to be told."""
        generation, fence, at, clock_ms = serving
        async for keys in self._succeeding.built_keys(build):
            heritage = await self._succeeding.heritage(keys, succession, build, generation, clock_ms)
            await self._ports.generations.settle(self._partition, fence, at, build, heritage.heirs)
            build = build._replace(settled=build.settled + 1)
        return build

    async def differences(self, meta: PartitionMeta, core: Core, record: DefinitionsRecord) -> AsyncIterator[Told]:
        """What is still to be told, in order, where the change at `meta.cursor` has been made: nothing of it twice."""
        former = meta.former
        assert former is not None, "what has changed was something else before"
        before = parse_canonical(former.definitions, meta.versions[-2].semantics)
        succession = Succession(before, core)
        names = names_in(before, core.definitions)
        ids = in_order(await self._succeeding.differing(names, former.generation, meta.generation))
        position, told, count = (self._partition, meta.cursor.offset), Told({}, []), 0
        for some in parts(ids[meta.cursor.steps :]):
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
