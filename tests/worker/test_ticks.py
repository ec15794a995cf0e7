"""When a tick is appended, and when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from schemas.errors import BugError, UnavailableError
from schemas.metrics import Meters
from schemas.records import Tick, decode_record
from streams.pipeline.ticks import Drift, Ticker
from streams.ports import Message


@dataclass
class Wall:
    """A wall clock that stands where it is put."""

    ms: int

    def now_ms(self) -> int:
        return self.ms


@dataclass
class Partition:
    """A partition as the ticker sees it."""

    partition: int = 0
    earliest_due_ms: int | None = None
    next_offset: int = 10
    caught_up: bool = True


class RecordedLog:
    """An appender that takes notes; each record gets the next offset."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refusal: Exception | None = None
        self.failures: list[BaseException] = []

    async def append(self, message: Message) -> int:
        if self.refusal is not None:
            raise self.refusal
        self.messages.append(message)
        return 9 + len(self.messages)


async def _look(ticker: Ticker) -> None:
    ticker.look()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _ticker(wall: Wall, log: RecordedLog, *targets: Partition, drift: Drift | None = None) -> Ticker:
    return _ticker_of(targets, wall, log, drift)


def _ticker_of(targets: Sequence[Partition], wall: Wall, log: RecordedLog, drift: Drift | None = None) -> Ticker:
    return Ticker(
        "tracking",
        lambda: targets,
        log,
        wall,
        drift=drift,
        interval_ms=25,
        meters=Meters("worker"),
        on_failure=log.failures.append,
    )


def test_a_tick_is_appended_when_a_timer_is_due_and_not_before() -> None:
    async def story() -> None:
        wall, log, partition = Wall(999), RecordedLog(), Partition(partition=3, earliest_due_ms=1_000)
        ticker = _ticker(wall, log, partition)
        await _look(ticker)
        assert log.messages == []
        wall.ms = 1_000
        await _look(ticker)
        (message,) = log.messages
        assert (message.topic, message.partition, message.key, message.timestamp_ms) == ("tracking", 3, None, 1_000)
        assert isinstance(decode_record(message.value), Tick)

    asyncio.run(story())


def test_a_partition_that_is_not_read_to_its_end_or_has_no_timer_gets_no_tick() -> None:
    async def story() -> None:
        wall, log = Wall(5_000), RecordedLog()
        behind, idle = Partition(0, earliest_due_ms=1_000, caught_up=False), Partition(1)
        await _look(_ticker(wall, log, behind, idle))
        assert log.messages == []

    asyncio.run(story())


def test_one_tick_is_outstanding_and_the_next_waits_for_it_to_be_read_back_and_for_the_interval() -> None:
    async def story() -> None:
        wall, log, partition = Wall(1_000), RecordedLog(), Partition(earliest_due_ms=1_000)
        ticker = _ticker(wall, log, partition)
        await _look(ticker)
        wall.ms = 60_000
        await _look(ticker)
        assert len(log.messages) == 1, "not read back yet"
        partition.next_offset = 11
        wall.ms = 1_024
        await _look(ticker)
        assert len(log.messages) == 1, "too soon"
        wall.ms = 1_025
        await _look(ticker)
        assert len(log.messages) == 2

    asyncio.run(story())


def test_a_partition_that_was_lost_and_won_again_does_not_wait_for_the_tick_of_before() -> None:
    async def story() -> None:
        wall, log = Wall(1_000), RecordedLog()
        targets = [Partition(earliest_due_ms=1_000)]
        ticker = _ticker_of(targets, wall, log)
        await _look(ticker)
        targets[0] = Partition(earliest_due_ms=1_000)
        await _look(ticker)
        assert len(log.messages) == 2

    asyncio.run(story())


@pytest.mark.parametrize("refusal", [UnavailableError("away"), BugError("a bug")])
def test_a_tick_that_could_not_be_appended_is_told_since_its_partition_would_get_no_more(refusal: Exception) -> None:
    async def story() -> None:
        log = RecordedLog()
        log.refusal = refusal
        ticker = _ticker(Wall(1_000), log, Partition(earliest_due_ms=1_000))
        await _look(ticker)
        assert log.messages == []
        assert log.failures == [refusal]

    asyncio.run(story())


def test_where_the_broker_stamps_records_its_clock_counts_and_the_tick_carries_none() -> None:
    async def story() -> None:
        wall, log, drift = Wall(1_000), RecordedLog(), Drift(60_000)
        drift.observe(timestamp_ms=1_000, now_ms=1_000)
        partition = Partition(earliest_due_ms=11_000)
        ticker = _ticker(wall, log, partition, drift=drift)
        await _look(ticker)
        assert log.messages == []
        drift.observe(timestamp_ms=10_980, now_ms=1_000)  # the broker is 9,980 ms ahead, or a little more
        await _look(ticker)
        assert log.messages == []
        wall.ms = 1_020
        await _look(ticker)
        assert [message.timestamp_ms for message in log.messages] == [0]

    asyncio.run(story())


def test_a_worker_that_has_seen_no_record_asks_by_one_tick_what_time_the_broker_has() -> None:
    async def story() -> None:
        wall, log, drift = Wall(1_000_000), RecordedLog(), Drift(60_000)
        partitions = [Partition(number, earliest_due_ms=4_600_000) for number in range(3)]
        ticker = _ticker(wall, log, *partitions, drift=drift)
        await _look(ticker)
        assert [message.partition for message in log.messages] == [0], "one of them asks for all"
        wall.ms += 500
        await _look(ticker)
        assert len(log.messages) == 1, "the answer is on its way"
        partitions[0].next_offset = 11
        drift.observe(timestamp_ms=4_600_000, now_ms=wall.ms)  # the tick was read back: we are an hour behind
        await _look(ticker)
        assert [message.partition for message in log.messages] == [0, 0, 1, 2], "all are due by the broker's clock"

    asyncio.run(story())


def test_a_worker_asks_again_after_a_long_silence_and_not_where_nothing_waits_for_a_time() -> None:
    async def story() -> None:
        wall, log, drift = Wall(1_000_000), RecordedLog(), Drift(60_000)
        drift.observe(1_000_000, 1_000_000)
        partition = Partition(earliest_due_ms=9_000_000)
        ticker = _ticker(wall, log, partition, drift=drift)
        wall.ms += 60_000
        await _look(ticker)
        assert log.messages == []
        wall.ms += 1
        partition.earliest_due_ms = None
        await _look(ticker)
        assert log.messages == []
        partition.earliest_due_ms = 9_000_000
        await _look(ticker)
        assert len(log.messages) == 1

    asyncio.run(story())


def test_a_wall_clock_that_is_set_back_holds_no_tick_up() -> None:
    async def story() -> None:
        wall, log = Wall(5_000_000), RecordedLog()
        partition = Partition(earliest_due_ms=1_000)
        ticker = _ticker(wall, log, partition)
        await _look(ticker)
        partition.next_offset = 11
        wall.ms -= 3_600_000
        await _look(ticker)
        assert len(log.messages) == 2

    asyncio.run(story())


def test_the_largest_difference_lately_seen_counts() -> None:
    drift = Drift(1_000)
    assert drift.ahead_ms == 0
    drift.observe(-40, 0)
    drift.observe(-5, 10)
    drift.observe(-30, 20)
    assert drift.ahead_ms == -15
    drift.observe(560, 600)
    assert drift.ahead_ms == -15, "within the window"
    drift.observe(1_150, 1_200)
    assert drift.ahead_ms == -40, "the window has passed"


def test_what_was_known_counts_on_while_nothing_is_seen() -> None:
    drift = Drift(1_000)
    drift.observe(10_000, 0)
    drift.observe(110_500, 100_000)
    assert drift.ahead_ms == 10_500
