"""A version of Segue to come, which works on no state of today's format but builds its own from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from streams.adapters.memory import MemoryStateStore
from streams.adapters.redis_builds import RedisBuildStore
from streams.adapters.redis_generation_store import RedisGenerationStore
from streams.adapters.redis_keys import STATE_FORMAT, StateFormats
from streams.adapters.redis_state import RedisStateStore
from tests.engine.amid import Amid, amid
from tests.engine.world import World

NEXT = StateFormats(newest=STATE_FORMAT + 1, as_it_is=STATE_FORMAT + 1, by_building=STATE_FORMAT)


def next_version(world: World) -> World:
    """The world as it is to a process of the next version, which comes now."""
    store = world.store
    if isinstance(store, MemoryStateStore):
        for found in store.partitions.values():
            found.meta = replace(found.meta, outdated_format=STATE_FORMAT)
        return world
    assert isinstance(store, RedisStateStore), "there are two kinds of worlds"
    connection, later = store._connection, RedisStateStore(store._connection, world.names, NEXT)
    return replace(
        world,
        store=later,
        builds=RedisBuildStore(connection, world.names, NEXT),
        generations=RedisGenerationStore(connection, world.names, later),
    )


def amid_upgrade(world: World, call: str, happens: Callable[[], Awaitable[None]], number: int = 1) -> World:
    """The world as a process sees it to which something happens in front of a call of its upgrade."""
    if call == "take":
        return replace(world, store=Amid(world.store, call, number, happens))
    return amid(world, call, happens, number)
