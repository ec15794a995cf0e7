"""An upgrade that is overtaken, set back, emptied or met by others: nothing of it is lost, and nothing is told."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.errors import InputError, UnavailableError
from streams.adapters.memory import MemoryStateStore
from streams.adapters.redis.keys import STATE_FORMAT
from streams.generations import BuildBusyError
from streams.ports import CursorMismatchError, Fence, FenceLostError
from streams.segmentation import compile_definitions
from tests.engine.amid import STEPWISE, beside, fail, is_cut_short, small_log, values
from tests.engine.driving import drive
from tests.engine.stories import DEFINITIONS, story
from tests.engine.test_changing import whole
from tests.engine.upgrades import amid_upgrade, next_version
from tests.engine.world import Contents, StoreOpener, World, world_on_redis
from tests.support.redis_servers import LocalRedis

CALLS = ("begin", "load", "build commit", "members", "built_keys", "states", "settle", "take_over")


@asynccontextmanager
async def beside_upgraded(world: World, worlds: StoreOpener) -> AsyncIterator[World]:
    """The same world as another process of the same version sees it."""
    async with beside(world, worlds) as other:
        yield other if isinstance(world.store, MemoryStateStore) else next_version(other)


@pytest.mark.parametrize("call", CALLS)
@story
async def test_a_former_owner_that_wakes_amid_an_upgrade_that_is_made_writes_nothing(
    worlds: StoreOpener, call: str
) -> None:
    records, at = small_log()
    state, published = await whole(records)
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]], Fence(1, "first"))
        later = next_version(world)
        made: list[Contents] = []

        async def be_overtaken() -> None:
            async with beside_upgraded(later, worlds) as other:
                await other.fold([records], Fence(3, "third"))
                made.append(copy.deepcopy(other.contents()))

        zombie = amid_upgrade(later, call, be_overtaken).pipeline()
        with pytest.raises((FenceLostError, CursorMismatchError, UnavailableError)):
            await zombie.load(Fence(2, "second"))
        with pytest.raises(FenceLostError):
            await zombie.load(Fence(2, "second"))
        await zombie.close()
        await later.fold([records], Fence(4, "fourth"))
        assert made == [state]
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


@pytest.mark.parametrize("number", [1, 2, 3, 6])
@story
async def test_a_former_owner_does_not_take_what_its_successor_has_removed_for_a_difference(
    worlds: StoreOpener, number: int
) -> None:
    records, at = small_log()
    async with worlds() as world:
        world.history.logs[0] = records
        await world.fold([records[:at]], Fence(1, "first"))
        later = next_version(world)

        async def be_overtaken() -> None:
            async with beside_upgraded(later, worlds) as other:
                await other.fold([records], Fence(3, "third"))

        zombie = amid_upgrade(later, "members", be_overtaken, number).pipeline()
        with pytest.raises((FenceLostError, CursorMismatchError, UnavailableError)):
            await zombie.load(Fence(2, "second"))
        await zombie.close()
        assert world.contents() == (await whole(records))[0]


@pytest.mark.parametrize("call", ["begin", "settle", "take_over"])
@story
async def test_a_former_owner_takes_nothing_over_from_the_moment_at_which_the_partition_is_taken(
    worlds: StoreOpener, call: str
) -> None:
    records, at = small_log()
    state, published = await whole(records)
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]], Fence(1, "first"))
        later = next_version(world)

        async def be_taken() -> None:
            await later.store.take(0, Fence(3, "third"), later.log)

        zombie = amid_upgrade(later, call, be_taken).pipeline()
        with pytest.raises(FenceLostError):
            await zombie.load(Fence(2, "second"))
        await zombie.close()
        meta = await later.generations.serving(0)
        assert meta is not None
        assert (meta.generation, meta.outdated_format) == (1, STATE_FORMAT)
        await later.fold([records], Fence(4, "fourth"))
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


@story
async def test_who_returns_to_the_version_before_amid_an_upgrade_goes_on_as_if_there_had_been_none(
    worlds: StoreOpener,
) -> None:
    records, at = small_log()
    state, published = await whole(records)
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[: at // 2]], Fence(1, "first"))
        before = copy.deepcopy(world.store.partitions) if isinstance(world.store, MemoryStateStore) else {}
        later = next_version(world)
        pipeline = amid_upgrade(later, "take_over", fail).pipeline()
        with pytest.raises(UnavailableError):
            await pipeline.load(Fence(2, "second"))
        await pipeline.close()
        with pytest.raises(BuildBusyError):
            await world.builds.give_up(0)
        if isinstance(world.store, MemoryStateStore):
            world.store.partitions.update(before)  # which looks at no number of a format
        await world.fold([records[: at // 2]], Fence(3, "third"))
        assert await world.builds.give_up(0), "whoever began the build does not own the partition any more"
        await world.fold([records], Fence(4, "fourth"))
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


@story
async def test_a_worker_of_the_version_before_leaves_a_state_that_was_taken_over_alone(
    redis_url: str, namespace: str
) -> None:
    records, at = small_log()
    async with world_on_redis(redis_url, namespace) as world:
        await world.fold([records[:at]])
        await next_version(world).fold([records], Fence(2, "later"))
        state, published = copy.deepcopy(world.contents()), len(world.published())
        pipeline = world.pipeline()
        words = f"format {STATE_FORMAT + 1}, this program knows {STATE_FORMAT}: run a newer version"
        with pytest.raises(InputError, match=words):
            await pipeline.load(Fence(3, "older"))
        with pytest.raises(InputError, match=words):
            await world.generations.serving(0)
        await pipeline.close()
        assert (world.contents(), len(world.published())) == (state, published)


@pytest.mark.parametrize("call", ["load", "build commit", "settle", "take_over"])
@story
async def test_an_upgrade_goes_on_after_somebody_else_took_over_its_build(worlds: StoreOpener, call: str) -> None:
    records, at = small_log()
    state, published = await whole(records)
    identity = compile_definitions(DEFINITIONS).identity
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]])
        later = next_version(world)

        async def take_over() -> None:
            async with beside_upgraded(later, worlds) as other:
                await other.builds.begin(0, identity, owner=Fence(2, "later"), anew=call == "settle")

        pipeline = amid_upgrade(later, call, take_over).pipeline()
        with pytest.raises((UnavailableError, CursorMismatchError)):  # and not that the partition is another's
            await pipeline.load(Fence(2, "later"))
        await pipeline.load(Fence(2, "later"))
        await pipeline.apply(records[at:])
        await pipeline.close()
        await later.fold([records], Fence(3, "later"))
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


@pytest.mark.parametrize("call", CALLS)
@story
async def test_a_redis_that_is_emptied_at_any_step_of_an_upgrade_mends_itself(own_redis: LocalRedis, call: str) -> None:
    client = own_redis.client()

    async def empty() -> None:
        await asyncio.to_thread(client.flushall)

    await _mends_itself(own_redis, (call, empty))
    client.close()


@pytest.mark.parametrize(
    ("to", "at"), [("begin", "take_over"), ("build commit", "settle"), ("settle", "take_over"), ("take_over", "commit")]
)
@story
async def test_a_redis_that_is_set_back_to_any_step_of_an_upgrade_mends_itself(
    own_redis: LocalRedis, to: str, at: str
) -> None:
    older: list[Path] = []

    async def remember() -> None:
        older.append(await asyncio.to_thread(own_redis.snapshot))

    async def go_back() -> None:
        await asyncio.to_thread(own_redis.roll_back, older[0])

    await _mends_itself(own_redis, (to, remember), (at, go_back))
    assert older


async def _mends_itself(server: LocalRedis, *events: tuple[str, Callable[[], Awaitable[None]]]) -> None:
    """Drive a log to its end, through what happens in front of the given calls of an upgrade amid a change."""
    records, at = small_log()
    state, published = await whole(records)
    async with world_on_redis(server.url, "faults") as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]])
        await is_cut_short(world, records[at:], "commit", 3)
        later = next_version(world)
        process = later
        for call, event in events:
            process = amid_upgrade(process, call, event)
        await drive(process, records, 1, fence=Fence(2, "later"))
        await drive(later, records, 1, fence=Fence(2, "later"))  # an idle worker looks now and then
        assert world.contents() == state
        assert values(world) == [message.value for message in published]
