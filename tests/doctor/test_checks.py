"""Every check of the doctor fires at what it is there for, and is silent about a deployment that is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from schemas.instants import DAY_MS
from streams.adapters.redis.keys import OLDEST_FORMAT, STATE_FORMAT
from streams.doctor.checks import CHECKS, examine
from streams.doctor.facts import BuildFacts, ConsumerFacts, Facts, GroupFacts, GroupMember, SnapshotFacts, TopicFacts
from streams.ports import Cursor, Fence, LogBounds
from streams.spool.key_copy import KeyCopy
from streams.versions import Former
from tests.doctor.deployments import (
    HELD,
    KAFKA,
    NAMES,
    NOW_MS,
    POINTS,
    SPOOL,
    STATE,
    well,
    with_door,
    with_kafka,
    with_redis,
    with_state,
)
from tests.doctor.deployments import with_spool as spool
from tests.doctor.deployments import with_topic as topic
from tests.snapshots.points import LOG, point

TRACKING, TRANSITIONS, DEAD = NAMES.tracking, NAMES.transitions, NAMES.dead_letter


class Spoilt(NamedTuple):
    """A deployment of which one check says something."""

    check: str
    facts: Facts
    level: str
    words: str


def _without(name: str) -> Facts:
    return with_kafka(topics={each: found for each, found in KAFKA.topics.items() if each != name})


def _old(days: int) -> Facts:
    made = SnapshotFacts("old", NOW_MS - days * DAY_MS, {0: 50, 1: 50})
    return replace(topic(TRACKING, config={"retention.ms": str(10 * DAY_MS)}), state=replace(STATE, snapshots=(made,)))


def _group(state: str, *members: GroupMember) -> Facts:
    return with_kafka(groups={**KAFKA.groups, "worker": GroupFacts("shop.segue-worker", state, members)})


def _point(**other: Any) -> Facts:
    return with_state(points={**POINTS, 1: replace(POINTS[1], **other)})


def _keys(**other: Any) -> KeyCopy:
    assert SPOOL.keys is not None
    return SPOOL.keys._replace(**other)


def _build(idle_s: int | None, *, by_worker: bool = False) -> Facts:
    return with_state(builds={1: BuildFacts("9" * 64, 50, by_worker, 7, idle_s)})


def _consumer(offset: int, start: int = 0, end: int = 30) -> Facts:
    facts = with_kafka(transitions={0: LogBounds(start, end), 1: LogBounds(start, end)})
    return replace(facts, state=replace(STATE, consumers=(ConsumerFacts("webhook-crm", 1, offset),)))


MINUTE_MS = 60_000
SPOILT = [
    Spoilt("topics_exist", _without(NAMES.lists), "error", "no shop.lists"),
    Spoilt("topics_exist", _without(NAMES.keys), "error", "no shop.keys"),
    Spoilt("partition_counts", topic(TRANSITIONS, partitions=3), "error", "equally many"),
    Spoilt(
        "partition_counts",
        with_state(points={0: point(log=LOG._replace(partitions=8))}),
        "error",
        "the state was folded from 8",
    ),
    Spoilt("replication", topic(TRACKING, in_sync=1), "error", "1 in sync"),
    Spoilt("replication", topic(TRACKING, in_sync=2), "warning", "all in sync"),
    Spoilt("replication", topic(TRACKING, replicas=2, in_sync=2), "warning", "3 replicas"),
    Spoilt("replication", topic(TRACKING, config={"min.insync.replicas": "1"}), "warning", "min.insync.replicas=2"),
    Spoilt("replication", topic(TRACKING, config={"min.insync.replicas": "3"}), "warning", "no broker may be away"),
    Spoilt("timestamps", topic(TRACKING, config={"message.timestamp.type": "CreateTime"}), "warning", "LogAppendTime"),
    Spoilt("cleanup", topic(TRACKING, config={"cleanup.policy": "compact"}), "error", "cleanup.policy=delete"),
    Spoilt("cleanup", topic(NAMES.lists, config={"cleanup.policy": "delete"}), "error", "cleanup.policy=compact"),
    Spoilt("cleanup", topic(NAMES.keys, config={"cleanup.policy": "delete"}), "error", "cleanup.policy=compact"),
    Spoilt("cleanup", topic(DEAD, config={"cleanup.policy": "compact,delete"}), "error", "cleanup.policy=delete"),
    Spoilt("retention", topic(TRACKING, config={"retention.bytes": "1000"}), "error", "no bound"),
    Spoilt("retention", _old(9), "warning", "cannot be restored"),
    Spoilt(
        "retention",
        replace(topic(TRACKING, config={"retention.ms": "1000"}), state=replace(STATE, snapshots=())),
        "warning",
        "no snapshot is known",
    ),
    Spoilt("message_sizes", topic(TRACKING, config={"max.message.bytes": "1000"}), "error", "at least 1048588"),
    Spoilt("message_sizes", topic(TRACKING, config={"max.message.bytes": "5000000"}), "error", "at least 6048576"),
    Spoilt("log_begins", with_kafka(foreign_start=(1,)), "error", "partition 1 begins with another record"),
    Spoilt("log_begins", with_kafka(without_definitions=(0, 1)), "error", "segue apply FILE"),
    Spoilt("redis_version", with_redis(version=(6, 0, 9)), "error", "6.2 or later"),
    Spoilt("redis_role", with_redis(role="slave"), "error", "SEGUE_REDIS_URL"),
    Spoilt("eviction", with_redis(policy="allkeys-lru"), "error", "CONFIG SET maxmemory-policy noeviction"),
    Spoilt("memory", with_redis(used_memory=990_000), "error", "writes are refused"),
    Spoilt("memory", with_redis(used_memory=800_000), "warning", "25% free"),
    Spoilt("persistence", with_redis(aof_write_ok=False), "error", "cannot be written"),
    Spoilt("persistence", with_redis(last_save_ok=False), "error", "the last save failed"),
    Spoilt("persistence", with_redis(aof=False), "warning", "nothing is kept on disk"),
    Spoilt("persistence", with_redis(aof=False, rdb_points=True, last_save_age_s=90_000), "warning", "90000 s ago"),
    Spoilt("replicas", with_redis(replica_lags_bytes=(0, 20_000_000)), "warning", "20,000,000 bytes behind"),
    Spoilt("latency", with_redis(latency_ms=7.0), "warning", "7.0 ms"),
    Spoilt("redis_clock", with_redis(clock_ahead_ms=-1_500.0), "warning", "1500 ms behind"),
    Spoilt("broker_clock", with_kafka(newest_ms=NOW_MS + 5_000), "warning", "5000 ms from now"),
    Spoilt("state_present", with_state(points={0: POINTS[0]}), "warning", "none of partition 1"),
    Spoilt("state_fits_log", _point(log=LOG._replace(topic_id="other")), "error", "topic 'other'"),
    Spoilt("state_fits_log", _point(cursor=Cursor(101, 0)), "error", "goes on at record 101"),
    Spoilt("state_fits_log", with_kafka(tracking={1: LogBounds(101, 200)}), "error", "101 to 200"),
    Spoilt("state_format", _point(state_format=STATE_FORMAT + 1), "error", "run a newer version"),
    Spoilt("state_format", _point(state_format=OLDEST_FORMAT - 1), "warning", "builds the state anew"),
    Spoilt("state_format", _point(state_format=OLDEST_FORMAT - 2), "warning", "folds the log again"),
    Spoilt("definitions_agree", _point(versions=HELD[:1]), "warning", "1 (111111111111) in partition 1; 2 ("),
    Spoilt("definitions_agree", _point(versions=HELD[:1]), "warning", "run segue apply again"),
    Spoilt("builds", _build(3_700), "warning", "left alone for 61 min"),
    Spoilt("builds", _build(3_700), "warning", "segue plan --discard"),
    Spoilt("builds", _build(90_000, by_worker=True), "warning", "waits for a worker"),
    Spoilt(
        "log_is_whole",
        with_kafka(tracking={0: LogBounds(0, 100), 1: LogBounds(51, 100)}),
        "warning",
        "partition 1 lacks its start; partition 1 begins at record 51",
    ),
    Spoilt("lag", with_kafka(tracking={0: LogBounds(0, 200_100)}), "warning", "200,000"),
    Spoilt("timers_due", with_state(timers_due={0: 5_000}), "warning", "5,000 are due"),
    Spoilt("leftovers", with_state(stale_keys={0: 0, 1: 4}), "warning", "4 keys of other generations, in partition 1"),
    Spoilt("owners", _group("EMPTY"), "error", "has no members"),
    Spoilt("owners", _group("DEAD"), "error", "segue fence reset"),
    Spoilt("owners", _group("STABLE", GroupMember("member-1", frozenset({0}))), "warning", "nobody has partition 1"),
    Spoilt("owners", _point(fence=Fence(9, "gone")), "error", "partition 1: the fence is another's"),
    Spoilt("outbox", with_state(outbox={0: 15_000}), "warning", "at most 15,000 of a partition"),
    Spoilt("consumer_progress", _consumer(31), "error", "beyond the end"),
    Spoilt("consumer_progress", _consumer(5, start=6), "error", "--name crm --accept-gap"),
    Spoilt("consumer_progress", _consumer(0, end=200_000), "warning", "200,000 transitions behind"),
    Spoilt(
        "consumer_progress",
        replace(_consumer(5), kafka=replace(KAFKA, groups={"webhook-crm": GroupFacts("g", "EMPTY")})),
        "error",
        "nobody consumes them",
    ),
    Spoilt("consumer_dead_letters", with_state(consumer_dead_letters={"webhook": 2}), "warning", "2 wait"),
    Spoilt("dead_letters", with_kafka(dead_letters={0: LogBounds(0, 2), 1: LogBounds(4, 5)}), "warning", "3 records"),
    Spoilt("snapshots", with_state(snapshots=()), "warning", "none is known"),
    Spoilt("snapshots", _old(8), "warning", "one within a week"),
    Spoilt("snapshots", with_kafka(tracking={0: LogBounds(51, 100), 1: LogBounds(0, 100)}), "error", "in partition 0"),
    Spoilt("spool_place", well(spool=None), "error", "no /spool"),
    Spoilt("spool_place", spool(writable=False), "error", "/spool may not be written to"),
    Spoilt("spool_place", spool(filesystem="tmpfs"), "warning", "/spool lies on tmpfs"),
    Spoilt("spool_place", spool(filesystem="overlay"), "warning", "outlives the process"),
    Spoilt(
        "spool_waiting",
        spool(segments=2, bytes=700, oldest_ms=NOW_MS - 16 * MINUTE_MS),
        "warning",
        "700 bytes in 2 files, the oldest of 2026-03-01T11:44:00.000Z",
    ),
    Spoilt("spool_waiting", spool(segments=1, bytes=700, owned=False), "warning", "no process that can be seen"),
    Spoilt("spool_room", spool(bytes=500_001), "warning", "batches are answered 503"),
    Spoilt("spool_room", spool(bytes=400_000, damaged_bytes=500_001), "error", "900,001 of 1,000,000 bytes used"),
    Spoilt("spool_room", spool(bytes=100_000, free_bytes=899_999), "warning", "lower SEGUE_COLLECTOR_SPOOL_BYTES"),
    Spoilt("spool_damage", spool(damaged=2, damaged_bytes=300), "error", "2 files with damage, 300 bytes"),
    Spoilt("spool_damage", spool(refused_bytes=70), "warning", "/spool/refused"),
    Spoilt("spool_keys", spool(keys=None), "warning", "no /spool/keys"),
    Spoilt("spool_keys", spool(keys=None, keys_problem="it is damaged"), "warning", "it is damaged"),
    Spoilt("spool_keys", spool(keys=_keys(topic="other.keys")), "warning", "a copy of the topic other.keys"),
    Spoilt("spool_keys", spool(keys=_keys(as_of_ms=NOW_MS - 16 * MINUTE_MS)), "warning", "1 as of 2026-03-01T11:44"),
    Spoilt("door_settings", with_door(problems=("SEGUE_HOOKS: expected",)), "error", "SEGUE_HOOKS: expected"),
    Spoilt("machine_signs", with_door(signs_as_of_ms=NOW_MS - 181 * DAY_MS), "warning", "not older than 180 days"),
    Spoilt("machine_signs", with_door(signs_as_of_ms=NOW_MS + 2 * DAY_MS), "warning", "a day that has been"),
    Spoilt("links", with_door(link_keys=0), "warning", "SEGUE_LINK_KEYS is not"),
    Spoilt("links", with_door(twin_keys=("k1", "k2")), "warning", "keys k1, k2 have the same secret"),
    Spoilt("links", with_door(link_base_url="http://127.0.0.1:8080"), "warning", "that readers of e-mails reach"),
    Spoilt("links", with_door(link_base_url="https://localhost/t"), "warning", "that readers of e-mails reach"),
    Spoilt("links", with_door(link_base_url="http://t.shop.example"), "warning", "https, else"),
]


def test_nothing_is_found_where_all_is_well() -> None:
    findings = examine(well())
    assert [finding for finding in findings if finding.level != "ok"] == []
    assert len(findings) > len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_check_says_something_also_where_all_is_well(check: object) -> None:
    assert callable(check)
    assert list(check(well()))


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda spoilt: f"{spoilt.check}: {spoilt.words}")
def test_what_is_wrong_is_told_with_what_was_expected_and_the_fix(spoilt: Spoilt) -> None:
    check = next(check for check in CHECKS if check.__name__ == spoilt.check)
    bad = [finding for finding in check(spoilt.facts) if finding.level != "ok"]
    assert [finding.level for finding in bad] == [spoilt.level], bad
    assert spoilt.words in " ".join(bad[0])
    assert bad[0].expected
    assert bad[0].fix


def test_every_check_has_been_seen_firing() -> None:
    assert {spoilt.check for spoilt in SPOILT} == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize(
    ("facts", "check"),
    [
        (with_state(points={}), "state_fits_log"),
        (with_state(points={number: point(number, offset=0, log=LOG._replace(topic_id="x")) for number in (0, 1)}), ""),
        (topic(TRACKING, config={"retention.ms": str(30 * DAY_MS)}), "retention"),
        (_group("STABLE", GroupMember("member-1", frozenset({0, 1})), GroupMember("idle", frozenset())), "owners"),
        (_point(state_format=OLDEST_FORMAT), "state_format"),
        (_point(versions=HELD[:1], cursor=Cursor(90, 0)), "definitions_agree"),
        (_point(former=Former(1, "{}")), "builds"),
        (_build(3_500), "builds"),
        (_build(None), "builds"),
        (with_redis(maxmemory=0, used_memory=10**12), "memory"),
        (with_redis(aof=False, rdb_points=None), "persistence"),
        (with_kafka(newest_ms=0), "broker_clock"),
        (spool(segments=1, bytes=700, oldest_ms=NOW_MS - 14 * MINUTE_MS), "spool_waiting"),
        (spool(segments=1, bytes=700, oldest_ms=0, owned=None), "spool_waiting"),
        (spool(owned=False, filesystem=None), ""),
        (spool(bytes=500_000, free_bytes=500_000), "spool_room"),
        (spool(keys=_keys(as_of_ms=NOW_MS - 14 * MINUTE_MS)), "spool_keys"),
        (spool(keys=_keys(as_of_ms=NOW_MS - 60 * DAY_MS), owned=False), "spool_keys"),
        (well(spool_directory=None, spool=None), ""),
        (with_door(signs_as_of_ms=NOW_MS + DAY_MS), "machine_signs"),
        (with_door(signs_as_of_ms=NOW_MS - 180 * DAY_MS), "machine_signs"),
        (with_door(link_keys=0, link_base_url_set=False), "links"),
        (with_kafka(topics={name: TopicFacts(2, 1, 1, None) for name in KAFKA.topics}), "replication"),
    ],
)
def test_what_only_looks_wrong_is_not_told(facts: Facts, check: str) -> None:
    checks = [one for one in CHECKS if check in ("", one.__name__) and one.__name__ != "lag"]
    assert [finding for one in checks for finding in one(facts) if finding.level != "ok"] == []


def test_nothing_breaks_where_there_is_nothing_at_all() -> None:
    empty = replace(KAFKA, topics={}, tracking={}, transitions={}, dead_letters={}, groups={}, newest_ms=0)
    bare = replace(STATE, points={}, outbox={}, timers_due={}, consumers=(), consumer_dead_letters={}, snapshots=())
    findings = examine(well(kafka=empty, state=bare))
    assert [finding.about for finding in findings if finding.level == "error"] == ["topics"]
