"""A Redis Cluster whose masters die and whose slots move: the state ends as if nothing had happened."""

from __future__ import annotations

import asyncio
import threading

import pytest

from schemas.errors import InputError, UnavailableError
from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.redis.connection import RedisConnection
from streams.adapters.redis.inspect import StateInspector
from streams.adapters.redis.keys import StateKeys
from streams.ports import CursorMismatchError
from tests.engine.driving import drive
from tests.engine.stories import story
from tests.engine.test_redis_faults import BOUNDS, Disturbed, expected
from tests.engine.test_state_store import commit
from tests.engine.world import FENCE, LOG, world_on_redis
from tests.support.redis_cluster import LocalCluster
from tests.support.redis_servers import LocalRedis
from tests.support.waiting import wait_until

NAMES = Names("cluster")
META = NAMES.key(0, "meta")


def others(cluster: LocalCluster, server: LocalRedis) -> list[LocalRedis]:
    return [other for other in cluster.servers if other is not server]


def move(cluster: LocalCluster, key: str) -> None:
    """Move the slot of a key to another master."""
    source = cluster.holder(key)
    target = others(cluster, source)[0]
    slot = cluster.begin_move(key, target)
    cluster.move_keys(slot, source, target)
    cluster.end_move(slot, target)


@story
async def test_every_partition_lies_on_the_master_of_its_slot_and_calls_share_a_line_to_each(
    own_cluster: LocalCluster,
) -> None:
    connection = RedisConnection(RedisAccess.at(own_cluster.url))
    await connection.check()
    before = [_connections(server) for server in own_cluster.servers]
    keys = [NAMES.key(partition, "meta") for partition in range(60)]
    await asyncio.gather(*(connection.call("HSET", key, "name", key) for key in keys))
    assert await asyncio.gather(*(connection.call("HGET", key, "name") for key in keys)) == [k.encode() for k in keys]
    # Each look of ours is a connection too.
    assert [_connections(server) - 1 for server in own_cluster.servers] == before
    held = [own_cluster.command(server, "DBSIZE") for server in own_cluster.servers]
    assert sum(held) == len(keys)
    assert min(held) > 5
    await connection.close()


def _connections(server: LocalRedis) -> int:
    with server.client() as client:
        return int(client.info("stats")["total_connections_received"])


@story
async def test_while_a_slot_moves_nothing_is_written_at_all_and_then_work_goes_on_at_its_new_place(
    own_cluster: LocalCluster,
) -> None:
    want = await expected(41, 200)
    async with world_on_redis(own_cluster.url, NAMES.namespace) as world:
        world.bounds = BOUNDS
        await drive(world, want.records[:100], 1)
        before = world.contents()
        at = (await world.store.take(0, FENCE, LOG)).cursor
        source = own_cluster.holder(META)
        target = others(own_cluster, source)[0]
        slot = own_cluster.begin_move(META, target)
        moved = 0
        for most in (0, 1, 7, None):  # nothing of it has moved, one key, some, all: meta is among them at some time
            moved += own_cluster.move_keys(slot, source, target, most)
            with pytest.raises(UnavailableError):
                await world.store.commit(0, commit(before=at, contacts={"0" * 32: b"new"}))
            with pytest.raises(UnavailableError):
                await world.store.load(0, at, ["0" * 32], None, 1)
        assert moved > 10
        own_cluster.end_move(slot, target)
        assert own_cluster.holder(META) is target
        assert world.contents() == before
        assert await world.store.outbox(0, 0, 1) == []
        assert not await drive(world, want.records, 2)
        want.check(world)


@story
async def test_slots_that_move_while_a_log_is_folded_change_nothing(own_cluster: LocalCluster) -> None:
    want = await expected(42)
    async with world_on_redis(own_cluster.url, NAMES.namespace) as world:
        world.bounds = BOUNDS
        for at_commit in (3, 8, 14):
            world.store = Disturbed(world.store, at_commit, lambda: move(own_cluster, META))
        met = await drive(world, want.records, 3)
        assert not met  # a call that comes to the old place was not executed, and goes on to the new one
        want.check(world)


@story
async def test_a_slot_that_moves_slowly_holds_up_its_partition_and_no_other(own_cluster: LocalCluster) -> None:
    want = await expected(43)
    elsewhere = next(
        partition
        for partition in range(1, 50)
        if own_cluster.holder(NAMES.key(partition, "meta")) is not own_cluster.holder(META)
    )
    async with world_on_redis(own_cluster.url, NAMES.namespace) as world:
        world.bounds = BOUNDS

        def move_slowly() -> None:
            source = own_cluster.holder(META)
            target = others(own_cluster, source)[0]
            slot = own_cluster.begin_move(META, target)
            own_cluster.move_keys(slot, source, target, 5)

            def finish() -> None:
                own_cluster.move_keys(slot, source, target)
                own_cluster.end_move(slot, target)

            threading.Timer(0.3, finish).start()

        await world.store.take(elsewhere, FENCE, LOG)
        world.store = Disturbed(world.store, 6, move_slowly)
        met = await drive(world, want.records, 4)
        assert met["UnavailableError"] > 1
        assert (await world.store.take(elsewhere, FENCE, LOG)).seq == 0
        assert world.contents()["0"] == want.state["0"]


@story
async def test_a_master_that_is_killed_stalls_its_partitions_until_it_is_back(own_cluster: LocalCluster) -> None:
    want = await expected(44)
    async with world_on_redis(own_cluster.url, NAMES.namespace) as world:
        world.bounds = BOUNDS
        holder = own_cluster.holder(META)

        def die_for_a_while() -> None:
            holder.kill()
            threading.Timer(0.5, holder.start).start()

        world.store = Disturbed(world.store, 7, die_for_a_while)
        met = await drive(world, want.records, 5)
        assert met["UnavailableError"] > 1
        want.check(world)


@story
async def test_a_cluster_that_misses_slots_is_away_and_comes_back(own_cluster: LocalCluster) -> None:
    want = await expected(45, 200)
    async with world_on_redis(own_cluster.url, NAMES.namespace) as world:
        world.bounds = BOUNDS
        await drive(world, want.records[:100], 6)
        holder = own_cluster.holder(META)
        other = others(own_cluster, holder)[0]
        other.kill()
        wait_until(
            lambda: b"cluster_state:fail" in own_cluster.command(holder, "CLUSTER", "INFO"),
            20,
            "a cluster that notices",
        )
        with pytest.raises(UnavailableError, match="moves or misses slots"):
            await world.store.take(0, FENCE, LOG)
        other.start()
        own_cluster.wait_until_well()
        await drive(world, want.records, 7)
        want.check(world)


@story
async def test_what_is_found_first_may_die_and_another_node_says_where_all_lies(own_cluster: LocalCluster) -> None:
    connection = RedisConnection(RedisAccess.at(own_cluster.url))
    named = own_cluster.servers[:2]
    key = next(
        key
        for key in (NAMES.key(partition, "meta") for partition in range(100))
        if own_cluster.holder(key) is own_cluster.servers[2]
    )
    named[0].kill()
    await connection.call("HSET", key, "a", 1)
    await connection.close()
    named[0].start()


@story
async def test_a_state_that_is_started_over_leaves_nothing_of_the_old_one(own_cluster: LocalCluster) -> None:
    want = await expected(46, 150)
    inspector = StateInspector(RedisAccess.at(own_cluster.url), NAMES)
    async with world_on_redis(own_cluster.url, NAMES.namespace) as world:
        world.bounds = BOUNDS
        await drive(world, want.records, 8)
        holder = own_cluster.holder(META)
        assert inspector.raise_epoch(0) == 2
        assert own_cluster.command(holder, "KEYS", StateKeys(NAMES, 0, 1).all_generations) == []
        with pytest.raises(CursorMismatchError):
            await world.store.commit(0, commit())
        await world.store.take(0, FENCE, LOG)
        await drive(world, want.records, 9)
        assert world.contents()["0"]["contacts"] == want.state["0"]["contacts"]
        meta = await world.store.start_over(0, FENCE, 3)
        assert meta.epoch == 3
        keys = own_cluster.command(holder, "KEYS", f"{NAMES.namespace}:*")
        assert [key for key in keys if b":g" in key] == []
    inspector.close()


@story
async def test_a_key_that_moved_is_found_by_commands_that_looked_before(own_cluster: LocalCluster) -> None:
    inspector = StateInspector(RedisAccess.at(own_cluster.url), NAMES)
    async with world_on_redis(own_cluster.url, NAMES.namespace) as world:
        await world.store.take(0, FENCE, LOG)
        assert inspector.progress(0) is not None
        move(own_cluster, META)
        assert inspector.progress(0) is not None
        assert inspector.reset_fence(0) == FENCE
    inspector.close()


@story
async def test_every_master_is_looked_at_when_a_worker_starts(own_cluster: LocalCluster) -> None:
    connection = RedisConnection(RedisAccess.at(own_cluster.url))
    await connection.check()
    own_cluster.command(own_cluster.servers[2], "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(InputError, match=f"127.0.0.1:{own_cluster.servers[2].port} has maxmemory-policy allkeys-lru"):
        await connection.check()
    await connection.close()


@story
async def test_an_address_that_says_another_kind_of_redis_is_refused(own_cluster: LocalCluster, redis_url: str) -> None:
    node = own_cluster.servers[0].url
    for address, expected_text in (
        (node, r"belongs to a cluster: expected SEGUE_REDIS_URL to begin with redis\+cluster://"),
        (redis_url.replace("redis://", "redis+cluster://"), r"is no cluster: expected SEGUE_REDIS_URL to begin with"),
    ):
        connection = RedisConnection(RedisAccess.at(address))
        with pytest.raises(InputError, match=expected_text):
            await connection.check()
        await connection.close()
        inspector = StateInspector(RedisAccess.at(address), NAMES)
        with pytest.raises(InputError, match=expected_text):
            [inspector.progress(partition) for partition in range(30)]  # some of them the node may hold
        inspector.close()
