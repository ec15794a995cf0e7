"""Makes a plan: builds new definitions beside those that hold, in every partition, and compares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from schemas.errors import InputError, UnavailableError
from streams.generations import Build, BuildStore, GenerationStore, History
from streams.pipeline.building import Builder
from streams.planning.comparing import Comparison
from streams.planning.drafting import empty_plan
from streams.planning.held import Held, read_held
from streams.planning.plan import Plan
from streams.planning.room import Filled
from streams.ports import CursorMismatchError, FenceLostError, LogBounds, PartitionMeta
from streams.segmentation import Definitions, core_of

_SAMPLES = 5
_LOOKED_AT = 20_000


class Built(NamedTuple):
    """How far the builds have come."""

    records: int
    of: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PlanPorts:
    """What a planner needs of the outside."""

    topic: str
    builds: BuildStore
    generations: GenerationStore
    history: History
    bounds: Callable[[], Mapping[int, LogBounds]]
    """Where the log of every partition begins and ends now."""
    room: Callable[[int], Awaitable[Filled]]
    """How full the Redis of a partition is."""


class Planner:
    """Plans a change of definitions. It writes nothing but the builds, and no worker waits for it."""

    def __init__(
        self,
        ports: PlanPorts,
        definitions: Definitions,
        *,
        records_per_second_max: int = 0,
        accept_short_history: bool = False,
    ) -> None:
        """With `records_per_second_max` of 0 it builds as fast as it can. `accept_short_history`: also where the start
        of the log is gone."""
        self._ports = ports
        self._definitions = definitions
        self._rate = records_per_second_max
        self._accept_short = accept_short_history
        self.on_progress: Callable[[Built], None] = lambda _built: None
        """Told how far the builds have come."""
        self.held: dict[int, Held] = {}
        """What each partition's log holds, since `look`."""

    async def look(self) -> dict[int, Held]:
        """Which definitions hold in the log.

        Raises `UnavailableError` for a partition that has none, or whose state is of a format to be built anew.
        """
        found = self._ports.bounds()
        if not found:
            raise UnavailableError(f"no topic {self._ports.topic}: create it with `segue topics create`")
        for partition, bounds in sorted(found.items()):
            meta = await self._ports.generations.serving(partition)
            if meta is not None and meta.outdated_format is not None:
                raise UnavailableError(
                    f"partition {partition}: its state is of format {meta.outdated_format}, which this version builds "
                    "anew: start `segue worker` of this version first; `segue plan --upgrade` shortens its start"
                )
            held = await read_held(partition, meta, self._ports.history, bounds)
            if held is None:
                raise UnavailableError(
                    f"{self._ports.topic}: the log of partition {partition} has no definitions yet: run `segue apply`"
                )
            self.held[partition] = held
        return self.held

    async def check(self) -> None:
        """Whether there is something to plan from: raises `InputError` where an apply was cut short, and
        `UnavailableError` where workers have not come to the definitions that hold."""
        self._before(self.held or await self.look())

    async def build(self) -> None:
        """Bring the builds to the end that the log has now; nothing where the definitions that hold mean the same.

        Raises `InputError` where the log's start is gone or Redis has no room left, `BuildBusyError` where a worker is
        making a change, and `UnavailableError`.
        """
        if self._before(self.held or await self.look()).meaning != self._definitions.meaning:
            await self._build(self._ports.bounds())

    async def plan(self) -> Plan:
        """Build, and compare with what serves. Raises as `build` does."""
        bounds, held = self._ports.bounds(), await self.look()
        before = self._before(held)
        if before.meaning == self._definitions.meaning:
            return await self._plan_of_words(before, bounds)
        folded = {partition: (await self._serving(partition)).cursor.offset for partition in bounds}
        # No further than the worker has come: what it has not folded is no difference between the definitions.
        builders = await self._build(
            {
                partition: LogBounds(bound.start, max(bound.start, min(bound.end, folded[partition])))
                for partition, bound in bounds.items()
            }
        )
        plan = await self._drafted(before, bounds, [builder.build.clock_ms for builder in builders.values()])
        plan.behind = sum(max(0, bound.end - folded[partition]) for partition, bound in bounds.items())
        old, new = core_of(before), core_of(self._definitions)
        comparison = Comparison(self._ports.generations, old, new, plan, samples_max=_SAMPLES, looked_at_max=_LOOKED_AT)
        for builder in builders.values():
            await comparison.add(_Together(self, builder))
        comparison.add_samples()
        for builder in builders.values():
            with _still_ours(builder.partition):  # else what was compared was half gone
                await self._ports.builds.load(builder.partition, builder.build.cursor, (), None, 0)
        return plan

    async def rebuild(self) -> list[int]:
        """Build the state anew where it is of an older format; in which partitions that is.

        The definitions are those that hold there. Raises as `build` does.
        """
        outdated = await self.outdated()
        await self._build(outdated)
        return sorted(outdated)

    async def outdated(self) -> dict[int, LogBounds]:
        """Partitions whose state is of a format to be built anew, and the records that are folded there."""
        outdated = {}
        for partition, bound in self._ports.bounds().items():
            meta = await self._serving(partition)
            if meta.outdated_format is not None:
                outdated[partition] = LogBounds(bound.start, max(bound.start, min(bound.end, meta.cursor.offset)))
        return outdated

    async def catch_up(self, builder: Builder) -> tuple[PartitionMeta, Build]:
        """What serves, and the build brought to the same place; what serves may have gone on since."""
        meta = await self._serving(builder.partition)
        bounds = LogBounds(builder.build.cursor.offset, meta.cursor.offset)
        with _still_ours(builder.partition):
            async for records in self._ports.history.read(builder.partition, bounds):
                await builder.apply(records)
        return meta, builder.build

    async def _build(self, bounds: Mapping[int, LogBounds]) -> dict[int, Builder]:
        builders = {partition: await self._begin(partition, bound) for partition, bound in sorted(bounds.items())}
        total = sum(bound.end - bound.start for bound in bounds.values())
        done = sum(_offset(builders[partition], bound) for partition, bound in bounds.items())
        first, began = done, time.monotonic()
        self.on_progress(Built(done, total, 0.0))
        for partition, builder in builders.items():
            start = _offset(builder, bounds[partition]) + bounds[partition].start
            async for records in self._ports.history.read(partition, LogBounds(start, bounds[partition].end)):
                await self._keep_room(partition)
                with _still_ours(partition):
                    await builder.apply(records)
                done += len(records)
                seconds = time.monotonic() - began
                self.on_progress(Built(done, total, seconds))
                if self._rate:
                    await asyncio.sleep(max(0.0, (done - first) / self._rate - seconds))
        return builders

    async def _keep_room(self, partition: int) -> None:
        """Give up what is built before Redis is full: it would refuse the commits of all workers then."""
        room = await self._ports.room(partition)
        if room.is_short:
            for each in self._ports.bounds():
                await self._ports.builds.give_up(each)
            raise room.gone()

    async def _plan_of_words(self, before: Definitions, bounds: Mapping[int, LogBounds]) -> Plan:
        """The plan of definitions that mean the same: nobody moves, and nothing is to be built."""
        metas = [await self._serving(partition) for partition in bounds]
        plan = await self._drafted(before, bounds, [meta.clock_ms for meta in metas])
        for segment in plan.segments:
            segment.members_before = segment.members_after = sum(meta.sizes.get(segment.name, 0) for meta in metas)
        return plan

    async def _drafted(self, before: Definitions, bounds: Mapping[int, LogBounds], clocks_ms: list[int]) -> Plan:
        plan = empty_plan(before, self._definitions, bounds, await self._log_begins(bounds), min(clocks_ms))
        plan.before_number = max(one.number for one in self.held.values())
        return plan

    def _before(self, held: Mapping[int, Held]) -> Definitions:
        identities = {one.identity for one in held.values()}
        waiting = [one.partition for one in held.values() if not one.is_made]
        if len(identities) > 1:
            raise InputError(
                f"{self._ports.topic}: the partitions have different definitions ({_short(identities)}): an apply was "
                "cut short; complete it by applying the same file again, or take it back by applying the one before it"
            )
        if waiting:
            raise UnavailableError(
                f"{self._ports.topic}: partitions {_numbers(waiting)} have not come to their newest definitions yet: "
                "start `segue worker`, or wait for it"
            )
        return next(iter(held.values())).definitions()

    async def _begin(self, partition: int, bounds: LogBounds) -> Builder:
        if bounds.start > 0 and not self._accept_short:
            raise InputError(
                f"{self._ports.topic}: the log of partition {partition} begins at offset {bounds.start}, what lay "
                "before is gone: new definitions would not know of it. Load an export of it with `segue load` into a "
                "new namespace, or give --accept-short-history to count from there"
            )
        builder = Builder(
            partition,
            self._ports.builds,
            self._definitions,
            topic=self._ports.topic,
            partitions=len(self._ports.bounds()),
            short_history=self._accept_short,
        )
        await builder.begin(owner=None)
        if builder.build.cursor.offset > bounds.end:
            await builder.begin(owner=None, anew=True)  # of a log that was longer
        return builder

    async def _serving(self, partition: int) -> PartitionMeta:
        meta = await self._ports.generations.serving(partition)
        if meta is None:
            raise UnavailableError(f"partition {partition}: Redis holds no state of it: start `segue worker`")
        return meta

    async def _log_begins(self, bounds: Mapping[int, LogBounds]) -> int:
        earliest = 1 << 62
        for partition, bound in bounds.items():
            async for records in self._ports.history.read(partition, LogBounds(bound.start, bound.start + 1)):
                earliest = min(earliest, records[0].timestamp_ms)
        return earliest


@contextmanager
def _still_ours(partition: int) -> Iterator[None]:
    try:
        yield
    except (FenceLostError, CursorMismatchError):
        raise UnavailableError(
            f"partition {partition}: what was built is no longer there: another plan or apply builds at the same time, "
            "or Redis has lost it; plan again when the other one is done"
        ) from None


class _Together:
    """A partition of which what serves and what is built can be brought to the same place of the log."""

    def __init__(self, planner: Planner, builder: Builder) -> None:
        self._planner = planner
        self._builder = builder
        self.partition = builder.partition

    async def catch_up(self) -> tuple[PartitionMeta, Build]:
        """Both of them, at the same place."""
        return await self._planner.catch_up(self._builder)


def _offset(builder: Builder, bounds: LogBounds) -> int:
    """Records of the log that are built already."""
    return max(0, builder.build.cursor.offset - bounds.start)


def _short(identities: set[str]) -> str:
    return ", ".join(sorted(text[:12] for text in identities))


def _numbers(partitions: list[int]) -> str:
    return ", ".join(map(str, partitions))
