"""A change of definitions that is cut short, taken over, set back or helped by others: it is told once, and whole."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from schemas.errors import UnavailableError
from streams.adapters.memory import MemoryStateStore
from streams.ports import CursorMismatchError, Fence, FenceLostError
from streams.segmentation import compile_definitions
from tests.engine.amid import OTHERS, STEPWISE, amid, beside, fail, is_cut_short, small_log, values
from tests.engine.driving import drive
from tests.engine.stories import (
    DEFINITIONS,
    LogWriter,
    definitions_value,
    edited,
    story,
)
from tests.engine.test_changing import whole
from tests.engine.world import Contents, StoreOpener, world_in_memory, world_on_redis
from tests.support.redis_servers import LocalRedis

CALLS = ("begin", "load", "build commit", "settle", "switch", "states", "members", "commit", "drop_former")
"""What a change calls of its ports, in the order in which it comes to them; `commit` is the first that tells."""


@pytest.mark.parametrize("number", range(1, 9))
@story
async def test_who_comes_late_to_remove_the_former_state_takes_nothing_of_what_is_still_to_be_told(
    worlds: StoreOpener, number: int
) -> None:
    records, at = small_log()
    state, published = await whole(records)
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]])
        await is_cut_short(world, records[at:], "commit", number)
        await world.generations.drop_former(0, 2)
        await world.fold([records], Fence(2, "second"))
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


@story
async def test_definitions_that_a_lost_commit_brought_do_not_hold_before_their_record() -> None:
    described = edited(active=DEFINITIONS["segments"]["active"] | {"description": "Opens mails."})
    writer = LogWriter()
    for number in range(5):
        writer.track("email_open", f"contact-{number}", 1)
    writer.append(None, definitions_value(described, number=2), 1)
    records = writer.records
    async with world_in_memory() as world:
        await world.fold([records[:2]])
        assert isinstance(world.store, MemoryStateStore)
        older = copy.deepcopy(world.store.partitions)
        await world.fold([records[2:-1]])
        pipeline = amid(world, "commit", fail).pipeline()
        await pipeline.load(Fence(1, "member-1"))
        with pytest.raises(UnavailableError):
            await pipeline.apply(records[-1:])
        world.store.partitions = older
        await pipeline.load(Fence(1, "member-1"))
        for record in records[2:-1]:
            await pipeline.apply([record])
            assert [version.number for version in world.contents()["0"]["definitions"][1]] == [1]
        await pipeline.apply(records[-1:])
        assert [version.number for version in world.contents()["0"]["definitions"][1]] == [1, 2]
        await pipeline.close()


@pytest.mark.parametrize("call", CALLS[:8])
@story
async def test_a_former_owner_that_wakes_amid_a_change_that_is_made_writes_nothing(
    worlds: StoreOpener, call: str
) -> None:
    records, at = small_log()
    state, published = await whole(records)
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]], Fence(1, "first"))
        made: list[Contents] = []

        async def be_overtaken() -> None:
            async with beside(world, worlds) as other:
                await other.fold([records[at:]], Fence(2, "second"))
                made.append(copy.deepcopy(other.contents()))

        zombie = amid(world, call, be_overtaken).pipeline()
        await zombie.load(Fence(1, "first"))
        with pytest.raises((FenceLostError, CursorMismatchError, UnavailableError)):
            await zombie.apply(records[at:])
        with pytest.raises(FenceLostError):
            await zombie.load(Fence(1, "first"))
        await zombie.close()
        await world.fold([records], Fence(3, "third"))
        assert made == [state]
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


@pytest.mark.parametrize("call", ["begin", "settle", "switch", "commit"])
@story
async def test_a_former_owner_changes_nothing_from_the_moment_at_which_the_partition_is_taken(
    worlds: StoreOpener, call: str
) -> None:
    records, at = small_log()
    state, published = await whole(records)
    async with worlds() as world, beside(world, worlds) as other:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]], Fence(1, "first"))
        successor = other.pipeline()
        found: list[object] = []

        async def be_taken() -> None:
            await successor.load(Fence(2, "second"))
            found.append(await other.generations.serving(0))

        zombie = amid(world, call, be_taken).pipeline()
        await zombie.load(Fence(1, "first"))
        with pytest.raises(FenceLostError):
            await zombie.apply(records[at:])
        await zombie.close()
        assert found == [await world.generations.serving(0)]
        await successor.close()
        await world.fold([records], Fence(3, "third"))
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


@pytest.mark.parametrize("call", ["load", "build commit", "settle", "switch", "commit"])
@story
async def test_a_change_goes_on_after_somebody_else_took_over_its_build(worlds: StoreOpener, call: str) -> None:
    records, at = small_log()
    state, published = await whole(records)
    identity = compile_definitions(OTHERS).identity
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]])

        async def take_over() -> None:
            async with beside(world, worlds) as other:
                await other.builds.begin(0, identity, owner=Fence(1, "member-1"), anew=call == "settle")

        process = amid(world, call, take_over)
        pipeline = process.pipeline()
        await pipeline.load(Fence(1, "member-1"))
        if call != "commit":
            with pytest.raises((UnavailableError, CursorMismatchError)):  # and not that the partition is another's
                await pipeline.apply(records[at:])
            await pipeline.load(Fence(1, "member-1"))
        await pipeline.apply(records[at:])
        await pipeline.close()
        if call == "commit":
            return  # who begins a build after the change has served begins another one
        await world.fold([records], Fence(2, "member-2"))
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


@pytest.mark.parametrize("call", CALLS)
@story
async def test_a_redis_that_is_emptied_at_any_step_of_a_change_mends_itself(own_redis: LocalRedis, call: str) -> None:
    client = own_redis.client()

    async def empty() -> None:
        await asyncio.to_thread(client.flushall)

    await _mends_itself(own_redis, (call, 2 if call == "commit" else 1, empty))
    client.close()


@pytest.mark.parametrize(
    ("to", "at"),
    [
        ("begin", "settle"),
        ("build commit", "commit"),
        ("settle", "switch"),
        ("switch", "members"),
        ("members", "commit"),
        ("settle", "drop_former"),
        ("members", "drop_former"),
    ],
)
@story
async def test_a_redis_that_is_set_back_to_any_step_of_a_change_mends_itself(
    own_redis: LocalRedis, to: str, at: str
) -> None:
    older: list[Path] = []

    async def remember() -> None:
        older.append(await asyncio.to_thread(own_redis.snapshot))

    async def go_back() -> None:
        await asyncio.to_thread(own_redis.roll_back, older[0])

    await _mends_itself(own_redis, (to, 1, remember), (at, 4 if at == "commit" else 1, go_back))
    assert older


async def _mends_itself(server: LocalRedis, *events: tuple[str, int, Callable[[], Awaitable[None]]]) -> None:
    """Drive a log to its end, through what happens in front of the given calls of its change."""
    records, at = small_log()
    state, published = await whole(records)
    async with world_on_redis(server.url, "faults") as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await drive(world, records[:at], 1)
        process = world
        for call, number, event in events:
            process = amid(process, call, event, number)
        await drive(process, records, 1, fence=Fence(1, "member-1"))
        await drive(world, records, 1, fence=Fence(1, "member-1"))  # an idle worker looks now and then
        assert world.contents() == state
        assert values(world) == [message.value for message in published]
