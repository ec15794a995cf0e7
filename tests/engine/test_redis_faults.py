"""Whatever becomes of Redis, the state ends as if nothing had happened, and no transition comes twice or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.errors import InputError, UnavailableError
from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.redis.connection import RedisConnection
from streams.adapters.redis.inspect import StateInspector
from streams.adapters.redis.keys import OLDEST_FORMAT, STATE_FORMAT
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import Commit, Cursor, CursorMismatchError, Fence, FenceLostError, RawRecord
from tests.engine.driving import drive
from tests.engine.proxy import lossy_line
from tests.engine.stories import busy_log, story
from tests.engine.test_batches import seen, whole
from tests.engine.test_relay import seqs
from tests.engine.test_state_store import commit
from tests.engine.world import FENCE, LOG, World, world_on_redis
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import free_port

BOUNDS = PipelineBounds(timers_per_commit_max=10, contacts_cached_max=10, dead_letter_ratio_max=1)


class Disturbed:
    """Passes calls on to a store, and does something else in front of one commit."""

    def __init__(self, store: Any, at_commit: int, disturbance: Callable[[], object]) -> None:
        self._store = store
        self._left = at_commit
        self._disturbance = disturbance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, partition: int, commit: Commit) -> int | None:
        self._left -= 1
        if self._left == 0:
            await asyncio.to_thread(self._disturbance)
        earliest: int | None = await self._store.commit(partition, commit)
        return earliest


@dataclass
class Expected:
    """What the undisturbed log yields."""

    records: list[RawRecord]
    state: Any
    published: list[Any]

    def check(self, world: World) -> None:
        """Nothing differs, but for what may have been published before a crash made it be committed again."""
        assert world.contents() == self.state
        assert seen(world.published()) == self.published


async def expected(seed: int, records: int = 300) -> Expected:
    log = busy_log(seed, records)
    state, published, _ = await whole(log)
    return Expected(log, state, seen(published))


@story
async def test_redis_killed_between_load_and_commit_and_back_with_older_data(own_redis: LocalRedis) -> None:
    want = await expected(31)
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        await drive(world, want.records[:100], 1)
        snapshot = own_redis.snapshot()
        assert len(world.published()) > 5
        world.store = Disturbed(world.store, 6, lambda: own_redis.roll_back(snapshot))
        met = await drive(world, want.records, 2)
        assert met.total() >= 1
        want.check(world)


@story
async def test_redis_killed_and_restarted_many_times(own_redis: LocalRedis) -> None:
    want = await expected(32)
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        for at_commit in (2, 5, 9):
            world.store = Disturbed(world.store, at_commit, own_redis.restart)
        met = await drive(world, want.records[:200], 3)
        assert not met  # all was in its file, and a new connection was made in time

        def die_for_a_while() -> None:
            own_redis.kill()
            threading.Timer(0.15, own_redis.start).start()

        world.store = Disturbed(world.store, 3, die_for_a_while)
        met = await drive(world, want.records, 3)
        assert met["UnavailableError"] > 1
        want.check(world)


@story
async def test_a_redis_that_was_emptied_mends_itself_by_replay(own_redis: LocalRedis) -> None:
    want = await expected(33)
    client = own_redis.client()
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        for at_commit in (4, 9, 11):
            world.store = Disturbed(world.store, at_commit, client.flushall)
        met = await drive(world, want.records, 4)
        assert met["CursorMismatchError"] == 3
        want.check(world)
    client.close()


@story
async def test_replies_lost_on_the_line_change_nothing(own_redis: LocalRedis) -> None:
    want = await expected(34)
    async with lossy_line(own_redis.port) as line, world_on_redis(line.url, "faults") as lossy:
        lossy.bounds = BOUNDS

        met_before: set[int] = set()

        async def lose_some(offset: int) -> None:
            if offset % 3 == 0 and offset not in met_before:
                met_before.add(offset)
                line.lose_replies()

        met = await drive(lossy, want.records, 5, before_batch=lose_some)
        assert line.lost > 2
        assert met["UnavailableError"] > 2
        async with world_on_redis(own_redis.url, "faults") as direct:
            lossy.contents = direct.contents
            want.check(lossy)


@story
async def test_a_redis_that_hangs_is_away_until_it_answers(own_redis: LocalRedis) -> None:
    want = await expected(35)
    async with world_on_redis(own_redis.url, "faults", timeout_ms=150) as world:
        world.bounds = BOUNDS
        paused = 0

        async def hang(offset: int) -> None:
            nonlocal paused
            if offset > 100 and not paused:
                own_redis.pause()
                asyncio.get_running_loop().call_later(0.6, own_redis.resume)
                paused = 1

        met = await drive(world, want.records, 6, before_batch=hang)
        assert met["UnavailableError"] >= 1
        want.check(world)


@story
async def test_a_redis_that_forgot_the_scripts_is_taught_them_again(own_redis: LocalRedis) -> None:
    want = await expected(36)
    client = own_redis.client()
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        world.store = Disturbed(world.store, 5, client.script_flush)
        assert not await drive(world, want.records, 7)
        want.check(world)
    client.close()


@story
async def test_a_redis_without_memory_takes_nothing_and_goes_on_when_it_has_some(own_redis: LocalRedis) -> None:
    want = await expected(37)
    client = own_redis.client()
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        await drive(world, want.records[:60], 8)
        before = world.contents()
        client.config_set("maxmemory", 1)
        pipeline = world.pipeline()
        with pytest.raises(UnavailableError, match="OOM"):
            await pipeline.load(FENCE)
        assert world.contents() == before
        await pipeline.close()
        inspector = StateInspector(RedisAccess.at(own_redis.url), Names("faults"))
        with pytest.raises(UnavailableError, match="no memory left"):  # which `segue status` says then
            inspector.state(0, 0)
        inspector.close()
        client.config_set("maxmemory", 0)
        await drive(world, want.records, 9)
        want.check(world)
    client.close()


@story
async def test_two_owners_at_once_leave_the_trace_of_one(own_redis: LocalRedis) -> None:
    """The first does not know yet that the second has taken over; what it publishes late is what was published."""
    want = await expected(38)
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        stale = world.pipeline()
        at = await stale.load(Fence(1, "a"))
        await stale.apply(want.records[at : at + 40])
        await drive(world, want.records[:90], 10, fence=Fence(2, "b"))
        before = world.contents()
        with pytest.raises((FenceLostError, CursorMismatchError)):
            await stale.apply(want.records[40:80])
        with pytest.raises(FenceLostError):
            await stale.load(Fence(1, "a"))
        assert world.contents() == before
        await drive(world, want.records, 11, fence=Fence(2, "b"))
        await stale.close()
        assert world.contents() == want.state
        numbers = seqs(world.published())
        assert sorted(set(numbers)) == list(range(1, len(want.published) + 1))


@story
async def test_calls_of_many_partitions_share_round_trips(own_redis: LocalRedis) -> None:
    connection = RedisConnection(RedisAccess.at(own_redis.url))
    replies = await asyncio.gather(*(connection.call("ECHO", f"{number}") for number in range(500)))
    assert replies == [b"%d" % number for number in range(500)]
    await connection.close()


@story
async def test_a_call_that_was_given_up_does_not_shift_the_replies_of_others(own_redis: LocalRedis) -> None:
    connection = RedisConnection(RedisAccess.at(own_redis.url))
    given_up = asyncio.create_task(connection.call("ECHO", "given up"))
    other = asyncio.create_task(connection.call("ECHO", "other"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await other == b"other"
    assert await connection.call("ECHO", "last") == b"last"
    await connection.close()


@story
async def test_a_redis_that_may_evict_keys_is_refused(own_redis: LocalRedis) -> None:
    client = own_redis.client()
    connection = RedisConnection(RedisAccess.at(own_redis.url))
    await connection.check()
    client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(InputError, match="allkeys-lru: expected noeviction"):
        await connection.check()
    await connection.close()
    client.close()


@story
async def test_a_redis_that_wants_a_password_says_so_without_showing_ours(own_redis: LocalRedis) -> None:
    client = own_redis.client()
    client.config_set("requirepass", "right")
    connection = RedisConnection(RedisAccess.at(own_redis.url.replace("redis://", "redis://:secret-wrong@")))
    with pytest.raises(InputError, match="SEGUE_REDIS_URL") as refused:
        await connection.check()
    assert "secret-wrong" not in str(refused.value)
    await connection.close()
    client.close()


@story
async def test_no_redis_at_all_is_a_dependency_that_is_down(own_redis: LocalRedis) -> None:
    own_redis.kill()
    connection = RedisConnection(RedisAccess.at(own_redis.url))
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{own_redis.port}"):
        await connection.check()
    await connection.close()


@story
async def test_a_state_of_a_newer_format_is_refused_and_one_of_an_older_is_folded_again(own_redis: LocalRedis) -> None:
    want = await expected(39, 150)
    client = own_redis.client()
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        await drive(world, want.records, 12)
        client.hset("faults:{tracking-0}:meta", "format", OLDEST_FORMAT - 1)
        meta = await world.store.take(0, FENCE, LOG)
        assert (meta.cursor.offset, meta.epoch) == (0, 1)
        await drive(world, want.records, 13)
        want.check(world)
        client.hset("faults:{tracking-0}:meta", "format", STATE_FORMAT + 1)
        with pytest.raises(InputError, match=f"format {STATE_FORMAT + 1}"):
            await world.store.take(0, FENCE, LOG)
    client.close()


@story
async def test_who_only_reads_a_state_does_not_misread_one_of_another_format(own_redis: LocalRedis) -> None:
    want = await expected(39, 50)
    client = own_redis.client()
    inspector = StateInspector(RedisAccess.at(own_redis.url), Names("faults"))
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        await drive(world, want.records, 12)
        key = next(iter(world.contents()["0"]["contacts"]))
        assert inspector.contact(0, key).raw is not None
        for stored, advice in ((OLDEST_FORMAT - 1, "start a worker"), (STATE_FORMAT + 1, "newer version")):
            client.hset("faults:{tracking-0}:meta", "format", stored)
            with pytest.raises(InputError, match=f"format {stored}.*{advice}"):
                inspector.contact(0, key)
    inspector.close()
    client.close()


@story
async def test_after_a_reset_two_members_of_one_generation_still_exclude_each_other(own_redis: LocalRedis) -> None:
    inspector = StateInspector(RedisAccess.at(own_redis.url), Names("faults"))
    async with world_on_redis(own_redis.url, "faults") as world:
        await world.store.take(0, Fence(1, "a"), LOG)
        assert inspector.reset_fence(0) == Fence(1, "a")
        await world.store.take(0, Fence(1, "b"), LOG)
        with pytest.raises(FenceLostError):
            await world.store.commit(0, commit(fence=Fence(1, "a")))
        await world.store.commit(0, commit(fence=Fence(1, "b")))
    inspector.close()


@story
async def test_a_state_that_was_started_over_at_its_very_beginning_is_another_state(own_redis: LocalRedis) -> None:
    inspector = StateInspector(RedisAccess.at(own_redis.url), Names("faults"))
    async with world_on_redis(own_redis.url, "faults") as world:
        await world.store.take(0, FENCE, LOG)
        assert inspector.raise_epoch(0) == 2
        with pytest.raises(CursorMismatchError):
            await world.store.commit(0, commit(contacts={"0" * 32: b"of the old epoch"}))
        with pytest.raises(CursorMismatchError):
            await world.store.load(0, Cursor(0, 0), [], None, 0)
        assert (await world.store.take(0, FENCE, LOG)).epoch == 2
        assert world.contents()["0"]["contacts"] == {}
    inspector.close()


@story
async def test_a_master_that_became_a_replica_is_left_for_whoever_has_its_name_now(own_redis: LocalRedis) -> None:
    want = await expected(40, 150)
    client = own_redis.client()
    async with world_on_redis(own_redis.url, "faults") as world:
        world.bounds = BOUNDS
        connections: list[int] = []

        def demote() -> None:
            connections.append(client.info("stats")["total_connections_received"])
            client.replicaof("127.0.0.1", str(free_port()))
            threading.Timer(0.15, client.replicaof, ("NO", "ONE")).start()

        world.store = Disturbed(world.store, 4, demote)
        met = await drive(world, want.records, 14)
        assert met["UnavailableError"] > 0
        assert client.info("stats")["total_connections_received"] > connections[0]
        want.check(world)
    client.close()
