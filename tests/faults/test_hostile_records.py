"""Hostile records through real workers that are killed amid them: dead letters once, and nothing else disturbed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.topics import DEAD_LETTER_DETAIL, DEAD_LETTER_OFFSET, DEAD_LETTER_REASON
from streams.adapters.kafka.tail import message_of
from streams.ports import Message, RawRecord
from tests.audit import PartitionLog, audit_partition, dead_letters_expected
from tests.conftest import Kafka
from tests.engine.world import redis_contents
from tests.faults.hostile import Mixture
from tests.faults.tracks import Tracking
from tests.live import history
from tests.live.workers import Place
from tests.load.topics import read_log
from tests.support.processes import Commands
from tests.support.waiting import wait_until

RECORDS = 3_000
PARTITIONS = 2
KILLS = 3
BEARING = {"SEGUE_DEAD_LETTER_RATIO_MAX": "1", "SEGUE_BATCH_RECORDS_MAX": "20", "SEGUE_TIMERS_PER_COMMIT_MAX": "7"}


@pytest.fixture
def place(commands: Commands, kafka: Kafka, redis_url: str, namespace: str, tmp_path: Path) -> Place:
    """A namespace of two partitions, without topics yet."""
    return Place(commands, kafka.bootstrap_servers, redis_url, namespace, tmp_path, PARTITIONS)


def _read(place: Place, topic: str) -> dict[int, list[Message]]:
    found: dict[int, list[Any]] = dict(read_log(place.servers, topic, PARTITIONS))
    return {partition: [message_of(raw) for raw in messages] for partition, messages in found.items()}


def _wait_until_folded_past(place: Place, records: int) -> None:
    wait_until(lambda: place.folded() > records, 60, "some of the log folded")


def _raw(message: Message) -> RawRecord:
    return RawRecord(message.offset, message.timestamp_ms, message.key, message.value)


def test_hostile_records_become_dead_letters_once_and_disturb_nothing_across_deaths_of_the_worker(
    place: Place, redis_url: str
) -> None:
    place.prepare("create")
    tracking, mixture = Tracking(place), Mixture(88, PARTITIONS, contacts=60)
    for number in range(RECORDS):
        at_ms = history.START_MS + number * 60_000
        sent = mixture.draw(at_ms)
        tracking.append(sent.partition, sent.key, sent.value, at_ms)
    tracking.flush()

    total = sum(place.log_ends().values())
    for kill in range(1, KILLS + 1):
        worker = place.worker(**BEARING)
        _wait_until_folded_past(place, total * kill // 8)
        worker.kill()
    assert place.folded() < total, "killed amid the work"
    worker = place.worker(**BEARING)
    place.wait_until_folded(120)
    assert worker.terminate() == 0

    logs, output = _read(place, place.names.tracking), _read(place, place.names.transitions)
    letters = _read(place, place.names.dead_letter)
    contents = redis_contents(redis_url, place.names)
    for partition in range(PARTITIONS):
        log = PartitionLog(partition, PARTITIONS, [_raw(message) for message in logs[partition]])
        assert audit_partition(log, output[partition], contents[str(partition)]) == []
        headers = [dict(letter.headers) for letter in letters[partition]]
        assert [int(each[DEAD_LETTER_OFFSET]) for each in headers] == dead_letters_expected(log), "each once, in order"
        assert len(headers) > RECORDS // 10
        for letter, each in zip(letters[partition], headers, strict=True):
            origin = log.records[int(each[DEAD_LETTER_OFFSET])]
            assert (letter.key, letter.value) == (origin.key, origin.value), "bytes unchanged"
            assert each[DEAD_LETTER_REASON]
            assert each[DEAD_LETTER_DETAIL]
