"""A version of Segue to come, which works on no state of today's format but builds its own from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

from streams.adapters.memory import MemoryStateStore
from streams.adapters.redis.builds import RedisBuildStore
from streams.adapters.redis.generation_store import RedisGenerationStore
from streams.adapters.redis.keys import STATE_FORMAT, StateFormats
from streams.adapters.redis.state import RedisStateStore
from tests.engine.amid import Amid, amid
from tests.engine.world import World

VERSION = "VERSION_TO_COME"
"""Of the environment of `python -m tests.faults.worker`: how many versions of Segue after today's it is."""


def formats_of(version: int) -> StateFormats:
    """Formats of the `version`th version after today's, each of which has another."""
    newest = STATE_FORMAT + version
    return StateFormats(newest=newest, as_it_is=newest, by_building=STATE_FORMAT)


def next_version(world: World) -> World:
    """The world as it is to a process of the next version, which comes now."""
    store = world.store
    if isinstance(store, MemoryStateStore):
        for found in store.partitions.values():
            found.meta = replace(found.meta, outdated_format=STATE_FORMAT)
        return world
    assert isinstance(store, RedisStateStore), "there are two kinds of worlds"
    later = stores_of(store, formats_of(1))
    return replace(world, store=later.store, builds=later.builds, generations=later.generations)


class Stores(NamedTuple):
    """What keeps a state in Redis."""

    store: RedisStateStore
    builds: RedisBuildStore
    generations: RedisGenerationStore


def stores_of(store: RedisStateStore, formats: StateFormats) -> Stores:
    """The stores of another version, over the connection of one of ours."""
    connection, names = store._connection, store._names
    later = RedisStateStore(connection, names, formats)
    return Stores(later, RedisBuildStore(connection, names, formats), RedisGenerationStore(connection, names, later))


def amid_upgrade(world: World, call: str, happens: Callable[[], Awaitable[None]], number: int = 1) -> World:
    """The world as a process sees it to which something happens in front of a call of its upgrade."""
    if call == "take":
        return replace(world, store=Amid(world.store, call, number, happens))
    return amid(world, call, happens, number)
