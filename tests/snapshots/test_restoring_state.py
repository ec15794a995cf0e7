"""A state that is brought back beside the one that serves, on a real Redis, and all that may come between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError, UnavailableError
from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.redis.consumers import bring_back_consumers, read_progress
from streams.adapters.redis.dump import fetch_dump
from streams.adapters.redis.generations import count_keys, drop_generations, serving_keys
from streams.adapters.redis.inspect import StateInspector
from streams.adapters.redis.points import read_points
from streams.adapters.redis.private import loaded_dump
from streams.adapters.redis.restore import StateRestorer
from streams.adapters.redis.server import server_client
from streams.ports import Fence
from tests.engine.stories import busy_log
from tests.engine.world import FENCE, redis_contents, world_on_redis
from tests.support.redis_servers import LocalRedis

NAMES = Names("shop")
RECORDS = busy_log(5, records=600)
CUT = 350


def fold(redis: LocalRedis, upto: int, fence: Fence = FENCE) -> None:
    """Fold the log as far as `upto`, from where the state stands; nothing is left in the outbox."""

    async def whole() -> None:
        async with world_on_redis(redis.url, NAMES.namespace) as world:
            pipeline = world.pipeline()
            start = await pipeline.load(fence)
            await pipeline.close()
            await world.fold([RECORDS[start:upto]], fence)

    asyncio.run(whole())


def contents(redis: LocalRedis) -> Any:
    """All that is stored of the partition, and nothing of it twice."""
    return redis_contents(redis.url, NAMES)["0"]


def served(redis: LocalRedis) -> Any:
    """What serves, whatever lies beside it."""
    return redis_contents(redis.url, NAMES, only_serving=True)["0"]


@pytest.fixture
def snapshot(own_redis: LocalRedis, tmp_path: Path) -> Iterator[Any]:
    """A server that holds the state at `CUT`; the one that serves has gone on to the end."""
    fold(own_redis, CUT)
    fetch_dump(RedisAccess.at(own_redis.url), tmp_path / "dump.rdb", lambda _done: None)
    with loaded_dump(tmp_path / "dump.rdb", 0, lambda _done: None) as source:
        yield source


def restorer(source: Any, redis: LocalRedis) -> StateRestorer:
    """Of all that the snapshot holds."""
    target = server_client(RedisAccess.at(redis.url), one_connection=True)
    return StateRestorer(source, target, NAMES, read_points(source, NAMES), read_points(target, NAMES))


def stale(redis: LocalRedis) -> int:
    """Keys of generations that do not serve."""
    client = redis.client()
    points = read_points(client, NAMES)
    serving = serving_keys(NAMES, {number: point.generation for number, point in points.items()})
    return sum(count_keys(client, serving).values())


def restored(source: Any, redis: LocalRedis, *, set_back: bool = True) -> StateRestorer:
    """Run a restore to its end."""
    one = restorer(source, redis)
    one.sweep()
    one.copy(lambda _done: None)
    one.tidy({0: one.switch(0, set_back=set_back)})
    return one


def test_a_state_is_brought_back_byte_for_byte_and_nothing_else_is_left(own_redis: LocalRedis, snapshot: Any) -> None:
    at_cut = contents(own_redis)
    fold(own_redis, len(RECORDS))
    at_end = contents(own_redis)
    assert at_end != at_cut
    restored(snapshot, own_redis)
    assert contents(own_redis) == at_cut
    assert stale(own_redis) == 0
    fold(own_redis, len(RECORDS))
    assert contents(own_redis) == at_end


def test_an_emptied_redis_is_filled_again_and_any_owner_may_take_it(own_redis: LocalRedis, snapshot: Any) -> None:
    at_cut = contents(own_redis)
    own_redis.client().flushall()
    restored(snapshot, own_redis)
    assert contents(own_redis) == at_cut
    fold(own_redis, len(RECORDS), Fence(1, "after the group was made anew"))


def test_the_owner_keeps_its_fence(own_redis: LocalRedis, snapshot: Any) -> None:
    fold(own_redis, len(RECORDS), Fence(9, "member-9"))
    restored(snapshot, own_redis)
    assert read_points(own_redis.client(), NAMES)[0].fence == Fence(9, "member-9")


def test_what_has_come_further_meanwhile_is_left_alone_unless_it_is_asked_for(
    own_redis: LocalRedis, snapshot: Any
) -> None:
    one = restorer(snapshot, own_redis)
    one.copy(lambda _done: None)
    fold(own_redis, len(RECORDS))
    at_end = served(own_redis)
    switched = one.switch(0, set_back=False)
    one.tidy({0: switched})
    assert (switched.restored, switched.further_at) == (False, len(RECORDS))
    assert contents(own_redis) == at_end
    assert stale(own_redis) == 0


def test_a_restore_that_dies_amid_its_copy_leaves_the_old_state_serving_and_can_be_run_again(
    own_redis: LocalRedis, snapshot: Any
) -> None:
    at_cut = contents(own_redis)
    fold(own_redis, 500)
    dead = restorer(snapshot, own_redis)
    with pytest.raises(InterruptedError):
        dead.copy(_dies)
    assert stale(own_redis) > 0
    fold(own_redis, len(RECORDS))  # not disturbed by what lies there
    restored(snapshot, own_redis)
    assert contents(own_redis) == at_cut
    assert stale(own_redis) == 0


def _dies(_done: int) -> None:
    raise InterruptedError


def _empty(redis: LocalRedis, _source: Any) -> None:
    redis.client().flushall()
    fold(redis, 20)


def _raise_epoch(redis: LocalRedis, _source: Any) -> None:
    inspector = StateInspector(RedisAccess.at(redis.url), NAMES)
    inspector.raise_epoch(0)
    inspector.close()
    fold(redis, 20)


def _restore_too(redis: LocalRedis, source: Any) -> None:
    restored(source, redis)


@pytest.mark.parametrize(
    ("between", "words"),
    [(_empty, "Redis was emptied"), (_raise_epoch, "started over"), (_restore_too, "another `segue restore` began")],
    ids=["Redis is emptied", "the epoch is raised", "another restore"],
)
def test_what_comes_between_copy_and_switch_is_left_as_it_is(
    own_redis: LocalRedis, snapshot: Any, between: Callable[[LocalRedis, Any], None], words: str
) -> None:
    one = restorer(snapshot, own_redis)
    one.copy(lambda _done: None)
    between(own_redis, snapshot)
    expected = served(own_redis)
    with pytest.raises(UnavailableError, match=words):
        one.switch(0, set_back=True)
    one.abandon()
    assert contents(own_redis) == expected
    assert stale(own_redis) == 0


def test_a_state_of_another_log_that_began_to_serve_meanwhile_is_not_replaced(
    own_redis: LocalRedis, snapshot: Any
) -> None:
    one = restorer(snapshot, own_redis)
    one.copy(lambda _done: None)
    own_redis.client().hset(NAMES.key(0, "meta"), "topic_id", "topic-2")
    with pytest.raises(InputError, match="belongs to another log"):
        one.switch(0, set_back=True)


def test_who_removes_older_generations_touches_nothing_of_a_redis_that_was_emptied(own_redis: LocalRedis) -> None:
    fold(own_redis, 50)
    inspector = StateInspector(RedisAccess.at(own_redis.url), NAMES)
    assert inspector.raise_epoch(0) == 2
    client = own_redis.client()
    serving = serving_keys(NAMES, {0: 2})
    client.flushall()
    fold(own_redis, 50)
    expected = contents(own_redis)
    drop_generations(client, serving)
    assert contents(own_redis) == expected
    inspector.close()


def test_progress_of_consumers_only_moves_forward_and_no_dead_letter_vanishes(
    own_redis: LocalRedis, tmp_path: Path
) -> None:
    client = own_redis.client()
    letters = NAMES.shared_key("{consumer-webhook}", "dead_letters")

    def progress(partition: int, seq: int) -> None:
        client.hset(NAMES.key(partition, "consumer", "webhook"), mapping={"epoch": 1, "seq": seq, "offset": seq})

    for partition in range(3):
        progress(partition, 50)
    client.zadd(NAMES.key(2, "consumer", "webhook", "ahead"), {"51": 51, "60": 60})
    client.hset(letters, mapping={"t1": "one", "t2": "two"})
    fetch_dump(RedisAccess.at(own_redis.url), tmp_path / "dump.rdb", lambda _done: None)
    progress(0, 70)
    progress(1, 20)
    client.delete(NAMES.key(2, "consumer", "webhook"), NAMES.key(2, "consumer", "webhook", "ahead"))
    client.hdel(letters, "t1")
    client.hset(letters, "t2", "newer")
    with loaded_dump(tmp_path / "dump.rdb", 0, lambda _done: None) as source:
        assert bring_back_consumers(source, client, NAMES) == 1
    assert [(one.partition, one.seq) for one in read_progress(client, NAMES)] == [(0, 70), (1, 50), (2, 50)]
    assert client.zrange(NAMES.key(2, "consumer", "webhook", "ahead"), 0, -1) == [b"51", b"60"]
    assert client.hgetall(letters) == {b"t1": b"one", b"t2": b"newer"}


def test_large_keys_come_back_whole_page_by_page(own_redis: LocalRedis, tmp_path: Path) -> None:
    fold(own_redis, CUT)
    client: Any = own_redis.client()
    keys = serving_keys(NAMES, {0: 1})[0]
    client.zadd(keys.timers, {f"key-{number}": number // 3 for number in range(2_501)})
    client.zadd(keys.members("crowd"), {f"contact-{number}": 1.7e12 + number for number in range(1_001)})
    large = {keys.contact(f"{number:040x}"): bytes([number % 256]) * 400_000 for number in range(7)}
    client.mset(large)
    for seq in range(1, 2_102):
        client.xadd(keys.outbox, {"offset": seq, "value": b"\x00\xff"}, id=f"{seq + 10_000}-0")
    outbox, at_cut = client.xrange(keys.outbox), contents(own_redis)
    fetch_dump(RedisAccess.at(own_redis.url), tmp_path / "dump.rdb", lambda _done: None)
    client.flushall()
    with loaded_dump(tmp_path / "dump.rdb", 0, lambda _done: None) as source:
        restored(source, own_redis)
    assert contents(own_redis) == at_cut
    generation = read_points(client, NAMES)[0].generation
    assert client.xrange(serving_keys(NAMES, {0: generation})[0].outbox) == outbox


def test_a_worker_that_starts_over_takes_a_copy_in_the_making_for_no_leftover(
    own_redis: LocalRedis, snapshot: Any
) -> None:
    one = restorer(snapshot, own_redis)
    one.copy(lambda _done: None)
    copied = stale(own_redis)

    async def start_over() -> None:
        async with world_on_redis(own_redis.url, NAMES.namespace) as world:
            await world.store.take(0, FENCE, world.log)
            await world.store.start_over(0, FENCE, 1)

    asyncio.run(start_over())
    assert stale(own_redis) == copied > 10
    one.abandon()
    assert stale(own_redis) == 0
