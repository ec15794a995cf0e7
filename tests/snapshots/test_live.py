"""Snapshots and restores by their commands, on a real Kafka and Redis, while workers work."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import EXIT_BAD_INPUT
from streams.adapters.redis.snapshots import noted_snapshots
from streams.ports import Message, RawRecord
from tests.audit import PartitionLog, audit_partition
from tests.conftest import Kafka
from tests.engine.world import redis_contents
from tests.live import history
from tests.live.workers import Place, metric
from tests.support.processes import Commands
from tests.support.redis_servers import LocalRedis
from tests.support.waiting import wait_until

SMALL_STEPS = {"SEGUE_BATCH_RECORDS_MAX": "10", "SEGUE_TIMERS_PER_COMMIT_MAX": "3"}
RECORDS = 1_800


@pytest.fixture
def place(commands: Commands, kafka: Kafka, own_redis: LocalRedis, namespace: str, tmp_path: Path) -> Place:
    """A place on a Redis of the test's own."""
    commands.environment["SEGUE_REDIS_URL"] = own_redis.url
    made = Place(commands, kafka.bootstrap_servers, own_redis.url, namespace, tmp_path)
    made.prepare("create")
    return made


def halves(place: Place) -> list[Path]:
    """A history, in two files."""
    paths = [place.directory / "first.jsonl", place.directory / "second.jsonl"]
    whole = place.directory / "events.jsonl"
    history.write(whole, records=RECORDS, contacts=200, seed=11)
    lines = whole.read_text().splitlines(keepends=True)
    paths[0].write_text("".join(lines[: len(lines) // 2]))
    paths[1].write_text("".join(lines[len(lines) // 2 :]))
    return paths


def load(place: Place) -> None:
    """Put all of the history into the log."""
    halves(place)
    place.load_history(place.directory / "events.jsonl")


def problems(place: Place, redis: LocalRedis) -> list[str]:
    """What the auditor finds wrong."""
    logs: dict[int, list[RawRecord]] = {partition: [] for partition in range(place.partitions)}
    output: dict[int, list[Message]] = {partition: [] for partition in range(place.partitions)}
    for raw in place._read(place.names.tracking):
        logs[raw.partition()].append(RawRecord(raw.offset(), raw.timestamp()[1], raw.key(), raw.value()))
    for raw in place._read(place.names.transitions):
        headers, when = tuple(raw.headers()), raw.timestamp()[1]
        message = Message(raw.topic(), raw.partition(), raw.key(), raw.value(), headers, when, raw.offset())
        output[raw.partition()].append(message)
    contents = redis_contents(redis.url, place.names)
    found = []
    for partition in range(place.partitions):
        log = PartitionLog(partition, place.partitions, logs[partition])
        found += audit_partition(log, output[partition], contents[str(partition)])
    return found


def taken(place: Place, *options: str) -> dict[str, Any]:
    """Take a snapshot."""
    shown = place.command("snapshot", str(place.directory / "backup"), "--json", *options).stdout
    found: dict[str, Any] = json.loads(shown)
    return found


def brought_back(place: Place, *options: str) -> list[Any]:
    """Restore the newest snapshot; what came of each partition."""
    shown = place.command("restore", str(place.directory / "backup"), "--json", *options).stdout
    rows: list[Any] = json.loads(shown)["partitions"]
    return rows


def test_a_snapshot_taken_under_work_brings_an_emptied_redis_back_to_the_same_end(
    place: Place, own_redis: LocalRedis
) -> None:
    first, second = halves(place)
    place.command("load", str(first), "--timestamps", "received")
    half = sum(place.log_ends().values())
    worker = place.worker(**SMALL_STEPS)
    wait_until(lambda: place.folded() > half // 3, 60, "some of the log folded")
    manifest = taken(place)
    offsets = {int(number): entry["offset"] for number, entry in manifest["partitions"].items()}
    assert 0 < sum(offsets.values()) <= half
    place.load_history(second)
    place.wait_until_folded()
    assert worker.terminate() == 0

    own_redis.client().flushall()
    rows = brought_back(place)
    assert {row["partition"]: row["offset"] for row in rows} == offsets
    assert place.offsets() == offsets
    worker = place.worker(**SMALL_STEPS)
    place.wait_until_folded()
    assert problems(place, own_redis) == []
    assert worker.terminate() == 0


def test_a_restore_under_workers_that_run_changes_nothing_that_comes_out(place: Place, own_redis: LocalRedis) -> None:
    first, second = halves(place)
    place.command("load", str(first), "--timestamps", "received")
    half = sum(place.log_ends().values())
    worker = place.worker(**SMALL_STEPS)
    wait_until(lambda: place.folded() > half // 3, 60, "some of the log folded")
    offsets = {int(number): entry["offset"] for number, entry in taken(place)["partitions"].items()}
    place.load_history(second)
    wait_until(lambda: place.folded() > half, 60, "more of it folded than the snapshot holds")
    refused = place.commands.run("restore", str(place.directory / "backup"))
    assert refused.returncode == EXIT_BAD_INPUT
    assert "to set it back and fold those records again, add --yes" in refused.stderr
    rows = brought_back(place, "--yes")
    back = {row["partition"]: row["offset"] for row in rows if row["restored"]}
    assert back == {partition: offset for partition, offset in offsets.items() if offset}
    # Where it has read the log to its end no record comes that would make it look at its state.
    wait_until(lambda: metric(worker, "segue_resynchronisations_total") >= len(back), 60, "the state met elsewhere")
    place.wait_until_folded()
    assert problems(place, own_redis) == []
    assert worker.terminate() == 0


def test_a_restore_that_is_killed_leaves_what_serves_and_can_be_run_again(place: Place, own_redis: LocalRedis) -> None:
    load(place)
    worker = place.worker()
    place.wait_until_folded()
    taken(place)
    before = redis_contents(own_redis.url, place.names)
    client: Any = own_redis.client()
    client.config_set("notify-keyspace-events", "K$")
    with client.pubsub() as news:
        news.psubscribe("__keyspace@0__:*:staged")
        command = place.commands.start("restore", str(place.directory / "backup"), "--yes")
        wait_until(lambda: _is_set(news.get_message(timeout=1)), 60, "a copy begun")
    command.kill()
    assert redis_contents(own_redis.url, place.names, only_serving=True) == before
    assert len(brought_back(place, "--yes")) == place.partitions
    place.wait_until_folded()
    assert problems(place, own_redis) == []
    assert worker.terminate() == 0


def _is_set(message: Any) -> bool:
    return bool(message and message["type"] == "pmessage")


def test_a_snapshot_from_before_an_epoch_was_raised_is_refused(place: Place, own_redis: LocalRedis) -> None:
    load(place)
    worker = place.worker()
    place.wait_until_folded()
    taken(place)
    place.command("epoch", "raise", "--partition", "1", "--yes")
    place.wait_until_folded()
    assert worker.terminate() == 0
    for prepare in (lambda: None, own_redis.client().flushall):
        prepare()
        refused = place.commands.run("restore", str(place.directory / "backup"), "--yes")
        assert refused.returncode == EXIT_BAD_INPUT
        assert "partition 1: its output was begun anew since, in epoch 2" in refused.stderr
        assert "partition 0: " not in refused.stderr


def test_snapshots_are_kept_by_number_and_damaged_or_foreign_ones_refused(place: Place, own_redis: LocalRedis) -> None:
    load(place)
    worker = place.worker()
    place.wait_until_folded()
    assert worker.terminate() == 0
    names = [taken(place, "--keep", "2")["snapshot"] for _ in range(3)]
    backup = place.directory / "backup"
    assert sorted(path.stem for path in backup.glob("*.json")) == names[1:]
    noted = noted_snapshots(own_redis.client(), place.names)
    assert [one.name for one in noted] == names[1:]

    dump = backup / f"{names[2]}.rdb"
    whole = dump.read_bytes()
    os.truncate(dump, len(whole) - 1)
    _refused(place, "damaged")
    dump.write_bytes(whole)
    _refused(place, "of namespace", SEGUE_NAMESPACE="another")
    assert brought_back(place)


def _refused(place: Place, words: str, **environment: str) -> None:
    named = next(iter(sorted((place.directory / "backup").glob("*.json"), reverse=True)))
    refused = place.commands.run("restore", str(named), environment=environment)
    assert refused.returncode == EXIT_BAD_INPUT
    assert words in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
