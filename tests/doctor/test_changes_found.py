"""What the doctor's facts say of a real Redis in which definitions change."""

from __future__ import annotations

from typing import Any

from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.redis.facts import state_facts
from streams.adapters.redis.inspect import StateInspector
from streams.adapters.redis.keys import StateKeys
from streams.doctor.definitions_checks import builds
from streams.doctor.facts import StateFacts
from streams.doctor.state_checks import leftovers
from tests.doctor.deployments import well
from tests.engine.interrupted import build, fold_until_told, fold_without_tidying
from tests.engine.stories import story
from tests.engine.test_changes_seen import CHANGED, HASH, log
from tests.engine.world import world_on_redis
from tests.support.redis_servers import LocalRedis

RECORDS = log().records


def facts_of(redis: LocalRedis, names: Names) -> StateFacts:
    return state_facts(redis.client(), names, 0)


def complaints(state: StateFacts) -> list[str]:
    facts = well(state=state)
    return [one.found for check in (builds, leftovers) for one in check(facts) if one.level != "ok"]


def world_of(redis: LocalRedis) -> Any:
    return world_on_redis(redis.url, "shop")


@story
async def test_what_a_change_rests_on_is_no_leftover(own_redis: LocalRedis) -> None:
    async with world_of(own_redis) as world:
        world.partitions = 2
        await world.fold([RECORDS[:-1]])
        await build(world, CHANGED, RECORDS[:5])
        found = facts_of(own_redis, world.names)
        one = found.builds[0]
        assert (one.definitions_hash, one.offset, one.by_worker) == (HASH, 5, False)
        assert one.keys > 2
        assert one.idle_s is not None
        assert complaints(found) == []
        await fold_until_told(world, RECORDS, 1)
        found = facts_of(own_redis, world.names)
        assert (found.builds, found.points[0].is_telling, complaints(found)) == ({}, True, [])
        await fold_without_tidying(world, RECORDS)
        found = facts_of(own_redis, world.names)
        assert (found.points[0].is_telling, complaints(found)) == (False, [])
        assert [one.found for one in builds(well(state=found))] == [
            "partition 0 removes the state from before its last one"
        ]


@story
async def test_keys_of_no_generation_that_anything_rests_on_are_leftovers(own_redis: LocalRedis) -> None:
    async with world_of(own_redis) as world:
        world.partitions = 2
        await world.fold([RECORDS[:-1]])
        await build(world, CHANGED, RECORDS[:5])
        own_redis.client().set(StateKeys(world.names, 0, 9).contact("x"), "1")
        assert complaints(facts_of(own_redis, world.names)) == ["1 keys of other generations, in partition 0"]


def age(redis: LocalRedis, pattern: str, idle_s: int) -> None:
    """Let keys have been left alone for so long."""
    client: Any = redis.client()
    for key in list(client.scan_iter(match=pattern)):
        client.restore(key, 0, client.dump(key), replace=True, idletime=idle_s)


@story
async def test_a_build_is_left_alone_until_somebody_goes_on_with_it_and_looking_is_not_going_on(
    own_redis: LocalRedis,
) -> None:
    async with world_of(own_redis) as world:
        world.partitions = 2
        await world.fold([RECORDS[:-1]])
        builder = await build(world, CHANGED, RECORDS[:5])
        age(own_redis, "shop:{tracking-0}:g2:*", 7_200)
        inspector = StateInspector(RedisAccess.at(own_redis.url), world.names)
        for _ in range(2):
            assert inspector.state(0, 0) is not None
            found = facts_of(own_redis, world.names)
            assert "left alone for 120 min" in complaints(found)[0]
        inspector.close()
        await builder.apply(RECORDS[5:7])
        assert complaints(facts_of(own_redis, world.names)) == []
