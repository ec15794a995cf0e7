"""What Redis says of itself, and what it holds of Segue, as plain facts for `segue doctor`."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from redis.exceptions import RedisError

from schemas.instants import parse_instant
from schemas.topics import Names
from streams.adapters.redis.consumers import count_dead_letters, read_progress
from streams.adapters.redis.generations import count_keys, serving_keys
from streams.adapters.redis.keys import StateKeys
from streams.adapters.redis.points import building_in, read_points
from streams.adapters.redis.snapshots import noted_snapshots
from streams.adapters.redis.state import as_text
from streams.doctor.facts import BuildFacts, ConsumerFacts, RedisFacts, SnapshotFacts, StateFacts
from streams.generations import Building

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
    building = _building(client, keys)
    counts, idle = count_keys(client, keys), _idle(client, names, building)
    in_use = {(partition, one.generation) for partition, one in building.items()}
    in_use |= {(partition, one.former.generation) for partition, one in points.items() if one.former is not None}
    stale: Counter[int] = Counter()
    for (partition, generation), count in counts.items():
        stale[partition] += count if (partition, generation) not in in_use else 0
    return StateFacts(
        points=points,
        outbox=dict(zip(keys, answers[::2], strict=True)),
        timers_due=dict(zip(keys, answers[1::2], strict=True)),
        stale_keys=stale,
        builds={
            number: BuildFacts(
                definitions_hash=one.definitions_hash,
                offset=one.cursor.offset,
                by_worker=one.by_worker,
                keys=counts[number, one.generation],
                idle_s=idle[number],
                semantics=one.semantics,
            )
            for number, one in building.items()
        },
        consumers=tuple(ConsumerFacts(one.role, one.partition, one.offset) for one in read_progress(client, names)),
        consumer_dead_letters=count_dead_letters(client, names),
        snapshots=tuple(
            SnapshotFacts(one.name, parse_instant(one.made_at), one.offsets) for one in noted_snapshots(client, names)
        ),
    )


def _building(client: Any, serving: Mapping[int, StateKeys]) -> dict[int, Building]:
    pipeline = client.pipeline(transaction=False)
    for kept in serving.values():
        pipeline.hgetall(kept._replace(is_build=True).meta)
    found = zip(serving.items(), pipeline.execute(), strict=True)
    building = {partition: building_in(as_text(fields), kept.generation) for (partition, kept), fields in found}
    return {partition: one for partition, one in building.items() if one is not None}


def _idle(client: Any, names: Names, building: Mapping[int, Building]) -> dict[int, int | None]:
    """How long each build has been left alone, in seconds: its commits touch these keys, and who looks does not."""
    pipeline = client.pipeline(transaction=False)
    for partition, one in building.items():
        where = StateKeys(names, partition, one.generation)
        for key in (where.timers, where.sizes, where.built):
            pipeline.object("IDLETIME", key)
    answers = pipeline.execute(raise_on_error=False)  # with an LFU policy Redis does not know it
    idle: dict[int, int | None] = {}
    for place, partition in enumerate(building):
        known = [int(answer) for answer in answers[3 * place : 3 * place + 3] if isinstance(answer, int)]
        idle[partition] = min(known, default=None)
    return idle


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
