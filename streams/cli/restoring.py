"""What `segue restore` does: look at everything first, copy beside what serves, then switch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec

from schemas.errors import InputError, UnavailableError
from schemas.redis_access import RedisAccess
from schemas.settings import CommonSettings
from schemas.topics import Names
from streams.adapters.kafka.tail import KafkaTailReader
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.redis.consumers import bring_back_consumers
from streams.adapters.redis.errors import check_info
from streams.adapters.redis.keys import OLDEST_FORMAT, STATE_FORMAT, StateKeys
from streams.adapters.redis.points import read_points
from streams.adapters.redis.private import loaded_dump
from streams.adapters.redis.restore import StateRestorer, Switched
from streams.adapters.redis.server import errors_of, server_client
from streams.adapters.redis.snapshots import note_snapshot
from streams.cli.progress import counted, now_and_then, working
from streams.cli.snapshot import database_of
from streams.pipeline.relay import TAIL_MESSAGES, Published, last_published
from streams.ports import LogBounds
from streams.snapshots.manifest import StatePoint
from streams.snapshots.plan import Formats, Plan, Surroundings, make_plan
from streams.snapshots.shelf import Snapshot

_TIMEOUT_MS = 15_000
_COPY_TIMEOUT_MS = 60_000


class RestoredPartition(msgspec.Struct, frozen=True):
    """What came of a partition."""

    partition: int
    restored: bool
    offset: int | None = None
    to_fold: int | None = None
    why: str | None = None


class Restored(msgspec.Struct, frozen=True):
    """What came of a restore."""

    snapshot: str
    partitions: list[RestoredPartition]
    dead_letters: int


def restore_snapshot(settings: CommonSettings, snapshot: Snapshot, *, set_back: bool) -> Restored:
    """Bring a snapshot back. Raises `InputError` where it does not fit, before anything is touched."""
    redis, names = settings.redis, settings.names
    if len(snapshot.files) != 1:
        raise InputError(f"{snapshot.name}: {len(snapshot.files)} dumps, expected one: restore each by its file")
    with ExitStack() as stack:
        target = stack.enter_context(_serving(redis))
        percent = now_and_then(lambda done: f"{done} % of the dump loaded")
        with working("loading the dump"):
            source = stack.enter_context(loaded_dump(snapshot.files[0], database_of(redis), percent))
        points = read_points(source, names)
        if not points:
            raise InputError(f"{snapshot.files[0]}: holds no state under namespace {names.namespace!r}")
        with errors_of(redis):
            found = read_points(target, names)
            plan = _plan(settings, source, points, found)
            if plan.further and not set_back:
                raise InputError(
                    f"nothing was restored: the state that serves has come further than the snapshot in partition "
                    f"{plan.replayed}; to set it back and fold those records again, add --yes"
                )
            _check_room(source, target)
            outcomes = _bring_back(StateRestorer(source, target, names, plan.points, found), plan, source, set_back)
            letters = bring_back_consumers(source, target, names)
            if snapshot.manifest is not None:
                note_snapshot(target, names, snapshot.name, snapshot.manifest)
    ends = _log(settings)
    return Restored(snapshot.name, _rows(plan, outcomes, ends), letters)


@contextmanager
def _serving(redis: RedisAccess) -> Iterator[Any]:
    client = server_client(redis, timeout_ms=_COPY_TIMEOUT_MS, one_connection=True)
    try:
        with errors_of(redis):
            check_info(client.info(), redis.shown, is_cluster=redis.is_cluster)
        yield client
    finally:
        client.close()


def _plan(
    settings: CommonSettings, source: Any, points: Mapping[int, StatePoint], found: Mapping[int, StatePoint]
) -> Plan:
    names = settings.names
    with working("looking at the log"):
        topics = KafkaTopics(settings.kafka, _TIMEOUT_MS)
        bounds = _log(settings)
        log = topics.log_identity(names.tracking)._replace(partitions=len(bounds))
        published = asyncio.run(_published(settings, sorted(bounds)))
    surroundings = {
        partition: Surroundings(
            log=log,
            bounds=bounds[partition],
            published=published[partition],
            first_waiting_seq=_first_waiting(source, names, points.get(partition)),
            serving=found.get(partition),
        )
        for partition in bounds
    }
    return make_plan(points, surroundings, Formats(OLDEST_FORMAT, STATE_FORMAT))


def _log(settings: CommonSettings) -> dict[int, LogBounds]:
    topic = settings.names.tracking
    bounds = KafkaTopics(settings.kafka, _TIMEOUT_MS).log_bounds(topic)
    if not bounds:
        raise UnavailableError(f"no topic {topic}: a snapshot goes with the log that it was folded from")
    return bounds


async def _published(settings: CommonSettings, partitions: list[int]) -> dict[int, Published | None]:
    tails = KafkaTailReader(settings.kafka, timeout_ms=_TIMEOUT_MS)
    try:
        topic = settings.names.transitions
        return {
            partition: last_published(await tails.tail(topic, partition, TAIL_MESSAGES)) for partition in partitions
        }
    finally:
        await tails.close()


def _first_waiting(source: Any, names: Names, point: StatePoint | None) -> int | None:
    if point is None:
        return None
    first = source.xrange(StateKeys(names, point.partition, point.generation).outbox, count=1)
    return int(first[0][0].partition(b"-")[0]) if first else None


def _check_room(source: Any, target: Any) -> None:
    memory = target.info("memory")
    most, used = int(memory["maxmemory"]), int(memory["used_memory"])
    needed = int(source.info("memory")["used_memory"])
    if most and used + needed > most:
        raise InputError(
            f"nothing was restored: Redis may use {most:,} bytes and uses {used:,}, the snapshot needs about "
            f"{needed:,} beside them while it is copied: raise maxmemory for that time (`CONFIG SET maxmemory`)"
        )


def _bring_back(restorer: StateRestorer, plan: Plan, source: Any, set_back: bool) -> dict[int, Switched]:
    restorer.sweep()
    try:
        with counted(int(source.dbsize()), "keys") as show:
            restorer.copy(show)
        outcomes = {partition: restorer.switch(partition, set_back=set_back) for partition in plan.points}
    except BaseException:
        restorer.abandon()
        raise
    with working("removing the state before"):
        restorer.tidy(outcomes)
    return outcomes


def _rows(plan: Plan, outcomes: Mapping[int, Switched], ends: Mapping[int, LogBounds]) -> list[RestoredPartition]:
    rows = []
    for partition, switched in outcomes.items():
        offset = plan.points[partition].cursor.offset
        if switched.restored:
            rows.append(RestoredPartition(partition, True, offset, max(0, ends[partition].end - offset)))
        else:
            why = f"it has come further meanwhile, to record {switched.further_at}"
            rows.append(RestoredPartition(partition, False, why=why))
    rows += [
        RestoredPartition(partition, False, why="nothing was folded in the snapshot") for partition in plan.untouched
    ]
    rows += [RestoredPartition(partition, False, why="the snapshot does not hold it") for partition in plan.missing]
    return sorted(rows, key=lambda row: row.partition)
