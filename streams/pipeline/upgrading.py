"""Takes over a state of an older format, which this version of Segue does not work on as it is.

The log up to the cursor is folded anew under the same definitions, into a build of our format; its contacts go on from
how they stood; the build serves. Nothing comes out of it, since the same log under the same definitions makes the same
members: where it does not, nothing is changed and the partition is refused. There is no record at which a difference
could be told and be told again by a replay of the log; a change of meaning has one, its `definitions` record.

Until the build serves the old state is only read, so all of it may be cut short, and is gone on with or made again.
What the old state had begun goes on: the timers of the record at the cursor, of which those before the next one are
fired in the build too, and what a change tells, of which the first ones are told.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from dataclasses import dataclass

from schemas.errors import InputError
from streams.generations import Build, Heirs, Holding
from streams.pipeline.building import HistoryGoneError
from streams.pipeline.ports import PipelineBounds, PipelinePorts
from streams.pipeline.succeeding import Serving, Succeeding, in_order, names_in
from streams.ports import Cursor, PartitionMeta
from streams.segmentation import Core, Definitions, Succession, contact_key, core_of, parse_canonical
from streams.versions import is_telling

log = logging.getLogger("segue.worker")

_EVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is taken over."""

    meta: PartitionMeta
    serving: Serving
    definitions: Definitions
    core: Core

    @property
    def telling(self) -> bool:
        """Whether a change is made, and not all is told yet."""
        return is_telling(self.meta.former, self.meta.versions, self.meta.cursor.offset)


class Upgrading:
    """Takes over the state of one partition."""

    def __init__(self, partition: int, ports: PipelinePorts, bounds: PipelineBounds) -> None:
        self._partition = partition
        self._ports = ports
        self._succeeding = Succeeding(partition, ports, bounds)

    @property
    def progress(self) -> Hashable:
        """Differs from what it was when something was done."""
        return self._succeeding.progress

    async def take_over(self, serving: Serving, meta: PartitionMeta) -> PartitionMeta:
        """Let a state of our format serve in place of the one that `meta` tells of, which has definitions.

        Raises `InputError` where the log's start is gone, or where the log makes other members than the state has.
        """
        assert meta.definitions is not None, "what has none is folded again"
        log.info(
            "partition %d: the state is of format %s; building it anew up to record %d",
            self._partition, meta.outdated_format, meta.cursor.offset,
        )  # fmt: skip
        definitions = parse_canonical(meta.definitions, meta.versions[-1].semantics)
        taken = _Taken(meta, serving, definitions, core_of(definitions))
        try:
            build = await self._build(taken)
        except HistoryGoneError as error:
            raise self._history_gone(meta, error.begins_at) from error
        await self._check(taken, build)
        build = await self._settle(taken, build)
        holding = Holding(meta.definitions, meta.versions)
        return await self._ports.generations.take_over(self._partition, serving.fence, serving.at, build, holding)

    async def _build(self, taken: _Taken) -> Build:
        """The build, at the same point of the log as the old state, be it amid a record."""
        at, fence, clock_ms = taken.serving.at, taken.serving.fence, taken.serving.clock_ms
        if taken.telling:  # then the record is folded, and the steps at it are contacts that were told of
            builder = await self._succeeding.bring_to(Cursor(at.offset + 1, 0), fence, taken.definitions)
            return builder.build
        builder = await self._succeeding.bring_to(at, fence, taken.definitions)
        if at.steps:
            loaded = await self._ports.store.load(self._partition, at, (), _EVER_MS, 1)
            return await self._succeeding.release(builder, clock_ms, loaded.timers[0] if loaded.timers else None)
        return builder.build

    async def _check(self, taken: _Taken, build: Build) -> None:
        """Raises `InputError` where the build is not what the old state is."""
        ids = await self._succeeding.differing(names_in(taken.definitions), taken.meta.generation, build.generation)
        amid_timers = bool(taken.serving.at.steps) and not taken.telling
        if ids or (not amid_timers and build.clock_ms != taken.serving.clock_ms):
            raise await self._differs(taken, build, len(ids))

    async def _settle(self, taken: _Taken, build: Build) -> Build:
        """Let the contacts of the build go on from how they stand."""
        serving, meta, untold = taken.serving, taken.meta, await self._untold(taken)
        same = Succession(taken.definitions, taken.core)
        async for keys in self._succeeding.built_keys(build):
            told = [key for key in keys if key not in untold]
            heritage = await self._succeeding.heritage(told, same, build, meta.generation, serving.clock_ms)
            if heritage.differ:
                raise await self._differs(taken, build, len(heritage.differ))
            heirs = heritage.heirs
            waiting = [key for key in keys if key in untold]
            if waiting:  # they go on from the state before the change, as they are told of
                assert meta.former is not None, "what is told is the difference to a state before"
                change, before = Succession(self._before(meta), taken.core), meta.former.generation
                found = await self._succeeding.heritage(waiting, change, build, before, serving.clock_ms)
                heirs = heirs.and_of(found.heirs)
            await self._ports.generations.settle(self._partition, serving.fence, serving.at, build, heirs)
            build = build._replace(settled=build.settled + 1)
        return build

    async def _untold(self, taken: _Taken) -> set[str]:
        """Keys of contacts that a change still is to tell of."""
        former = taken.meta.former
        if former is None or not taken.telling:
            return set()
        names = names_in(self._before(taken.meta), taken.definitions)
        ids = in_order(await self._succeeding.differing(names, former.generation, taken.meta.generation))
        return {contact_key(contact_id) for contact_id in ids[taken.serving.at.steps :]}

    @staticmethod
    def _before(meta: PartitionMeta) -> Definitions:
        assert meta.former is not None, "a change that is told has a state before"
        return parse_canonical(meta.former.definitions, meta.versions[-2].semantics)

    def _history_gone(self, meta: PartitionMeta, begins_at: int) -> InputError:
        return InputError(
            f"partition {self._partition}: the state in Redis is of format {meta.outdated_format}, which has to be "
            f"built anew from the log's first record, but the log begins at {begins_at}: go on with the version of "
            "Segue that made the state, or load the events that you have kept into a new SEGUE_NAMESPACE with "
            "`segue load`"
        )

    async def _differs(self, taken: _Taken, build: Build, contacts: int) -> InputError:
        """Why a state is refused. Raises as `settle` does where what was read is not what serves any more."""
        serving, nothing = taken.serving, Heirs({}, {})
        await self._ports.generations.settle(self._partition, serving.fence, serving.at, build, nothing)
        found = taken.meta.outdated_format
        return InputError(
            f"partition {self._partition}: the state in Redis is of format {found}, and folding the log "
            f"anew under the same definitions makes another one ({contacts} contacts found so far that are in other "
            "segments); nothing was changed: go on with the version of Segue that made the state, and report this; or "
            f"fold the log again, published in a new epoch, with `segue epoch raise --partition {self._partition}`"
        )
