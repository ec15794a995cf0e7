"""A collector with a spool: what it answers while Kafka is away, and the order in which Kafka gets it afterwards."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.metrics import Meters
from schemas.topics import Names
from streams.collector.app import Spool
from streams.collector.guarding.kept_keys import KeptKeys
from streams.collector.readiness import Readiness
from streams.collector.spooling import CHUNK_RECORDS, SpoolingIntake
from streams.links import Link
from streams.ports import Entry, RecordRefusedError
from streams.spool.segments import SegmentFiles
from streams.spool.spool import DiskSpool, SpoolFullError
from tests.collector.doubles import NOW_MS, SIGNER, Door, MemoryIntake, MemoryTopics, StillClock, open_door
from tests.spool.disks import FailingDisk
from tests.support.waiting import wait_until, wait_until_async

MIB = 1024**2
AFTER_MS = 20


class _Parts:
    """A spooling intake whose two ways into Kafka end in one log."""

    def __init__(self, directory: Path, bytes_max: int = MIB) -> None:
        self.topics = MemoryTopics()
        self.meters = Meters("collector")
        self.readiness = Readiness(self.topics, Names(""), 1_000)
        self.disk = FailingDisk()
        self.spool = DiskSpool(SegmentFiles(directory, 4_096, self.disk), bytes_max, lambda _: None)
        self.direct, self.replay = MemoryIntake(), MemoryIntake()
        self.direct.entries = self.replay.entries
        self.intake = SpoolingIntake(
            self.direct, self.replay, self.spool, self.readiness, StillClock(), self.meters,
            after_ms=AFTER_MS, retry_ms=5,
        )  # fmt: skip
        self.running = asyncio.create_task(self.intake.run())

    @property
    def log(self) -> list[int]:
        return [int(entry.value) for entry in self.replay.entries]

    def kafka(self, *, away: bool) -> None:
        self.direct.away = self.replay.away = away

    async def append(self, *numbers: int, sent_again: bool = False) -> None:
        await self.intake.append([Entry("c1", b"%d" % number) for number in numbers], sent_again=sent_again)

    def metric(self, name: str) -> float:
        value = self.meters.registry.get_sample_value(name)
        assert value is not None
        return value


def _run(directory: Path, story: Callable[[_Parts], Coroutine[None, None, None]], bytes_max: int = MIB) -> None:
    async def with_parts() -> None:
        parts = _Parts(directory, bytes_max)
        await parts.readiness.look()
        await story(parts)
        await parts.intake.stop(parts.running)

    asyncio.run(asyncio.wait_for(with_parts(), 60))


def test_while_kafka_takes_records_none_touches_the_disk(tmp_path: Path) -> None:
    async def story(parts: _Parts) -> None:
        await parts.append(1)
        assert (parts.log, parts.disk.syncs) == ([1], 0)

    _run(tmp_path, story)


@pytest.mark.parametrize("trouble", ["away", "full", "slow"])
def test_what_kafka_does_not_take_in_time_goes_to_the_spool_and_then_to_kafka(tmp_path: Path, trouble: str) -> None:
    async def story(parts: _Parts) -> None:
        parts.replay.away = True
        if trouble == "slow":
            parts.direct.gate = asyncio.Event()
        else:
            setattr(parts.direct, trouble, True)
        await parts.append(1)
        await parts.append(2)
        assert parts.spool.records == 2
        assert parts.metric("segue_collector_spooled_total") == 2
        assert parts.metric("segue_collector_spool_oldest_timestamp_seconds") == NOW_MS / 1000
        parts.kafka(away=False)
        parts.direct.full = False
        await wait_until_async(lambda: parts.spool.empty, 10)
        assert parts.log == [1, 2]
        assert parts.metric("segue_collector_spool_replayed_total") == 2
        assert parts.metric("segue_collector_spool_bytes") == 0

    _run(tmp_path, story)


def test_nothing_overtakes_what_is_in_the_spool_though_kafka_is_back(tmp_path: Path) -> None:
    async def story(parts: _Parts) -> None:
        parts.kafka(away=True)
        await parts.append(1)
        parts.direct.away = False
        await parts.append(2)
        assert parts.log == [], "the second waits behind the first"
        parts.replay.away = False
        await wait_until_async(lambda: parts.spool.empty, 10)
        await parts.append(3)
        assert parts.log == [1, 2, 3]

    _run(tmp_path, story)


def test_a_steady_stream_does_not_keep_the_spool_from_becoming_empty(tmp_path: Path) -> None:
    async def story(parts: _Parts) -> None:
        parts.kafka(away=True)
        await parts.append(*range(CHUNK_RECORDS * 2))
        sent = CHUNK_RECORDS * 2
        parts.kafka(away=False)
        while not parts.spool.empty:
            await parts.append(sent)
            sent += 1
            assert sent < 20_000
        await parts.append(sent)
        assert parts.log == list(range(sent + 1))

    _run(tmp_path, story)


def test_while_the_last_of_the_spool_is_on_its_way_others_wait_for_it_and_no_longer_than_for_an_ack(
    tmp_path: Path,
) -> None:
    async def story(parts: _Parts) -> None:
        parts.kafka(away=True)
        await parts.append(1)
        parts.replay.gate = asyncio.Event()
        parts.kafka(away=False)
        await wait_until_async(lambda: parts.replay.waiting == 1, 10)
        await parts.append(2)
        assert parts.spool.records == 2, "given up, it went to the spool"
        parts.replay.gate.set()
        await wait_until_async(lambda: parts.spool.empty, 10)
        assert parts.log == [1, 2]

    _run(tmp_path, story)


def test_before_the_log_is_known_to_have_begun_records_only_go_to_the_spool(tmp_path: Path) -> None:
    async def story(parts: _Parts) -> None:
        parts.topics.counts = {}
        await parts.readiness.look()
        assert not parts.readiness.open
        await parts.append(1)
        await parts.append(2)
        assert (parts.log, parts.spool.records) == ([], 2)
        parts.topics.counts = MemoryTopics().counts
        await parts.readiness.look()
        await wait_until_async(lambda: parts.spool.empty, 10)
        assert parts.log == [1, 2]

    _run(tmp_path, story)


def test_batches_may_fill_half_of_the_spool_and_leave_the_rest_to_single_events(tmp_path: Path) -> None:
    async def story(parts: _Parts) -> None:
        parts.kafka(away=True)
        with pytest.raises(SpoolFullError):  # noqa: PT012 - the one that does not fit any more
            for number in range(10_000):
                await parts.append(number, sent_again=True)
        assert 4_000 < parts.spool.bytes <= 5_000
        await parts.append(10_000)
        with pytest.raises(SpoolFullError):  # noqa: PT012 - the one that does not fit any more
            for number in range(10_001, 20_000):
                await parts.append(number)
        assert 9_000 < parts.spool.bytes <= 10_000

    _run(tmp_path, story, bytes_max=10_000)


def test_what_kafka_refuses_for_good_is_not_spooled_and_one_in_the_spool_is_set_aside(tmp_path: Path) -> None:
    async def story(parts: _Parts) -> None:
        parts.direct.refused = parts.replay.refused = {b"2"}
        with pytest.raises(RecordRefusedError):
            await parts.append(2)
        assert parts.spool.empty
        parts.kafka(away=True)
        await parts.append(1, 2, 3)
        parts.kafka(away=False)
        await wait_until_async(lambda: parts.spool.empty, 10)
        assert parts.log == [1, 3]
        assert parts.metric("segue_collector_spool_refused_total") == 1

    _run(tmp_path, story)


def test_a_spool_that_a_process_left_is_sent_by_the_next_one_first(tmp_path: Path) -> None:
    async def left(parts: _Parts) -> None:
        parts.kafka(away=True)
        await parts.append(1, 2)

    async def story(parts: _Parts) -> None:
        await parts.append(3)
        await wait_until_async(lambda: parts.spool.empty, 10)
        assert parts.log == [1, 2, 3]

    _run(tmp_path, left)
    _run(tmp_path, story)


def test_a_stop_does_not_wait_for_a_kafka_that_is_away(tmp_path: Path) -> None:
    async def story(parts: _Parts) -> None:
        parts.kafka(away=True)
        parts.replay.gate = asyncio.Event()
        await parts.append(1)

    _run(tmp_path, story)
    files = SegmentFiles(tmp_path, 4_096)
    assert [segment.synced > 0 for segment in files.found] == [True]
    files.close()


class _Spooled:
    """The door of a collector with a spool, and what lies behind it."""

    def __init__(self, door: Door, replay: MemoryIntake, disk: FailingDisk) -> None:
        self.door = door
        self.replay = replay
        self.disk = disk

    def leave(self) -> None:
        """Kafka goes away."""
        self.door.intake.away = self.replay.away = self.door.topics.away = True
        wait_until(lambda: self.door.client.get("/readyz").json()["status"] == "spooling", 10, "Kafka missed")

    def come_back(self) -> None:
        self.door.intake.away = self.replay.away = self.door.topics.away = False


@contextmanager
def _spooled(directory: Path, topics: MemoryTopics | None = None) -> Iterator[_Spooled]:
    replay, disk = MemoryIntake(), FailingDisk()
    spool = DiskSpool(SegmentFiles(directory, 64 * 1024, disk), 256 * 1024, lambda _: None)
    parts = Spool(spool, replay, KeptKeys(directory, "keys", time.monotonic))
    with open_door(topics is None, topics, spool=parts, collector_spool_after_ms=AFTER_MS) as door:
        yield _Spooled(door, replay, disk)


def test_events_opens_and_clicks_are_taken_while_kafka_is_away_and_keep_the_time_of_their_arrival(
    tmp_path: Path,
) -> None:
    with _spooled(tmp_path) as spooled:
        spooled.leave()
        assert spooled.door.track(messageId="m1").status_code == 200
        batch = {"batch": [{"type": "track", "userId": "c2", "event": "Product Added", "messageId": "m2"}]}
        assert spooled.door.post("/v1/batch", batch).status_code == 200
        token = SIGNER.make("open", Link("c3", "welcome"))
        assert spooled.door.client.get(f"/o/{token}.gif").status_code == 200
        wait_until(lambda: spooled.door.metric("segue_collector_spool_records") == 3, 10, "all three on disk")
        assert spooled.door.metric("segue_collector_lost_total", route="open") == 0
        spooled.door.clock.now += 3_600_000
        spooled.come_back()
        wait_until(lambda: len(spooled.replay.entries) == 3, 10, "all three in Kafka")
        records = spooled.replay.records
        assert [record["contact_id"] for record in records] == ["c1", "c2", "c3"]
        assert {record["received_at"] for record in records} == {"2026-11-21T10:00:00.000Z"}


def test_a_collector_that_starts_while_kafka_is_away_is_ready_to_spool(tmp_path: Path) -> None:
    topics = MemoryTopics()
    topics.away = True
    with _spooled(tmp_path, topics) as spooled:
        wait_until(lambda: spooled.door.client.get("/readyz").status_code == 200, 10, "ready to spool")
        answer = spooled.door.client.get("/readyz").json()
        assert answer == {"status": "spooling", "reason": "Kafka does not answer"}
        assert spooled.door.track().status_code == 200
        assert spooled.replay.entries == []
        topics.away = False
        wait_until(lambda: len(spooled.replay.entries) == 1, 10, "written once the log was looked at")


def test_a_log_that_has_not_begun_is_no_reason_to_spool(tmp_path: Path) -> None:
    topics = MemoryTopics()
    topics.counts = {}
    with _spooled(tmp_path, topics) as spooled:
        wait_until(lambda: "topics create" in spooled.door.client.get("/readyz").text, 10, "the reason")
        answer = spooled.door.track()
        assert answer.status_code == 503
        assert spooled.door.metric("segue_collector_rejected_total", reason="not_ready") == 1


def test_a_full_spool_and_a_failing_disk_are_answered_503_and_make_the_collector_unready(tmp_path: Path) -> None:
    with _spooled(tmp_path) as spooled:
        spooled.leave()
        spooled.disk.sync_error = 5
        answer = spooled.door.track()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "the spool does not take records" in answer.json()["error"]
        assert spooled.door.client.get("/readyz").status_code == 503
        spooled.disk.sync_error = 0
        padding = "x" * 20_000
        statuses = [spooled.door.track(properties={"padding": padding}).status_code for _ in range(20)]
        assert statuses == sorted(statuses)
        assert set(statuses) == {200, 503}
        assert "the spool is full" in spooled.door.track(properties={"padding": padding}).json()["error"]
        assert spooled.door.client.get("/readyz").status_code == 503
        assert spooled.door.metric("segue_collector_rejected_total", reason="spool_full") >= 2
        taken = statuses.count(200)
        spooled.come_back()
        wait_until(lambda: len(spooled.replay.entries) == taken, 10, "what was taken, and no more")
        assert all("padding" in json.loads(entry.value)["properties"] for entry in spooled.replay.entries)
