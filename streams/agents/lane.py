"""One partition's chain of work: load its state, place the consumer there, then fold batch after batch.

A lane never believes where the consumer is: it takes exactly the record that follows the last one, passes over
what it has seen, and has the consumer placed again where something is missing. Whatever is down is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from schemas.errors import InputError, UnavailableError
from schemas.metrics import Meters
from streams.ports import Cursor, CursorMismatchError, Fence, FenceLostError, LogBounds, RawRecord

log = logging.getLogger("segue.worker")


class Pipeline(Protocol):
    """What a lane drives: one partition's state."""

    on_standstill: Callable[[], None]
    """Called where a record begins to take long."""

    @property
    def earliest_due_ms(self) -> int | None:
        """When the partition's next timer is due."""

    @property
    def clock_ms(self) -> int:
        """The partition's clock."""

    @property
    def cursor(self) -> Cursor:
        """How far its commits have come; a crowd of timers moves it many times amid one record."""

    @property
    def progress(self) -> Hashable:
        """Differs from what it was when something was done, be it that no commit tells of it yet."""

    async def load(self, fence: Fence) -> int:
        """Take the fence, resume the output, and return the offset of the next record."""

    async def apply(self, records: Sequence[RawRecord]) -> None:
        """Fold contiguous records, the first of which is the next one, and commit them."""

    async def verify(self) -> None:
        """Raise `CursorMismatchError` when the state is not where it was left."""

    async def close(self) -> None:
        """Wait for the output under way."""


class Log(Protocol):
    """What a lane needs of the log besides its records."""

    async def start_at(self, partition: int, offset: int) -> None:
        """Deliver from `offset` on. Raises `UnavailableError` while the partition is not ours."""

    async def bounds(self, partition: int) -> LogBounds:
        """Where the partition's log begins and ends. Raises `UnavailableError`."""

    async def committed(self, partition: int) -> int | None:
        """The group's offset, a hint; None where there is none or it cannot be had now."""

    async def confirmed(self, partition: int) -> bool:
        """Whether the group says now that the partition is ours. False also where it says nothing."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition, as they leave Kafka."""

    partition: int
    records: list[RawRecord]
    placement: int  # the lane's, as the fetch began
    log_end: int | None  # offset of the next append, as the broker said with these records
    release: Callable[[], None]  # gives back the batch's place among those in flight


@dataclass(frozen=True, slots=True)
class LaneBounds:
    """Bounds of a lane, from the settings."""

    batch_records_max: int
    retry_first_ms: int
    retry_most_ms: int
    fence_patience_ms: int  # how long a refused fence may be the group's news that has not reached us yet
    idle_check_ms: int  # how long nothing may come in before the state is looked at


class Lane:
    """The owner of one partition from one assignment to the next."""

    def __init__(
        self,
        partition: int,
        fence: Fence,
        pipeline: Pipeline,
        source: Log,
        bounds: LaneBounds,
        meters: Meters,
        reached: int = -1,
    ) -> None:
        """`reached` is the offset up to which this process has folded the partition before."""
        self.partition = partition
        self.fence = fence
        self.serving = False
        self.next_offset = reached  # of the next record to fold; -1 until the first load in this process
        self.log_end = -1  # as far as the broker told
        self.placement = 0  # how often the consumer was placed; what was fetched before the last time may not follow
        self.pipeline = pipeline
        pipeline.on_standstill = self.stand_still
        self._source = source
        self._bounds = bounds
        self._meters = meters
        self._queue: deque[Batch] = deque()
        self._expected = 0  # offset of the next record to queue
        self._misplaced = False
        self._missing: tuple[int, int] = (-1, 0)  # an offset, and how often it was asked for in vain
        self._standing = False  # while a record takes long, the others of the worker need the room for batches
        self._closing = asyncio.Event()
        self._wake = asyncio.Event()
        self._failures = 0
        self._stood_at: Hashable = None  # the pipeline's progress at the last failure
        self._refused_since: float | None = None

    @property
    def caught_up(self) -> bool:
        """Whether all that the broker told of is folded."""
        return self.serving and self.next_offset >= self.log_end >= 0

    @property
    def earliest_due_ms(self) -> int | None:
        """When the partition's next timer is due."""
        return self.pipeline.earliest_due_ms

    @property
    def lag(self) -> int:
        """Records in the log that are not folded yet, as far as known."""
        return max(0, self.log_end - max(0, self.next_offset))

    def offer(self, batch: Batch) -> None:
        """Queue what is new in the batch, or drop it."""
        if batch.log_end is not None:
            self.log_end = max(self.log_end, batch.log_end)
        first, last = batch.records[0].offset, batch.records[-1].offset
        if not self.serving or self._closing.is_set() or self._standing or first > self._expected:
            self._misplaced |= self.serving and batch.placement == self.placement
            self._drop(batch)
        elif last < self._expected:
            batch.release()  # fetched before the consumer was placed: seen already
        else:
            del batch.records[: self._expected - first]
            self._queue.append(batch)
            self._expected = last + 1
        self._wake.set()

    async def run(self) -> None:
        """Serve until `close`. Ends early only with an error that trying again would not mend."""
        while not self._closing.is_set():
            try:
                await self._serve()
            except FenceLostError as error:
                self._meters.counter("segue_fence_losses_total").inc()
                await self._interrupted(str(error))
                await self._bear_refusal(error)
            except CursorMismatchError as error:
                self._meters.counter("segue_resynchronisations_total").inc()
                await self._interrupted(f"partition {self.partition}: {error}")
            except UnavailableError as error:
                await self._interrupted(f"partition {self.partition}: {error}")

    def stand_still(self) -> None:
        """The pipeline makes a change, which may take long: take nothing meanwhile, and have it delivered again."""
        self._standing = True
        if self._queue:
            self._expected = self._queue[0].records[0].offset
            self._misplaced = True
        while self._queue:
            self._drop(self._queue.popleft())

    def close(self) -> None:
        """Finish the commit under way, take no other."""
        self._closing.set()
        self._wake.set()

    async def _serve(self) -> None:
        offset = await self.pipeline.load(self.fence)
        await self._check_history(offset)
        self._refused_since = None
        self.next_offset = self._expected = offset
        self.serving = True
        try:
            await self._place()
            log.info("partition %d: serving from offset %d, generation %d", self.partition, offset, self.fence[0])
            while (records := await self._next()) is not None:
                await self.pipeline.apply(records)
                self.next_offset = records[-1].offset + 1
                self._standing = False
        finally:
            self.serving = self._standing = False
            while self._queue:
                self._drop(self._queue.popleft())

    async def _next(self) -> list[RawRecord] | None:
        """The records to fold next, gathered from all that waits; None when the lane closes."""
        while not self._closing.is_set():
            if self._queue:
                return self._gather()
            if self._misplaced:
                await self._place_again()
                continue
            self._wake.clear()
            await self._wake_or_verify()
        return None

    async def _wake_or_verify(self) -> None:
        """No commit would notice a Redis that lost what an idle partition left there: ask it now and then."""
        try:
            async with asyncio.timeout(self._bounds.idle_check_ms / 1000):
                await self._wake.wait()
        except TimeoutError:
            await self.pipeline.verify()

    def _gather(self) -> list[RawRecord]:
        first = self._queue.popleft()
        records = first.records
        first.release()
        while self._queue and len(records) + len(self._queue[0].records) <= self._bounds.batch_records_max:
            more = self._queue.popleft()
            records += more.records
            more.release()
        return records

    async def _place(self) -> None:
        """Have the consumer deliver from the record that is expected next."""
        self._misplaced = False
        await self._source.start_at(self.partition, self._expected)
        self.placement += 1

    async def _place_again(self) -> None:
        offset, times = self._missing
        self._missing = (self._expected, times + 1 if offset == self._expected else 1)
        if self._missing[1] > 3:
            raise InputError(
                f"partition {self.partition}: record {self._expected} is not in the log, though later ones are; "
                "expected a log without gaps: produce to it without transactions and without compaction"
            )
        await self._place()

    async def _check_history(self, offset: int) -> None:
        start, end = await self._source.bounds(self.partition)
        self.log_end = end
        if offset < start:
            raise InputError(
                f"partition {self.partition}: the state goes on at record {offset}, but the log begins at {start}: "
                "the records between are gone, expected a topic with unlimited retention"
            )
        if offset > end:
            raise InputError(
                f"partition {self.partition}: the state goes on at record {offset}, but the log ends at {end}: "
                "expected the log that the state was folded from; for another log use another SEGUE_NAMESPACE"
            )
        # The group's offset is seconds old; what this process has seen committed is not, but ends with it.
        committed = max(self.next_offset, await self._source.committed(self.partition) or 0)
        if offset < committed:
            self._meters.counter("segue_replays_total").inc()
            log.warning("partition %d: Redis was set back from record %d to %d", self.partition, committed, offset)

    async def _interrupted(self, why: str) -> None:
        if self.pipeline.progress != self._stood_at:
            self._failures, self._stood_at = 0, self.pipeline.progress
        pause_ms = min(self._bounds.retry_most_ms, self._bounds.retry_first_ms * 2 ** min(self._failures, 16))
        self._failures += 1
        log.warning("%s; trying again in %d ms", why, pause_ms)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), pause_ms / 1000)

    async def _bear_refusal(self, error: FenceLostError) -> None:
        """A zombie learns from the group that it is one, sooner or later; a member in good standing never would."""
        now = asyncio.get_running_loop().time()
        if self._refused_since is None:
            self._refused_since = now
        patient = (now - self._refused_since) * 1000 <= self._bounds.fence_patience_ms or self._closing.is_set()
        if not patient and await self._source.confirmed(self.partition):
            raise InputError(str(error)) from error

    def _drop(self, batch: Batch) -> None:
        self._meters.counter("segue_batches_dropped_total").inc()
        batch.release()
