"""Checks of Redis itself: that it can hold the state, keeps it on disk, and answers soon; and of the clocks."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.instants import format_instant
from streams.doctor.facts import Facts
from streams.doctor.findings import Finding, error, ok, warning

HEADROOM_RATIO_MIN = 0.25
"""A restore holds two states, and a rewrite of the append-only file copies what changes meanwhile."""
SAVE_AGE_MAX_S = 86_400
REPLICA_LAG_BYTES_MAX = 10_000_000
"""About what ten seconds of a busy worker write: so much is folded again after a fail-over."""
LATENCY_MS_MAX = 5.0
"""A commit is one round trip or two, and a partition makes tens of them a second."""
SKEW_MS_MAX = 1_000.0
"""Timers stay exact whatever our clock says; logs of several machines cannot be told apart beyond it."""


def redis_version(facts: Facts) -> Iterable[Finding]:
    """New enough."""
    found = ".".join(str(part) for part in facts.redis.version)
    oldest = facts.limits.redis_oldest
    if facts.redis.version[:2] < oldest:
        yield error("Redis version", found, f"{oldest[0]}.{oldest[1]} or later", "upgrade Redis")
    else:
        yield ok("Redis version", found)


def redis_role(facts: Facts) -> Iterable[Finding]:
    """One that may be written to."""
    if facts.redis.role == "master":
        yield ok("Redis role", "master")
    else:
        yield error("Redis role", facts.redis.role, "master", "let SEGUE_REDIS_URL name the master")


def eviction(facts: Facts) -> Iterable[Finding]:
    """Evicted keys would be lost state."""
    found = facts.redis.policy
    if found == "noeviction":
        yield ok("maxmemory-policy", found)
    else:
        yield error("maxmemory-policy", found, "noeviction", "CONFIG SET maxmemory-policy noeviction")


def memory(facts: Facts) -> Iterable[Finding]:
    """Room is left below maxmemory."""
    most, used = facts.redis.maxmemory, facts.redis.used_memory
    if not most:
        yield ok("memory of Redis", f"{used:,} bytes used, no maxmemory")
        return
    told, left = f"{used:,} of {most:,} bytes used", 1 - used / most
    if left <= 0.02:
        yield error("memory of Redis", told, "room: writes are refused when it is full", "CONFIG SET maxmemory MORE")
    elif left < HEADROOM_RATIO_MIN:
        expected = f"{HEADROOM_RATIO_MIN:.0%} free"
        yield warning("memory of Redis", told, expected, "CONFIG SET maxmemory MORE")
    else:
        yield ok("memory of Redis", told)


def persistence(facts: Facts) -> Iterable[Finding]:
    """What was answered is on disk soon, and the last writing went well."""
    redis = facts.redis
    if redis.aof and not redis.aof_write_ok:
        fix = "make room on the disk of Redis, look at its log"
        yield error("persistence of Redis", "the append-only file cannot be written", "aof_last_write_status ok", fix)
    elif not redis.last_save_ok:
        fix = "make room on the disk and in the memory of Redis, then BGSAVE"
        yield error("persistence of Redis", "the last save failed", "rdb_last_bgsave_status ok", fix)
    elif redis.aof:
        yield ok("persistence of Redis", "append-only file, written")
    elif redis.rdb_points is False:
        expected = "an append-only file: a restart folds the log from the newest snapshot or from its start"
        yield warning("persistence of Redis", "nothing is kept on disk", expected, "CONFIG SET appendonly yes")
    elif redis.last_save_age_s > SAVE_AGE_MAX_S:
        expected = "a save within a day, or an append-only file"
        found = f"last saved {redis.last_save_age_s} s ago"
        yield warning("persistence of Redis", found, expected, "CONFIG SET appendonly yes")
    else:
        yield ok("persistence of Redis", f"saved {redis.last_save_age_s} s ago")


def replicas(facts: Facts) -> Iterable[Finding]:
    """A fail-over sets back by what the replica lacks."""
    lags = facts.redis.replica_lags_bytes
    if not lags:
        yield ok("replicas of Redis", "none")
    elif max(lags) > REPLICA_LAG_BYTES_MAX:
        found, expected = f"{max(lags):,} bytes behind", f"at most {REPLICA_LAG_BYTES_MAX:,}"
        yield warning("replicas of Redis", found, expected, "look at the replica's link, disk and processor")
    else:
        yield ok("replicas of Redis", f"{len(lags)}, at most {max(lags):,} bytes behind")


def latency(facts: Facts) -> Iterable[Finding]:
    """A round trip is short."""
    found = f"{facts.redis.latency_ms:.1f} ms a round trip"
    if facts.redis.latency_ms > LATENCY_MS_MAX:
        fix = "run workers near Redis; look at SLOWLOG GET and LATENCY DOCTOR"
        yield warning("latency of Redis", found, f"at most {LATENCY_MS_MAX:g} ms", fix)
    else:
        yield ok("latency of Redis", found)


def redis_clock(facts: Facts) -> Iterable[Finding]:
    """Redis' clock and ours agree."""
    ahead = facts.redis.clock_ahead_ms
    found = f"Redis is {abs(ahead):.0f} ms {'ahead' if ahead >= 0 else 'behind'}"
    if abs(ahead) > SKEW_MS_MAX:
        yield warning("clock of Redis", found, f"at most {SKEW_MS_MAX:.0f} ms", "let both machines follow NTP")
    else:
        yield ok("clock of Redis", found)


def broker_clock(facts: Facts) -> Iterable[Finding]:
    """The newest record is not from the future; that the broker is behind cannot be told without writing to it."""
    newest_ms = facts.kafka.newest_ms
    ahead_ms = newest_ms - facts.now_ms
    if not newest_ms:
        yield ok("clock of the broker", "not known: no record tells it")
    elif ahead_ms > SKEW_MS_MAX:
        yield warning(
            "clock of the broker",
            f"the newest record is of {format_instant(newest_ms)}, {ahead_ms} ms from now",
            f"at most {SKEW_MS_MAX:.0f} ms: what it moved the clock to cannot be taken back",
            "let the brokers and this machine follow NTP; with CreateTime, the producers",
        )
    else:
        yield ok("clock of the broker", f"not ahead of ours: the newest record is of {format_instant(newest_ms)}")
