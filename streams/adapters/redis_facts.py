"""What Redis says of itself, and what it holds of Segue, as plain facts for `segue doctor`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis.exceptions import RedisError

from schemas.instants import parse_instant
from schemas.topics import Names
from streams.adapters.redis_consumers import count_dead_letters, read_progress
from streams.adapters.redis_generations import count_stale, serving_keys
from streams.adapters.redis_points import read_points
from streams.adapters.redis_snapshots import noted_snapshots
from streams.doctor.facts import ConsumerFacts, RedisFacts, SnapshotFacts, StateFacts

_ROUND_TRIPS = 21
_SECOND_MS = 1_000


def redis_facts(client: Any, now_ms: Callable[[], float]) -> RedisFacts:
    """What Redis says of itself; `now_ms` is our own clock."""
    info: Mapping[str, Any] = client.info("everything")
    latency_ms, ahead_ms = _round_trips(client, now_ms)
    at = int(info.get("master_repl_offset", 0))
    replicas = [info[f"slave{number}"] for number in range(int(info.get("connected_slaves", 0)))]
    return RedisFacts(
        version=tuple(int(part) for part in str(info["redis_version"]).split(".")),
        role=str(info.get("role", "master")),
        maxmemory=int(info.get("maxmemory", 0)),
        used_memory=int(info.get("used_memory", 0)),
        policy=str(info.get("maxmemory_policy", "noeviction")),
        aof=bool(int(info.get("aof_enabled", 0))),
        aof_write_ok=info.get("aof_last_write_status", "ok") == "ok",
        rdb_points=_rdb_points(client),
        last_save_ok=info.get("rdb_last_bgsave_status", "ok") == "ok",
        last_save_age_s=max(0, int(now_ms() // _SECOND_MS) - int(info.get("rdb_last_save_time", 0))),
        replica_lags_bytes=tuple(max(0, at - int(replica["offset"])) for replica in replicas),
        latency_ms=latency_ms,
        clock_ahead_ms=ahead_ms,
    )


def state_facts(client: Any, names: Names, now_ms: int) -> StateFacts:
    """What Redis holds of Segue."""
    points = read_points(client, names)
    keys = serving_keys(names, {partition: point.generation for partition, point in points.items()})
    pipeline = client.pipeline(transaction=False)
    for place in keys.values():
        pipeline.xlen(place.outbox)
        pipeline.zcount(place.timers, "-inf", now_ms)
    answers = pipeline.execute()
    return StateFacts(
        points=points,
        outbox=dict(zip(keys, answers[::2], strict=True)),
        timers_due=dict(zip(keys, answers[1::2], strict=True)),
        stale_keys=count_stale(client, keys),
        consumers=tuple(ConsumerFacts(one.role, one.partition, one.offset) for one in read_progress(client, names)),
        consumer_dead_letters=count_dead_letters(client, names),
        snapshots=tuple(
            SnapshotFacts(one.name, parse_instant(one.made_at), one.offsets) for one in noted_snapshots(client, names)
        ),
    )


def _round_trips(client: Any, now_ms: Callable[[], float]) -> tuple[float, float]:
    """The median duration of a round trip, and how far Redis' clock is ahead by the quickest one."""
    client.ping()  # connects
    seen = []
    for _ in range(_ROUND_TRIPS):
        before, started = now_ms(), time.perf_counter()
        seconds, micros = client.time()
        took_ms = (time.perf_counter() - started) * 1_000
        seen.append((took_ms, seconds * 1_000 + micros / 1_000 - (before + took_ms / 2)))
    return statistics.median(took_ms for took_ms, _ in seen), min(seen)[1]


def _rdb_points(client: Any) -> bool | None:
    try:
        return bool(client.config_get("save").get("save"))
    except RedisError:
        return None  # a hosting service forbids CONFIG
