"""Makes a plan: builds new definitions beside those that hold, in every partition, and compares."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.errors import InputError, UnavailableError
from streams.generations import Build, BuildStore, GenerationStore, History
from streams.pipeline.building import Builder
from streams.planning.comparing import Comparison
from streams.planning.held import Held, read_held
from streams.planning.lookback import short_lookbacks
from streams.planning.plan import Kind, Plan, ScoreChange, SegmentChange
from streams.ports import LogBounds, PartitionMeta
from streams.segmentation import Core, Definitions, parse_canonical

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


class Planner:
    """Plans a change of definitions. It writes nothing but the builds, and no worker waits for it."""

    def __init__(
        self,
        ports: PlanPorts,
        definitions: Definitions,
        *,
        records_per_second_max: int = 0,
        accept_short_history: bool = False,
        on_progress: Callable[[Built], None] = lambda _built: None,
    ) -> None:
        """With `records_per_second_max` of 0 it builds as fast as it can. `accept_short_history`: also where the start
        of the log is gone."""
        self._ports = ports
        self._definitions = definitions
        self._rate = records_per_second_max
        self._accept_short = accept_short_history
        self._on_progress = on_progress
        self.held: dict[int, Held] = {}
        """What each partition's log holds, since `look`."""

    async def look(self) -> dict[int, Held]:
        """Which definitions hold in the log. Raises `UnavailableError` for a partition that has none."""
        for partition, bounds in sorted(self._ports.bounds().items()):
            meta = await self._ports.generations.serving(partition)
            held = await read_held(partition, meta, self._ports.history, bounds)
            if held is None:
                raise UnavailableError(
                    f"{self._ports.topic}: the log of partition {partition} has no definitions yet: run `segue apply`"
                )
            self.held[partition] = held
        return self.held

    async def build(self) -> dict[int, Build]:
        """Bring the builds to the end that the log has now.

        Raises `InputError` where the log's start is gone, `BuildBusyError` where a worker is making a change, and
        `UnavailableError`.
        """
        bounds = self._ports.bounds()
        builders = {partition: await self._begin(partition, bound) for partition, bound in sorted(bounds.items())}
        total = sum(bound.end - bound.start for bound in bounds.values())
        done = sum(_offset(builders[partition], bound) for partition, bound in bounds.items())
        first, began = done, time.monotonic()
        for partition, builder in builders.items():
            start = _offset(builder, bounds[partition]) + bounds[partition].start
            async for records in self._ports.history.read(partition, LogBounds(start, bounds[partition].end)):
                await builder.apply(records)
                done += len(records)
                seconds = time.monotonic() - began
                self._on_progress(Built(done, total, seconds))
                if self._rate:
                    await asyncio.sleep(max(0.0, (done - first) / self._rate - seconds))
        return {partition: builder.build for partition, builder in builders.items()}

    async def plan(self) -> Plan:
        """Build, and compare with what serves."""
        bounds, held = self._ports.bounds(), await self.look()
        before = self._before(held)
        if before.meaning == self._definitions.meaning:
            return await self._plan_of_words(before, bounds)
        builds = await self.build()
        metas = {partition: await self._serving(partition) for partition in builds}
        begins_ms = await self._log_begins(bounds)
        as_of_ms = min(build.clock_ms for build in builds.values())
        plan = self._empty_plan(before, bounds, begins_ms, as_of_ms)
        old, new = Core(before), Core(self._definitions)
        comparison = Comparison(self._ports.generations, old, new, plan, samples_max=_SAMPLES, looked_at_max=_LOOKED_AT)
        for partition, build in builds.items():
            await comparison.add(partition, metas[partition], build)
        await comparison.add_samples()
        return plan

    async def _plan_of_words(self, before: Definitions, bounds: Mapping[int, LogBounds]) -> Plan:
        """The plan of definitions that mean the same: nobody moves, and nothing is to be built."""
        metas = [await self._serving(partition) for partition in bounds]
        as_of_ms = min(meta.clock_ms for meta in metas)
        plan = self._empty_plan(before, bounds, await self._log_begins(bounds), as_of_ms)
        for segment in plan.segments:
            segment.members_before = segment.members_after = sum(meta.sizes.get(segment.name, 0) for meta in metas)
        return plan

    def _empty_plan(self, before: Definitions, bounds: Mapping[int, LogBounds], begins_ms: int, as_of_ms: int) -> Plan:
        plan = _empty_plan(before, self._definitions, bounds, begins_ms, as_of_ms)
        plan.before_number = max(one.number for one in self.held.values())
        return plan

    def _before(self, held: Mapping[int, Held]) -> Definitions:
        hashes = {one.hash for one in held.values()}
        waiting = [one.partition for one in held.values() if not one.is_made]
        if len(hashes) > 1:
            raise InputError(
                f"{self._ports.topic}: the partitions have different definitions ({_short(hashes)}): an apply was cut "
                "short; run it again first"
            )
        if waiting:
            raise UnavailableError(
                f"{self._ports.topic}: partitions {_numbers(waiting)} have not come to their newest definitions yet: "
                "start `segue worker`, or wait for it"
            )
        return parse_canonical(next(iter(held.values())).text)

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
        await builder.begin(owner=False)
        if builder.build.cursor.offset > bounds.end:
            await builder.begin(owner=False, anew=True)  # of a log that was longer
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


def _empty_plan(
    before: Definitions, after: Definitions, bounds: Mapping[int, LogBounds], begins_ms: int, as_of_ms: int
) -> Plan:
    segments = [
        SegmentChange(name, kind, _tags(name, after) or _tags(name, before))
        for name, kind in _kinds(
            {segment.name: segment.definition for segment in before.segments},
            {segment.name: segment.definition for segment in after.segments},
        )
    ]
    scores = [ScoreChange(name, kind) for name, kind in _kinds(_score_texts(before), _score_texts(after))]
    touched = {f"segments.{each.name}" for each in segments if each.kind in ("added", "changed")}
    touched |= {f"scores.{each.name}" for each in scores if each.kind in ("added", "changed")}
    return Plan(
        before_hash=before.hash,
        before_number=0,
        after_hash=after.hash,
        partitions=len(bounds),
        records=sum(bound.end - bound.start for bound in bounds.values()),
        segments=segments,
        scores=scores,
        log_begins_ms=begins_ms,
        log_is_cut=any(bound.start > 0 for bound in bounds.values()),
        as_of_ms=as_of_ms,
        short=short_lookbacks(after, touched, max(0, as_of_ms - begins_ms)),
    )


def _kinds(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, Kind]]:
    """What becomes of each name, in the order of the new file, then those that are no more."""
    kinds: list[tuple[str, Kind]] = []
    for name, text in after.items():
        kinds.append((name, "added" if name not in before else "unchanged" if before[name] == text else "changed"))
    return kinds + [(name, "removed") for name in before if name not in after]


def _score_texts(definitions: Definitions) -> dict[str, str]:
    scores: dict[str, Any] = json.loads(definitions.canonical).get("scores", {})
    return {
        name: json.dumps({key: value for key, value in body.items() if key != "description"})
        for name, body in scores.items()
    }


def _tags(name: str, definitions: Definitions) -> tuple[str, ...]:
    return next((segment.tags for segment in definitions.segments if segment.name == name), ())


def _offset(builder: Builder, bounds: LogBounds) -> int:
    """Records of the log that are built already."""
    return max(0, builder.build.cursor.offset - bounds.start)


def _short(hashes: set[str]) -> str:
    return ", ".join(sorted(text[:12] for text in hashes))


def _numbers(partitions: list[int]) -> str:
    return ", ".join(map(str, partitions))
