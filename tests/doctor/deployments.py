"""A deployment that is well, for tests to spoil."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from schemas.instants import DAY_MS, parse_instant
from schemas.topics import Names
from streams.adapters.redis.keys import OLDEST_FORMAT, STATE_FORMAT
from streams.doctor.facts import (
    ConsumerFacts,
    DoorFacts,
    Facts,
    GroupFacts,
    GroupMember,
    KafkaFacts,
    Limits,
    RedisFacts,
    SnapshotFacts,
    StateFacts,
    TopicFacts,
)
from streams.ports import Fence, LogBounds
from streams.spool.key_copy import KeyCopy
from streams.spool.survey import SpoolSurvey
from streams.versions import Version
from tests.snapshots.points import LOG, point

NOW_MS = parse_instant("2026-03-01T12:00:00Z")
NAMES = Names("shop")
LIMITS = Limits(STATE_FORMAT, OLDEST_FORMAT, (6, 2), 1_048_588, 1_048_576, 20_000, OLDEST_FORMAT - 1)
KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "min.insync.replicas": "2"}
CONFIGS = {
    NAMES.tracking: KEPT | {"max.message.bytes": "1048588", "message.timestamp.type": "LogAppendTime"},
    NAMES.transitions: KEPT,
    NAMES.dead_letter: KEPT | {"max.message.bytes": "2097164"},
    NAMES.lists: {"cleanup.policy": "compact", "min.insync.replicas": "2"},
    NAMES.keys: {"cleanup.policy": "compact", "min.insync.replicas": "2"},
}
KAFKA = KafkaFacts(
    brokers=3,
    topics={
        name: TopicFacts(1 if name in (NAMES.lists, NAMES.keys) else 2, replicas=3, in_sync=3, config=config)
        for name, config in CONFIGS.items()
    },
    log=LOG,
    tracking={0: LogBounds(0, 100), 1: LogBounds(0, 100)},
    transitions={0: LogBounds(0, 30), 1: LogBounds(0, 30)},
    dead_letters={0: LogBounds(0, 0), 1: LogBounds(0, 0)},
    without_definitions=(),
    foreign_start=(),
    newest_ms=NOW_MS - 1_000,
    groups={
        "worker": GroupFacts("shop.segue-worker", "STABLE", (GroupMember("member-1", frozenset({0, 1})),)),
        "webhook": GroupFacts("shop.segue-webhook", "STABLE", (GroupMember("member-9", frozenset({0, 1})),)),
    },
)
REDIS = RedisFacts(
    version=(6, 2, 14),
    role="master",
    maxmemory=1_000_000,
    used_memory=500_000,
    policy="noeviction",
    aof=True,
    aof_write_ok=True,
    rdb_points=False,
    last_save_ok=True,
    last_save_age_s=100,
    replica_lags_bytes=(0,),
    latency_ms=0.3,
    clock_ahead_ms=12.0,
)
HELD = (Version(1, "1" * 64, 0, 0), Version(2, "2" * 64, 60, 0))
POINTS = {number: point(number, fence=Fence(3, "member-1"), versions=HELD) for number in range(2)}
STATE = StateFacts(
    points=POINTS,
    outbox={0: 3, 1: 0},
    timers_due={0: 1, 1: 0},
    stale_keys={},
    consumers=(ConsumerFacts("webhook", 0, 30), ConsumerFacts("webhook", 1, 29)),
    consumer_dead_letters={"webhook": 0},
    snapshots=(SnapshotFacts("segue-shop-1", NOW_MS - DAY_MS, {0: 50, 1: 50}),),
)
SPOOL = SpoolSurvey(
    directory=Path("/spool"),
    bytes_max=1_000_000,
    segments=0,
    bytes=0,
    oldest_ms=0,
    damaged=0,
    damaged_bytes=0,
    refused_bytes=0,
    writable=True,
    free_bytes=5_000_000,
    filesystem="ext4",
    owned=True,
    keys=KeyCopy(NAMES.keys, 7, NOW_MS - 60_000, {b"k_aaaaaaaa": b"{}"}),
    keys_problem="",
)
DOOR = DoorFacts(
    signs_file="Segue's own",
    signs_as_of_ms=NOW_MS - 30 * DAY_MS,
    link_keys=2,
    link_base_url="https://t.shop.example",
    link_base_url_set=True,
    hooks=1,
)


def well(**other: Any) -> Facts:
    """Nothing to find fault with, but for `other` in place of whole parts."""
    facts = Facts(NOW_MS, NAMES, KAFKA, REDIS, STATE, LIMITS, DOOR, SPOOL.directory, SPOOL)
    return replace(facts, **other)


def with_kafka(**other: Any) -> Facts:
    """Other answers of the brokers."""
    return well(kafka=replace(KAFKA, **other))


def with_redis(**other: Any) -> Facts:
    """Other answers of Redis."""
    return well(redis=replace(REDIS, **other))


def with_state(**other: Any) -> Facts:
    """Another state."""
    return well(state=replace(STATE, **other))


def with_spool(**other: Any) -> Facts:
    """Another spool."""
    return well(spool=replace(SPOOL, **other))


def with_door(**other: Any) -> Facts:
    """Other settings of the collector."""
    return well(door=DOOR._replace(**other))


def with_topic(name: str, **other: Any) -> Facts:
    """Another topic in place of one; settings among `other` stand with underscores in `config`."""
    config = {**(KAFKA.topics[name].config or {}), **other.pop("config", {})}
    return with_kafka(topics={**KAFKA.topics, name: replace(KAFKA.topics[name], config=config, **other)})
