"""States that are brought back from the middle of a change of definitions, and changes in the middle of a restore."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.memory import MemoryLogs
from streams.adapters.redis.dump import fetch_dump
from streams.adapters.redis.generations import count_keys, serving_keys
from streams.adapters.redis.points import read_points
from streams.adapters.redis.private import loaded_dump
from streams.adapters.redis.restore import StateRestorer
from streams.adapters.redis.server import server_client
from streams.ports import CursorMismatchError
from streams.snapshots.manifest import make_manifest, read_manifest
from tests.engine.interrupted import build, fold_until_told, fold_without_tidying
from tests.engine.stories import changing_log
from tests.engine.test_changing import whole
from tests.engine.world import World, redis_contents, world_on_redis
from tests.support.redis_servers import LocalRedis

NAMES = Names("shop")
RECORDS = changing_log(3, 300)
CHANGES = [record.offset for record in RECORDS[1:] if b'"definitions"' in (record.value or b"")]
CHANGE = CHANGES[1]


@cache
def expected() -> tuple[Any, list[bytes | None]]:
    """The state and the output of a worker that nothing comes between."""
    contents, published = asyncio.run(whole(RECORDS))
    return contents["0"], [message.value for message in published]


def assert_at_the_end(redis: LocalRedis, logs: MemoryLogs) -> None:
    state, published = expected()
    assert redis_contents(redis.url, NAMES)["0"] == state
    assert [message.value for message in logs.logs[NAMES.transitions, 0]] == published
    assert stale(redis) == 0


def definitions_at(offset: int) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.loads(RECORDS[offset].value or b"")["definitions"])
    return data


def work(redis: LocalRedis, logs: MemoryLogs, *stories: Callable[[World], Awaitable[object]]) -> None:
    """Do things with the state in Redis and the output so far."""

    async def whole_work() -> None:
        async with world_on_redis(redis.url, NAMES.namespace) as world:
            world.logs = logs
            world.history.logs[0] = RECORDS
            for story in stories:
                await story(world)

    asyncio.run(whole_work())


def folding(upto: int) -> Callable[[World], Awaitable[object]]:
    """Fold the log on, from where it stands."""

    async def fold(world: World) -> None:
        await world.fold([RECORDS[:upto]])
        world.history.logs[0] = RECORDS

    return fold


@contextmanager
def snapshot(redis: LocalRedis, directory: Path) -> Iterator[Any]:
    """A server that holds what Redis holds now."""
    fetch_dump(RedisAccess.at(redis.url), directory / "dump.rdb", lambda _done: None)
    with loaded_dump(directory / "dump.rdb", 0, lambda _done: None) as source:
        yield source


def restorer(source: Any, redis: LocalRedis) -> StateRestorer:
    target = server_client(RedisAccess.at(redis.url), one_connection=True)
    return StateRestorer(source, target, NAMES, read_points(source, NAMES), read_points(target, NAMES))


def restore(source: Any, redis: LocalRedis) -> None:
    one = restorer(source, redis)
    one.sweep()
    one.copy(lambda _done: None)
    one.tidy({0: one.switch(0, set_back=True)})


def stale(redis: LocalRedis) -> int:
    """Keys of generations that do not serve."""
    client = redis.client()
    serving = serving_keys(NAMES, {number: point.generation for number, point in read_points(client, NAMES).items()})
    return sum(count_keys(client, serving).values())


async def told_in_part(world: World) -> None:
    """One contact after another is told of a change; two were."""
    await fold_until_told(world, RECORDS[: CHANGE + 1], 2)


async def told_of_none(world: World) -> None:
    await fold_until_told(world, RECORDS[: CHANGE + 1], 0)


async def told_of_all(world: World) -> None:
    await fold_without_tidying(world, RECORDS[: CHANGE + 1])


async def built_in_part(world: World) -> None:
    await build(world, definitions_at(CHANGE), RECORDS[: CHANGE - 10])


STAGES = {
    "built": (built_in_part,),
    "none told": (told_of_none,),
    "told in part": (told_in_part,),
    "told": (told_of_all,),
    "after it": (folding(CHANGE + 20),),
}


def test_the_change_that_is_interrupted_tells_something() -> None:
    by_change = [value for value in expected()[1] if f'"tracking-0@{CHANGE}"'.encode() in (value or b"")]
    assert len([value for value in by_change if b'"definition"' in (value or b"")]) > 3


@pytest.mark.parametrize("emptied", [True, False], ids=["into an emptied Redis", "over what has come further"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_state_from_any_stage_of_a_change_comes_to_the_same_end(
    own_redis: LocalRedis, tmp_path: Path, stage: str, emptied: bool
) -> None:
    logs = MemoryLogs()
    work(own_redis, logs, folding(CHANGE), *STAGES[stage])
    with snapshot(own_redis, tmp_path) as source:
        if emptied:
            own_redis.client().flushall()
        else:
            work(own_redis, logs, folding(len(RECORDS)))
        restore(source, own_redis)
    assert own_redis.client().exists(NAMES.key(0, "build")) == 0
    work(own_redis, logs, folding(len(RECORDS)))
    assert_at_the_end(own_redis, logs)


@pytest.mark.parametrize("stage", ["none told", "told in part"])
def test_what_a_change_still_has_to_tell_outlives_a_restore_that_comes_to_nothing(
    own_redis: LocalRedis, tmp_path: Path, stage: str
) -> None:
    logs = MemoryLogs()
    work(own_redis, logs, folding(CHANGE - 20))
    with snapshot(own_redis, tmp_path) as source:
        work(own_redis, logs, folding(CHANGE), *STAGES[stage])
        one = restorer(source, own_redis)
        one.sweep()
        one.copy(lambda _done: None)
        switched = one.switch(0, set_back=False)
        assert not switched.restored
        one.tidy({0: switched})
    work(own_redis, logs, folding(len(RECORDS)))
    assert_at_the_end(own_redis, logs)


def test_what_is_built_outlives_a_sweep_and_is_given_up_where_another_state_serves(
    own_redis: LocalRedis, tmp_path: Path
) -> None:
    logs = MemoryLogs()
    work(own_redis, logs, folding(CHANGE - 20))
    with snapshot(own_redis, tmp_path) as source:

        async def amid_a_build(world: World) -> None:
            builder = await build(world, definitions_at(CHANGE), RECORDS[:50])
            one = restorer(source, own_redis)
            await asyncio.to_thread(one.sweep)
            await builder.apply(RECORDS[50 : CHANGE - 20])
            await asyncio.to_thread(one.copy, lambda _done: None)
            one.tidy({0: one.switch(0, set_back=True)})
            with pytest.raises(CursorMismatchError):
                await builder.apply(RECORDS[CHANGE - 20 : CHANGE])

        work(own_redis, logs, amid_a_build)
    assert stale(own_redis) == 0
    work(own_redis, logs, folding(len(RECORDS)))
    assert_at_the_end(own_redis, logs)


def test_a_copy_of_both_states_counts_only_as_long_as_both_are_whole(own_redis: LocalRedis, tmp_path: Path) -> None:
    work(own_redis, MemoryLogs(), folding(CHANGE), told_in_part)
    with snapshot(own_redis, tmp_path) as source:
        client = own_redis.client()
        one = restorer(source, own_redis)
        one.copy(lambda _done: None)
        marks = sorted(client.scan_iter(match="*:staged"))
        assert len(marks) == 2
        client.delete(marks[0])
        with pytest.raises(Exception, match="another `segue restore` began"):
            one.switch(0, set_back=True)
        one.abandon()
        assert not list(client.scan_iter(match="*:staged"))


def test_a_snapshot_says_which_definitions_held(own_redis: LocalRedis, tmp_path: Path) -> None:
    work(own_redis, MemoryLogs(), folding(len(RECORDS)))
    points = read_points(own_redis.client(), NAMES)
    (tmp_path / "s.json").write_bytes(make_manifest("shop", 0, "7", [], points).encoded())
    entry = read_manifest(tmp_path / "s.json").partitions[0]
    assert [version.offset for version in entry.versions] == [0, *CHANGES]
    assert entry.versions == expected()[0]["definitions"][1]


def test_a_worker_goes_on_with_what_was_built_before_a_sweep(own_redis: LocalRedis, tmp_path: Path) -> None:
    logs = MemoryLogs()
    work(own_redis, logs, folding(CHANGE), built_in_part)
    with snapshot(own_redis, tmp_path) as source:
        restorer(source, own_redis).sweep()
    work(own_redis, logs, folding(len(RECORDS)))
    assert_at_the_end(own_redis, logs)
