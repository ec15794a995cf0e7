"""A worker process of the simulation: the worker's own lanes, pipelines, relay and ticker, and a reader for Faust."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from schemas.errors import InputError, SegueError, UnavailableError
from schemas.metrics import Meters
from schemas.topics import Names
from streams.agents.ending import Ending
from streams.agents.lane import Batch, LaneBounds
from streams.agents.lanes import Lanes
from streams.pipeline.pipeline import PartitionPipeline, PipelineBounds, PipelinePorts
from streams.pipeline.ticks import Drift, Ticker
from streams.ports import Fence, LogBounds, LogIdentity, RawRecord
from tests.simulation.broker import Broker, OffsetGoneError, SimProducer, SimTails
from tests.simulation.generations import SimBuilds, SimGenerations, SimHistory, SimRecords
from tests.simulation.group import Coordinator
from tests.simulation.store import RedisServer, SimStore
from tests.simulation.virtual_loop import SimProcess

T = TypeVar("T")

IDENTITY = LogIdentity("cluster-1", "topic-1")
_HEARTBEAT_S = 1.0
_REVOKE_TIMEOUT_S = 2.0
_HINT_S = 2.0
_LOOK_AT_LOG_S = 2.0
_POLL_S = 0.4
PIPELINE_BOUNDS = PipelineBounds(
    timers_per_commit_max=5,
    transitions_per_commit_max=4,
    contacts_cached_max=8,
    outbox_entries_max=30,
    dead_letter_ratio_max=1,
)
_LANE_BOUNDS = LaneBounds(
    batch_records_max=20, retry_first_ms=100, retry_most_ms=2_000, fence_patience_ms=12_000, idle_check_ms=2_000
)


@dataclass(frozen=True)
class Surroundings:
    """What every process of a run stands on."""

    names: Names
    broker: Broker
    redis: RedisServer
    group: Coordinator


class SkewedClock:
    """A machine's clock, which nobody has set right."""

    def __init__(self, broker: Broker, skew_ms: int) -> None:
        self._broker = broker
        self._skew_ms = skew_ms

    def now_ms(self) -> int:
        return self._broker.now_ms() + self._skew_ms


class Source:
    """The lanes' `Log`, and the reader that hands them batches: late ones and twice the same ones among them."""

    def __init__(self, around: Surroundings, process: SimProcess, lanes: Lanes, chance: random.Random) -> None:
        self._around = around
        self._process = process
        self._lanes = lanes
        self._chance = chance
        self.owner = ("", 0)
        """Member and generation of the last join."""
        self.assigned: frozenset[int] = frozenset()
        self._positions: dict[int, int] = {}
        self._kept_back: Batch | None = None

    def give(self, partitions: frozenset[int]) -> None:
        """Be assigned these and no others; nothing is read before it is placed."""
        self.assigned = partitions
        self._positions.clear()

    async def start_at(self, partition: int, offset: int) -> None:
        await asyncio.sleep(self._chance.uniform(0.0001, 0.01))
        if partition not in self.assigned:
            raise UnavailableError("the group took the partition away")
        self._positions[partition] = offset

    async def bounds(self, partition: int) -> LogBounds:
        return await self._ask(f"bounds/{partition}", lambda: self._log(partition))

    async def committed(self, partition: int) -> int | None:
        return await self._ask(f"committed/{partition}", lambda: self._around.group.committed.get(partition))

    async def confirmed(self, partition: int) -> bool:
        group, owner = self._around.group, self.owner
        try:
            return await self._ask(f"confirmed/{partition}", lambda: group.is_current(*owner))
        except UnavailableError:
            return False

    async def read(self) -> None:
        """Fetch and hand on, for ever."""
        while True:
            placements = self._lanes.placements()
            flight = self._lanes.flight
            try:
                fetched = await self._ask("fetch", self._fetch)
            except UnavailableError:
                continue
            for partition, records in fetched.items():
                await flight.room()
                self._hand_on(partition, records, placements.get(partition, 0))
            if not fetched:
                await asyncio.sleep(self._chance.uniform(0.02, _POLL_S))

    def _fetch(self) -> dict[int, list[RawRecord]]:
        found = {}
        for partition, offset in self._positions.items():
            log = self._around.broker.log(self._around.names.tracking, partition)
            try:
                messages = log.read(offset, self._chance.randint(1, 12))
            except OffsetGoneError:
                self._lanes.refuse(InputError("a record that is to be folded is not in the log any more"))
                return {}
            if messages:
                found[partition] = [RawRecord(m.offset, m.timestamp_ms, m.key, m.value) for m in messages]
        return found

    def _hand_on(self, partition: int, records: list[RawRecord], placement: int) -> None:
        if self._positions.get(partition) == records[0].offset:
            self._positions[partition] = records[-1].offset + 1
        elif self._chance.random() < 0.5:
            return  # placed elsewhere meanwhile; the client drops most of such, not all
        self._accept(partition, records, placement)
        if self._kept_back is not None and self._chance.random() < 0.3:
            late, self._kept_back = self._kept_back, None
            self._accept(late.partition, late.records, late.placement)
        elif self._chance.random() < 0.1:
            self._kept_back = Batch(partition, list(records), placement, None, lambda: None)

    def _accept(self, partition: int, records: list[RawRecord], placement: int) -> None:
        end = self._log(partition).end
        release = self._lanes.flight.enter()
        self._lanes.accept(Batch(partition, list(records), placement, end, release))

    def _log(self, partition: int) -> LogBounds:
        return self._around.broker.log(self._around.names.tracking, partition).bounds

    async def _ask(self, stream: str, question: Callable[[], T]) -> T:
        return await self._around.broker.network.call(self._process, stream, question)


class Worker:
    """One worker process, from its start to its end."""

    def __init__(
        self,
        around: Surroundings,
        process: SimProcess,
        skew_ms: int,
        on_end: Callable[[Worker, SegueError | None], None],
    ) -> None:
        self.around = around
        self.process = process
        self.stops = asyncio.Event()
        self._clock = SkewedClock(around.broker, skew_ms)
        self._on_end = on_end
        self._chance = around.broker.network.chance(f"{process.name}/worker")
        self._joins = 0
        self.member = ""
        self.generation = 0
        self.relay_producer: SimProducer | None = None

    def start(self) -> None:
        """Begin."""
        self.process.start(self._work())

    async def _work(self) -> None:
        around, meters = self.around, Meters("worker")
        ending = Ending()
        self.relay_producer = SimProducer(around.broker, self.process, "relay", ending.fail)
        tick_producer = SimProducer(around.broker, self.process, "ticks", ending.fail)
        drift = Drift(60_000)
        self.lanes = self._make_lanes(ending, meters, drift, self.relay_producer)
        self.source = Source(around, self.process, self.lanes, self._chance)
        self.ticker = Ticker(
            around.names.tracking,
            self.lanes.serving,
            tick_producer,
            self._clock,
            drift=drift,
            interval_ms=25,
            meters=meters,
            on_failure=ending.fail,
        )
        chores = [self._be_a_member(), self.source.read(), self._tick(), self._tell_group(), self._look_at_log()]
        tasks = [ending.watch(asyncio.create_task(chore)) for chore in chores]
        stop = asyncio.create_task(self._wait_for_stop(ending))
        reason = await ending.reason()
        for task in (*tasks, stop):
            task.cancel()
        await asyncio.wait(tasks)
        await self.lanes.close(_REVOKE_TIMEOUT_S)
        around.group.leave(self.member)
        self._on_end(self, reason)

    def _make_lanes(self, ending: Ending, meters: Meters, drift: Drift, producer: SimProducer) -> Lanes:
        ports = PipelinePorts(
            names=self.around.names,
            log=IDENTITY,
            partitions=self.around.broker.partitions,
            timestamp_type="append",
            store=SimStore(self.around.redis, self.process),
            builds=SimBuilds(self.around.redis, self.process),
            generations=SimGenerations(self.around.redis, self.process),
            history=SimHistory(self.around.broker, self.process),
            records=SimRecords(self.around.broker, self.process),
            publisher=producer,
            tails=SimTails(self.around.broker, self.process),
            clock=self._clock,
            meters=meters,
            on_failure=ending.fail,
        )
        return Lanes(
            lambda partition: PartitionPipeline(partition, ports, PIPELINE_BOUNDS),
            _LANE_BOUNDS,
            4,
            ending,
            meters,
            on_fresh=lambda timestamp_ms: drift.observe(timestamp_ms, self._clock.now_ms()),
        )

    async def _wait_for_stop(self, ending: Ending) -> None:
        await self.stops.wait()
        ending.stop()

    async def _be_a_member(self) -> None:
        group = self.around.group
        while True:
            if group.heartbeat(self.member) == "unknown":
                self._joins += 1
                self.member = f"{self.process.name}-{self._joins}"
            await self.lanes.revoke(_REVOKE_TIMEOUT_S)
            self.source.give(frozenset())
            joined = await group.join(self.member)
            if joined is None:
                continue
            self.generation = joined.generation
            self.source.owner = (self.member, joined.generation)
            self.source.give(joined.partitions)
            self.lanes.assign(joined.partitions, Fence(joined.generation, self.member), self.source)
            while await self._heartbeat() == "fine":
                await asyncio.sleep(_HEARTBEAT_S)

    async def _heartbeat(self) -> str:
        """What the group says; news may take their time, and a broker that is away brings none."""
        await asyncio.sleep(self._chance.choice((0.001, 0.005, 0.3, 0.9)))
        return "fine" if self.around.broker.network.away else self.around.group.heartbeat(self.member)

    async def _tick(self) -> None:
        while True:
            self.ticker.look()
            await asyncio.sleep(self._chance.uniform(0.05, 0.6))

    async def _tell_group(self) -> None:
        while True:
            await asyncio.sleep(_HINT_S)
            folded = {lane.partition: lane.next_offset for lane in self.lanes.serving()}
            self.around.group.commit(self.member, self.generation, folded)

    async def _look_at_log(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AT_LOG_S)
            for partition, lane in list(self.lanes.lanes.items()):
                try:
                    lane.log_end = max(lane.log_end, (await self.source.bounds(partition)).end)
                except UnavailableError:
                    break
