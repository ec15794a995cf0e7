"""From what was read to what is settled: gate, lanes, attempts, windows. Knows neither Kafka nor any sink.

Runs on one event loop. `feed` never waits; attempts run in tasks, one a lane, at most `sink.concurrency` at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from consumers.arrivals import RawMessage, Stamp, read_arrival, read_stamp
from consumers.clock import Clock
from consumers.gate import Passage
from consumers.lease import Lease
from consumers.owned import OwnedPartition
from consumers.progress_store import ProgressStore
from consumers.saver import Saver
from consumers.sink import Delivery, Outcome, Sink
from consumers.start import Start
from consumers.window import Progress
from schemas.metrics import Meters

log = logging.getLogger(__name__)


class Limits(NamedTuple):
    """Bounds of the engine."""

    window: int
    """Transitions of a partition between its settled prefix and the newest one, before reading pauses."""
    drain_s: float
    """Longest wait for attempts under way when a partition is given up."""


class Flow(NamedTuple):
    """Partitions to stop reading for now, and partitions to read on."""

    pause: list[int]
    resume: list[int]


class Engine:
    """Hands what passes the gate to the sink, and knows how far each partition is settled."""

    def __init__(
        self, sink: Sink, store: ProgressStore, lease: Lease, meters: Meters, clock: Clock, limits: Limits
    ) -> None:
        self._sink = sink
        self._lease = lease
        self._meters = meters
        self._limits = limits
        self._saver = Saver(store, clock, self._overtaken)
        self._store = store
        self._slots = asyncio.Semaphore(sink.concurrency)
        self._partitions: dict[int, OwnedPartition] = {}
        self._halted = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the exception after which the consumer must stop."""
        self._saving = asyncio.create_task(self._saver.run())
        self._saving.add_done_callback(self._ended)

    # --- partitions come and go -------------------------------------------------------------------------

    async def open(self, number: int, start: Start, *, accept_gap: bool) -> None:
        """Begin with a partition. Raises `UnavailableError` when progress cannot be saved."""
        if start.anew:
            await self._store.reset(number, start.progress)
        partition = OwnedPartition.begin(number, start, accept_gap=accept_gap)
        partition.closing = self._halted
        self._partitions[number] = partition
        self._saver.note(partition)

    async def close(self, numbers: Iterable[int]) -> dict[int, Progress]:
        """Finish the attempts under way, save, and give the partitions up; returns how far they came."""
        partitions = [self._partitions.pop(number) for number in numbers if number in self._partitions]
        for partition in partitions:
            partition.end_waiting()
        tasks = {task for partition in partitions for task in partition.tasks}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for partition in partitions:
            await self._saver.flush(partition)
        self._count_stopped()
        return {partition.number: partition.progress for partition in partitions if not partition.overtaken}

    def abandon(self, numbers: Iterable[int]) -> None:
        """Drop partitions that have another owner already."""
        for number in numbers:
            partition = self._partitions.pop(number, None)
            if partition is not None:
                partition.end_waiting()
                for task in partition.tasks:
                    task.cancel()
        self._count_stopped()

    def halt(self) -> None:
        """Let no further attempt begin anywhere; what is under way goes on until `close`."""
        self._halted = True
        for partition in self._partitions.values():
            partition.end_waiting()

    async def end(self) -> None:
        """Stop saving; every partition has been closed."""
        self._saving.cancel()
        await asyncio.gather(self._saving, return_exceptions=True)

    def progress(self) -> dict[int, Progress]:
        """How far every partition is settled without a hole."""
        return {number: owned.progress for number, owned in self._partitions.items() if not owned.overtaken}

    def stopped(self) -> list[str]:
        """Why partitions were stopped."""
        return [partition.stopped for partition in self._partitions.values() if partition.stopped]

    def problems(self) -> list[str]:
        """What keeps this consumer from going on."""
        problems = self.stopped()
        if self._saver.away:
            problems.append("Redis does not answer")
        if self._partitions and not self._lease.fresh:
            problems.append("Kafka does not confirm the membership in the group")
        return problems

    # --- messages come in -------------------------------------------------------------------------------

    def feed(self, messages: Sequence[RawMessage]) -> Flow:
        """Take in what was read, and say what to read next."""
        for message in messages:
            partition = self._partitions.get(message.partition)
            if partition is not None and partition.stopped is None:
                self._take(partition, message)
        flow = Flow([], [])
        for partition in self._partitions.values():
            full = partition.stopped is not None or len(partition.window) >= self._limits.window
            if full and not partition.paused:
                flow.pause.append(partition.number)
                partition.paused = True
            elif partition.paused and not partition.stopped and len(partition.window) <= self._limits.window // 2:
                flow.resume.append(partition.number)
                partition.paused = False
        return flow

    def _take(self, partition: OwnedPartition, message: RawMessage) -> None:
        stamp = read_stamp(message)
        if stamp is None:
            # Were it a transition after all, the next one would show the gap.
            log.error("partition %d, offset %d: no transition, passed over", message.partition, message.offset)
            self._pass_over(partition, message, "unreadable")
            return
        gate, passage = partition.gate.judge(*stamp)
        if passage is Passage.GAP:
            self._stop_at_gap(partition, message, stamp)
            return
        if passage is Passage.SEEN:
            self._pass_over(partition, message, "skipped_seen")
            return
        partition.gate = gate
        if message.offset in partition.ahead:
            self._pass_over(partition, message, "skipped_seen")
            return
        partition.window.add(*stamp, message.offset)
        delivery = Delivery(read_arrival(message, stamp))
        lane = self._sink.lane(delivery.arrival)
        if lane in partition.lanes:
            partition.lanes[lane].append(delivery)
            return
        partition.lanes[lane] = deque([delivery])
        task = asyncio.create_task(self._run_lane(partition, lane))
        partition.tasks.add(task)
        task.add_done_callback(partition.tasks.discard)
        task.add_done_callback(self._ended)

    def _pass_over(self, partition: OwnedPartition, message: RawMessage, outcome: str) -> None:
        self._meters.counter("segue_consumer_transitions_total", outcome).inc()
        gate = partition.gate
        partition.window.add(gate.epoch, gate.seq, message.offset, settled=True)
        self._saver.note(partition)

    def _stop_at_gap(self, partition: OwnedPartition, message: RawMessage, stamp: Stamp) -> None:
        self._meters.counter("segue_consumer_gaps_total").inc()
        self._stop(
            partition,
            f"partition {partition.number} stopped at offset {message.offset}: expected transition "
            f"{partition.gate.expects(stamp.epoch)} of epoch {stamp.epoch}, found {stamp.seq}. Find out where the "
            "missing ones are; to go on without them, start once with --accept-gap",
        )

    def _overtaken(self, partition: OwnedPartition, stored: Progress) -> None:
        if not partition.overtaken:
            partition.overtaken = True
            partition.end_waiting()
            self._stop(
                partition,
                f"partition {partition.number} stopped: another consumer of this name is at transition {stored.seq} "
                f"of epoch {stored.epoch}, this one at {partition.progress.seq} of {partition.progress.epoch}. "
                "Start it again to go on from there",
            )

    def _stop(self, partition: OwnedPartition, reason: str) -> None:
        partition.stopped = reason
        self._count_stopped()
        log.error("%s", reason)

    def _count_stopped(self) -> None:
        self._meters.gauge("segue_consumer_partitions_stopped").set(len(self.stopped()))

    # --- deliveries go out ------------------------------------------------------------------------------

    async def _run_lane(self, partition: OwnedPartition, lane: str) -> None:
        queue = partition.lanes[lane]
        while queue and not partition.closing:
            outcome = await self._attempt(partition, queue[0])
            if outcome is not None:
                self._settle(partition, queue.popleft(), outcome)
        del partition.lanes[lane]

    async def _attempt(self, partition: OwnedPartition, delivery: Delivery) -> Outcome | None:
        task = asyncio.current_task()
        assert task is not None
        async with self._slots, self._sink.admission():
            await self._lease.hold()
            if partition.closing:
                return None
            partition.attempting.add(task)
            try:
                return await self._sink.attempt(delivery)
            except Exception as error:
                # Before the slot is free: nothing may begin after this.
                self._fail(error)
                raise
            finally:
                partition.attempting.discard(task)

    def _settle(self, partition: OwnedPartition, delivery: Delivery, outcome: Outcome) -> None:
        self._meters.counter("segue_consumer_transitions_total", outcome).inc()
        partition.window.settle(delivery.arrival.offset)
        self._saver.note(partition)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.halt()
        if not self.failure.done():
            self.failure.set_exception(error)
