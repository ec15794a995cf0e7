"""All lanes of a worker: made when the group gives partitions, closed when it takes them away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from schemas.errors import SegueError
from schemas.metrics import Meters
from streams.agents.ending import Ending
from streams.agents.lane import Batch, Lane, LaneBounds, Log, Pipeline
from streams.ports import Fence


class Flight:
    """Counts batches that were read and are not folded yet, for one assignment."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._batches = 0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        """Whether no more is admitted now."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until one more is admitted."""
        await self._room.wait()

    def enter(self) -> Callable[[], None]:
        """Admit a batch; returns what gives its place back."""
        self._batches += 1
        if self._batches >= self._most:
            self._room.clear()
        return self._leave

    def _leave(self) -> None:
        self._batches -= 1
        if self._batches < self._most:
            self._room.set()


class Lanes:
    """The partitions that this worker owns now."""

    def __init__(
        self,
        make_pipeline: Callable[[int], Pipeline],
        bounds: LaneBounds,
        batches_in_flight_max: int,
        ending: Ending,
        meters: Meters,
        on_fresh: Callable[[int], None] = lambda _timestamp_ms: None,
    ) -> None:
        """`on_fresh` is told the Kafka timestamp of a record that was the newest of its log as it arrived."""
        self._make_pipeline = make_pipeline
        self._bounds = bounds
        self._in_flight_max = batches_in_flight_max
        self._ending = ending
        self._meters = meters
        self._on_fresh = on_fresh
        self._closed = False
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._ended: dict[int, asyncio.Task[None]] = {}
        self._reached: dict[int, int] = {}  # how far lanes of before have folded each partition
        self.lanes: dict[int, Lane] = {}
        self.flight = Flight(batches_in_flight_max)

    def serving(self) -> list[Lane]:
        """Lanes that are loaded and fold records."""
        return [lane for lane in list(self.lanes.values()) if lane.serving]

    def placements(self) -> dict[int, int]:
        """How often the consumer was placed for each partition; to be noted before a fetch."""
        return {partition: lane.placement for partition, lane in self.lanes.items()}

    def assign(self, partitions: Iterable[int], fence: Fence, source: Log) -> None:
        """Begin to own `partitions`; returns at once, the lanes load on their own."""
        for partition in () if self._closed else partitions:
            known = self.lanes.get(partition)
            if known is not None and known.fence == fence and not self._tasks[partition].done():
                continue
            if known is not None:
                self._close(partition, timeout_s=0.0)
            reached = self._reached.get(partition, -1)
            lane = Lane(partition, fence, self._make_pipeline(partition), source, self._bounds, self._meters, reached)
            run = self._run(lane, self._ended.get(partition))
            self.lanes[partition] = lane
            self._tasks[partition] = self._ending.watch(asyncio.create_task(run, name=f"lane-{partition}"))
        self._meters.gauge("segue_partitions_owned").set(len(self.lanes))

    def accept(self, batch: Batch) -> None:
        """Hand a batch to its lane, or drop it when its partition is not ours."""
        last = batch.records[-1]
        if last.offset + 1 == batch.log_end:
            self._on_fresh(last.timestamp_ms)
        lane = self.lanes.get(batch.partition)
        if lane is None:
            self._meters.counter("segue_batches_dropped_total").inc()
            batch.release()
        else:
            lane.offer(batch)

    async def close(self, timeout_s: float) -> None:
        """Own nothing, now and ever after."""
        self._closed = True
        await self.revoke(timeout_s)

    def refuse(self, error: SegueError) -> None:
        """End the process: the log cannot be folded any further."""
        self._ending.fail(error)

    async def revoke(self, timeout_s: float) -> None:
        """Own nothing any more; waits at most `timeout_s` for commits and output under way."""
        closed = [self._close(partition, timeout_s) for partition in list(self.lanes)]
        # Batches that Faust throws away never give their place back: the next assignment counts anew.
        self.flight = Flight(self._in_flight_max)
        self._meters.gauge("segue_partitions_owned").set(0)
        if closed:
            await asyncio.wait(closed, timeout=timeout_s)

    def _close(self, partition: int, timeout_s: float) -> asyncio.Task[None]:
        lane, task = self.lanes.pop(partition), self._tasks.pop(partition)
        lane.close()
        self._reached[partition] = lane.next_offset
        ended = self._ending.watch(asyncio.create_task(_end(lane, task, timeout_s), name=f"lane-{partition}-end"))
        self._ended[partition] = ended
        return ended

    async def _run(self, lane: Lane, before: asyncio.Task[None] | None) -> None:
        # What the lane before has in the producer's hands must lie in the log before its end is read.
        if before is not None:
            await asyncio.wait([before])
        await lane.run()


async def _end(lane: Lane, task: asyncio.Task[None], timeout_s: float) -> None:
    _, running = await asyncio.wait([task], timeout=timeout_s)
    if running:
        task.cancel()
        await asyncio.wait([task])
    await lane.pipeline.close()
