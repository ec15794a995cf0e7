"""One partition's chain, driven by hand: what it takes, what it passes over, and when it gives up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from schemas.errors import InputError, SegueError, UnavailableError
from schemas.metrics import Meters
from streams.agents.ending import Ending
from streams.agents.lane import Batch, Lane, LaneBounds
from streams.agents.lanes import Lanes
from streams.ports import Cursor, CursorMismatchError, Fence, FenceLostError, LogBounds, RawRecord
from tests.support.waiting import wait_until_async
from tests.worker.harness import Notes, RecordingPipeline

OURS = Fence(7, "us")
BOUNDS = LaneBounds(batch_records_max=10, retry_first_ms=1, retry_most_ms=5, fence_patience_ms=60, idle_check_ms=20)


class HandLog:
    """A log that delivers nothing by itself and notes where it was placed."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.end = 100
        self.away = 0  # how many times placing fails
        self.confirms = True

    async def start_at(self, partition: int, offset: int) -> None:
        assert partition == 0
        if self.away:
            self.away -= 1
            raise UnavailableError("the group took the partition away")
        self.starts.append(offset)

    async def bounds(self, partition: int) -> LogBounds:
        assert partition == 0
        return LogBounds(0, self.end)

    async def committed(self, partition: int) -> int | None:
        assert partition == 0
        return None

    async def confirmed(self, partition: int) -> bool:
        assert partition == 0
        return self.confirms


class HandLane:
    """A lane with all that it stands on."""

    def __init__(self, pipeline: RecordingPipeline | None = None) -> None:
        self.notes = Notes()
        self.notes.loading.set()
        self.notes.applying.set()
        self.log = HandLog()
        self.meters = Meters("worker")
        self.pipeline = pipeline or RecordingPipeline(0, self.notes)
        self.pipeline.notes = self.notes
        self.lane = Lane(0, OURS, self.pipeline, self.log, BOUNDS, self.meters)
        self.released = 0

    def offer(self, offsets: Sequence[int], log_end: int | None = None, placement: int | None = None) -> None:
        """Fetched now, or at an earlier `placement`."""
        records = [RawRecord(offset, 0, b"k", b"v") for offset in offsets]
        fetched_at = self.lane.placement if placement is None else placement
        self.lane.offer(Batch(0, records, fetched_at, log_end, self._release))

    async def folded(self, upto: int) -> None:
        await wait_until_async(lambda: self.lane.next_offset == upto, 10, f"folded up to {upto}")

    async def placed(self, at: int) -> None:
        await wait_until_async(lambda: self.lane.serving and self.log.starts[-1:] == [at], 10, f"placed at {at}")

    def count(self, name: str) -> float:
        value: float = self.meters.counter(name)._value.get()
        return value

    def _release(self) -> None:
        self.released += 1


@asynccontextmanager
async def _running(hand: HandLane) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(hand.lane.run())
    await wait_until_async(lambda: hand.lane.serving or task.done(), 10, "serving")
    yield task
    hand.lane.close()
    await asyncio.wait([task], timeout=10)


def test_a_record_that_takes_long_leaves_the_room_for_batches_to_other_partitions() -> None:
    async def story() -> None:
        hand = HandLane()
        async with _running(hand):
            hand.notes.applying.clear()
            hand.offer(range(5))
            await wait_until_async(lambda: hand.released == 1, 10, "the first batch is in the pipeline's hands")
            hand.offer(range(5, 15))
            hand.pipeline.on_standstill()
            hand.offer(range(15, 20))
            assert hand.released == 3, "neither the queued batch nor the next one keeps its place"
            hand.notes.applying.set()
            await hand.placed(5)
            hand.offer(range(5, 15))
            await hand.folded(15)
            assert hand.log.starts == [0, 5]

    asyncio.run(story())


def test_what_was_seen_is_passed_over_and_what_is_new_is_taken() -> None:
    async def story() -> None:
        hand = HandLane()
        async with _running(hand):
            hand.offer(range(5))
            hand.offer(range(5))
            hand.offer(range(3, 8))
            await hand.folded(8)
            assert [record.offset for record in hand.notes.records[0]] == list(range(8))
            assert hand.log.starts == [0], "placed once"
            assert hand.released == 3

    asyncio.run(story())


def test_small_batches_that_wait_are_folded_together_up_to_the_bound() -> None:
    async def story() -> None:
        hand = HandLane()
        hand.notes.applying.clear()
        async with _running(hand):
            for offset in range(25):
                hand.offer([offset])
                await asyncio.sleep(0)
            hand.notes.applying.set()
            await hand.folded(25)
            sizes = [len(offsets) for _, offsets in hand.notes.batches]
            assert max(sizes) == 10
            assert len(sizes) <= 5

    asyncio.run(story())


def test_where_a_record_is_missing_the_consumer_is_placed_again() -> None:
    async def story() -> None:
        hand = HandLane()
        async with _running(hand):
            hand.offer(range(5))
            hand.offer(range(7, 9))
            await wait_until_async(lambda: hand.log.starts == [0, 5], 10, "placed at what is missing")
            hand.offer(range(5, 9))
            await hand.folded(9)
            assert hand.count("segue_batches_dropped_total") == 1

    asyncio.run(story())


def test_what_was_fetched_before_the_consumer_was_placed_is_no_sign_of_a_hole() -> None:
    async def story() -> None:
        hand = HandLane()
        async with _running(hand) as task:
            for start in range(20, 36):
                hand.offer([start], placement=0)
                for _ in range(10):
                    await asyncio.sleep(0)
            assert not task.done()
            assert hand.log.starts == [0]
            hand.offer(range(3), placement=0)  # though it was fetched before, it is what comes next
            await hand.folded(3)

    asyncio.run(story())


def test_a_log_with_a_hole_ends_the_worker_instead_of_turning_round_for_ever() -> None:
    async def story() -> None:
        hand = HandLane()
        async with _running(hand) as task:
            while not task.done():
                hand.offer([5])
                await asyncio.sleep(0)
            error = task.exception()
            assert isinstance(error, InputError)
            assert "record 0 is not in the log" in str(error)
            assert len(hand.log.starts) < 10

    asyncio.run(story())


def test_state_that_goes_while_nothing_comes_in_is_missed_and_folded_again() -> None:
    async def story() -> None:
        hand = HandLane()
        async with _running(hand):
            hand.offer(range(3))
            await hand.folded(3)
            hand.notes.lost_state = True
            hand.notes.offsets[0] = 0
            await wait_until_async(lambda: hand.log.starts == [0, 0], 10, "placed at the start again")
            assert hand.count("segue_resynchronisations_total") == 1

    asyncio.run(story())


def test_lag_and_being_caught_up_follow_what_the_broker_says() -> None:
    async def story() -> None:
        hand = HandLane()
        hand.log.end = 3
        async with _running(hand):
            assert (hand.lane.lag, hand.lane.caught_up) == (3, False)
            hand.offer(range(3), log_end=3)
            await hand.folded(3)
            assert (hand.lane.lag, hand.lane.caught_up) == (0, True)
            hand.lane.log_end = 10
            assert (hand.lane.lag, hand.lane.caught_up) == (7, False)

    asyncio.run(story())


class RefusedPipeline(RecordingPipeline):
    """Whose fence is refused some times."""

    def __init__(self, times: int) -> None:
        super().__init__(0, Notes())
        self.times = times

    async def load(self, fence: Fence) -> int:
        if self.times:
            self.times -= 1
            raise FenceLostError(0, fence, Fence(9, "them"))
        return await super().load(fence)


def test_a_refused_fence_is_asked_for_again_and_counted() -> None:
    async def story() -> None:
        hand = HandLane(RefusedPipeline(3))
        async with _running(hand):
            hand.offer(range(2))
            await hand.folded(2)
            assert hand.count("segue_fence_losses_total") == 3

    asyncio.run(story())


def test_a_fence_that_stays_refused_ends_the_worker_with_advice() -> None:
    async def story() -> None:
        hand = HandLane(RefusedPipeline(10**6))
        async with _running(hand) as task:
            error = task.exception()
            assert isinstance(error, InputError)
            assert "segue fence reset" in str(error)

    asyncio.run(story())


def test_a_refused_owner_whom_the_group_does_not_confirm_is_a_zombie_and_waits_for_its_news() -> None:
    async def story() -> None:
        hand = HandLane(RefusedPipeline(200))
        hand.log.confirms = False
        async with _running(hand):
            hand.offer(range(2))
            await hand.folded(2)
            assert hand.count("segue_fence_losses_total") == 200

    asyncio.run(story())


def test_a_partition_that_the_group_took_away_waits_for_the_news() -> None:
    async def story() -> None:
        hand = HandLane()
        hand.log.away = 2
        async with _running(hand):
            await wait_until_async(lambda: hand.log.starts == [0], 10, "placed at last")
            hand.offer(range(2))
            await hand.folded(2)

    asyncio.run(story())


def test_a_lane_finishes_the_commit_under_way_before_the_next_owner_in_the_process_loads() -> None:
    async def story() -> None:
        notes, log, ending = Notes(), HandLog(), Ending()
        notes.loading.set()
        lanes = Lanes(lambda partition: RecordingPipeline(partition, notes), BOUNDS, 4, ending, Meters("worker"))
        lanes.assign([0], OURS, log)
        await wait_until_async(lambda: bool(lanes.serving()), 10, "serving")
        lanes.accept(Batch(0, [RawRecord(0, 0, b"k", b"v")], 1, None, lanes.flight.enter()))
        await asyncio.sleep(0)
        revoked = asyncio.create_task(lanes.revoke(5.0))
        await asyncio.sleep(0)
        lanes.assign([0], Fence(8, "us"), log)
        await asyncio.sleep(0)
        assert len(notes.loads) == 1
        notes.applying.set()
        await revoked
        await wait_until_async(lambda: len(notes.loads) == 2, 10, "the second load")
        assert notes.offsets == {0: 1}, "the commit was finished first"
        await lanes.close(1.0)
        lanes.assign([0], Fence(9, "us"), log)
        assert lanes.lanes == {}, "closed for good"

    asyncio.run(story())


def test_the_first_reason_to_end_stands() -> None:
    async def story() -> SegueError | None:
        ending = Ending()
        ending.fail(UnavailableError("first"))
        ending.fail(InputError("second"))
        ending.stop()
        return await ending.reason()

    assert str(asyncio.run(story())) == "first"


def test_a_redis_that_was_set_back_is_counted_also_where_the_group_has_not_heard_of_what_it_lost() -> None:
    async def story() -> None:
        hand = HandLane()
        async with _running(hand):
            hand.offer(range(5))
            await hand.folded(5)
            assert hand.count("segue_replays_total") == 0
            hand.notes.offsets[0] = 2
            hand.notes.errors.append(CursorMismatchError(Cursor(5, 0), Cursor(2, 0)))
            hand.offer(range(5, 6))
            await wait_until_async(lambda: hand.log.starts == [0, 2], 10, "placed where Redis stands")
            assert hand.count("segue_replays_total") == 1

    asyncio.run(story())


class HaltingPipeline(RecordingPipeline):
    """One that commits a record and then finds its store away, each time."""

    async def apply(self, records: Sequence[RawRecord]) -> None:
        await super().apply(records[:1])
        raise UnavailableError("away after a commit")


def test_who_moves_on_in_spite_of_failures_is_not_made_to_wait_longer_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        notes = Notes()
        hand = HandLane(HaltingPipeline(0, notes))
        async with _running(hand):
            for offset in range(6):
                await hand.placed(offset)
                hand.offer(range(offset, 10))
        pauses = [record.getMessage().rpartition("; ")[2] for record in caplog.records if "away" in record.getMessage()]
        assert pauses[:5] == ["trying again in 1 ms"] * 5

    asyncio.run(story())
