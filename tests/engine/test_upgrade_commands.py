"""`segue plan --upgrade`, `apply`, `status` and `doctor` around an upgrade, on a real broker and a real Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.instants import format_instant
from schemas.records import DefinitionsRecord, decode_record
from schemas.topics import Names
from streams.adapters.redis.builds import RedisBuildStore
from streams.adapters.redis.facts import state_facts
from streams.adapters.redis.keys import STATE_FORMAT
from streams.adapters.redis.state import RedisStateStore
from streams.doctor.checks import CHECKS
from streams.doctor.state_checks import state_format
from streams.ports import Fence, RawRecord
from streams.segmentation import KNOWN_SEMANTICS, SEMANTICS_VERSION
from tests.conftest import Kafka
from tests.doctor.deployments import LIMITS, well
from tests.engine.another_meaning import ANOTHER, MORE
from tests.engine.conftest import Run
from tests.engine.stories import DEFINITIONS, LogWriter, definitions_value, story
from tests.engine.test_changing import told, whole
from tests.engine.upgrades import formats_of, next_version
from tests.engine.world import world_on_redis
from tests.load.topics import read_log
from tests.support.redis_servers import LocalRedis
from tests.support.waiting import wait_until


def four_contacts(**fields: Any) -> LogWriter:
    """Two opens of two contacts, three of one, one of another."""
    writer = LogWriter(definitions=definitions_value(**fields))
    for contact, opens in (("zoe", 2), ("ann", 3), ("bob", 2), ("eve", 1)):
        for _ in range(opens):
            writer.track("email_open", contact, 1)
    return writer


def publish(run: Run, kafka: Kafka, names: Names, records: Sequence[RawRecord]) -> None:
    """Make the topics, and put a log into the one partition of `tracking`."""
    broker = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    created = run("topics", "create", "--partitions", "1", "--timestamps", "create", **broker)
    assert created.exit_code == 0, created.output
    wait_until(lambda: run("status", **broker).exit_code == 0, 30, "the topics known to whom is asked")
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "acks": "all"})
    for record in records:
        producer.produce(names.tracking, record.value, record.key, partition=0, timestamp=record.timestamp_ms)
    assert producer.flush(30) == 0


@story
async def test_what_the_next_version_needs_is_built_by_its_plan_and_shown_by_status(
    run: Run, kafka: Kafka, redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = four_contacts().records
    broker = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    async with world_on_redis(redis_url, namespace) as world:
        await asyncio.to_thread(publish, run, kafka, world.names, records)
        await world.fold([records])
        current = await asyncio.to_thread(run, "plan", "--upgrade", **broker)
        assert (current.exit_code, current.stdout.startswith("nothing to do")) == (0, True)
        for store in (RedisStateStore, RedisBuildStore):  # the command of the next version
            monkeypatch.setattr(f"streams.cli.planning.{store.__name__}", partial(store, formats=formats_of(1)))
        planned = await asyncio.to_thread(run, "plan", "--upgrade", **broker)
        assert planned.exit_code == 0, planned.output
        assert planned.stdout.startswith("built beside what serves, in partition 0: ")
        shown = (await asyncio.to_thread(run, "status", **broker)).stdout
        words = "somebody builds, or has begun to, the state anew in another format, under the same definitions, 9 of 9"
        assert f"partition 0: {words} records" in shown
        status = json.loads((await asyncio.to_thread(run, "status", "--json", **broker)).stdout)
        assert status["partitions"][0]["build"]["upgrade"]
        later = next_version(world)
        await later.fold([records], Fence(2, "later"))
        assert later.count("segue_build_records_total") == 0
        assert world.contents() == (await whole(records))[0]


@story
async def test_applying_the_same_file_lets_the_newer_meaning_hold_and_a_rollback_the_older_one(
    run: Run, kafka: Kafka, redis_url: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN_SEMANTICS, ANOTHER, MORE)  # for which the log was begun; today's version comes after it
    writer = four_contacts(semantics=ANOTHER)
    (tmp_path / "d.json").write_text(json.dumps(DEFINITIONS))
    broker = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "SEGUE_TICKS": "off"}
    at = ("--yes", "--no-wait", "--at", format_instant(writer.now_ms + 1))

    def records() -> list[RawRecord]:
        log = read_log(kafka.bootstrap_servers, world.names.tracking, 1)[0]
        return [RawRecord(one.offset() or 0, one.timestamp()[1], _bytes(one.key()), _bytes(one.value())) for one in log]

    def newest() -> tuple[int, str, str]:
        record = decode_record(records()[-1].value)
        assert isinstance(record, DefinitionsRecord)
        return record.number, record.semantics, record.hash

    async with world_on_redis(redis_url, namespace) as world:
        await asyncio.to_thread(publish, run, kafka, world.names, writer.records)
        await world.fold([writer.records])
        applied = await asyncio.to_thread(run, "apply", str(tmp_path / "d.json"), *at, **broker)
        assert applied.exit_code == 0, applied.output
        assert f"version {ANOTHER} of the semantics before, for {SEMANTICS_VERSION} after" in applied.stdout
        assert "applied definitions" in applied.stdout
        number, semantics, text_hash = await asyncio.to_thread(newest)
        assert (number, semantics) == (2, SEMANTICS_VERSION)
        await world.fold([await asyncio.to_thread(records)], Fence(2, "member-2"))
        entered = [("bob", "active", "entered", 1, "definition"), ("zoe", "active", "entered", 1, "definition")]
        assert told(world.published()) == entered
        again = await asyncio.to_thread(run, "apply", str(tmp_path / "d.json"), *at, **broker)
        assert again.stdout.startswith("nothing to do")
        back = await asyncio.to_thread(run, "apply", "--rollback", *at, **broker)
        assert back.exit_code == 0, back.output
        assert await asyncio.to_thread(newest) == (3, ANOTHER, text_hash)
        listed = json.loads((await asyncio.to_thread(run, "definitions", "--json", **broker)).stdout)["definitions"]
        assert [one["semantics"] for one in listed] == [ANOTHER, SEMANTICS_VERSION, ANOTHER]
        await world.fold([await asyncio.to_thread(records)], Fence(3, "member-3"))
        left = [(contact, segment, "exited", 2, cause) for contact, segment, _, _, cause in entered]
        assert told(world.published()) == [*entered, *left]


@story
async def test_the_doctor_tells_an_upgrade_from_a_change_and_names_the_format(own_redis: LocalRedis) -> None:
    records = four_contacts().records
    async with world_on_redis(own_redis.url, "shop") as world:
        await world.fold([records])
        later = next_version(world)
        build = await later.builds.begin(0, _held(await world.generations.serving(0)), owner=None)
        assert build.generation == 2
        found = state_facts(own_redis.client(), world.names, 0)
        told_ = {one.about: one.found for check in CHECKS for one in check(well(state=found))}
        assert told_["build of partition 0"].startswith("for the same definitions, in another format, 0 records")
        newest = replace(LIMITS, state_format=STATE_FORMAT + 1, state_format_oldest=STATE_FORMAT + 1)
        (finding,) = state_format(replace(well(state=found), limits=newest))
        assert (finding.level, finding.found) == ("warning", str(STATE_FORMAT))
        assert "builds the state anew" in finding.expected


def _held(meta: Any) -> str:
    identity: str = meta.versions[-1].identity
    return identity


def _bytes(value: object) -> bytes | None:
    assert value is None or isinstance(value, bytes)
    return value
