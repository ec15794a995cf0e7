"""A change of definitions that is cut short, taken over, set back or helped by others: it is told once, and whole."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError, UnavailableError
from streams.adapters.memory import MemoryStateStore
from streams.adapters.redis_builds import RedisBuildStore
from streams.generations import BuildBusyError
from streams.pipeline.building import Builder
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import CursorMismatchError, Fence, FenceLostError, RawRecord
from streams.segmentation import compile_definitions
from tests.engine.driving import drive
from tests.engine.stories import (
    DEFINITIONS,
    EVER,
    OFTEN,
    LogWriter,
    changing_log,
    definitions_value,
    edited,
    story,
)
from tests.engine.test_changing import told, whole
from tests.engine.world import Contents, StoreOpener, World, world_in_memory, world_on_redis
from tests.support.redis_servers import LocalRedis

STEPWISE = PipelineBounds(transitions_per_commit_max=1)
OTHERS = edited(active=OFTEN, ever=EVER, hot=None)
CALLS = ("begin", "load", "build commit", "settle", "switch", "states", "members", "commit", "drop_former")
"""What a change calls of its ports, in the order in which it comes to them; `commit` is the first that tells."""


def small_log() -> tuple[list[RawRecord], int]:
    """Some contacts, then other definitions that differ about six of them, then a little more; and where they come."""
    writer = LogWriter()
    for number in range(8):
        for _ in range(2 if number < 5 else 1):
            writer.track("email_open", f"contact-{number}", 1)
    for name in ("contact-5", "contact-0"):
        writer.track("cart_add", name, 1)
    at = len(writer.records)
    writer.append(None, definitions_value(OTHERS, number=2), 1)
    writer.track("email_open", "contact-0", 1)
    writer.tick(10 * 60_000)
    return writer.records, at


class Amid:
    """Passes calls on to a port, and does something else in front of one of them."""

    def __init__(self, real: Any, call: str, number: int, interruption: Callable[[], Awaitable[None]]) -> None:
        self._real = real
        self._call = call
        self._left = number
        self._interruption = interruption

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name != self._call:
            return real

        async def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                await self._interruption()
            return await real(*arguments, **named)

        return call


def amid(world: World, call: str, interruption: Callable[[], Awaitable[None]], number: int = 1) -> World:
    """The world as a process sees it to which something happens in front of a call of its change."""
    if call in ("begin", "load"):
        return replace(world, builds=Amid(world.builds, call, number, interruption))
    if call == "build commit":
        return replace(world, builds=Amid(world.builds, "commit", number, interruption))
    if call == "commit":
        return replace(world, store=Amid(world.store, call, number, interruption))
    return replace(world, generations=Amid(world.generations, call, number, interruption))


@asynccontextmanager
async def beside(world: World, worlds: StoreOpener) -> AsyncIterator[World]:
    """The same world as another process sees it."""
    if isinstance(world.store, MemoryStateStore):
        yield world
        return
    async with worlds() as other:
        yield replace(other, logs=world.logs, history=world.history, bounds=world.bounds)


async def _fail() -> None:
    raise UnavailableError("cut short")


def _values(world: World) -> list[bytes | None]:
    return [message.value for message in world.published()]


async def _is_cut_short(world: World, records: Sequence[RawRecord], call: str, number: int) -> None:
    """Fold all in a process that meets an error in front of a call."""
    process = amid(world, call, _fail, number)
    pipeline = process.pipeline()
    await pipeline.load(Fence(1, "member-1"))
    with pytest.raises(UnavailableError):
        await pipeline.apply(records)
    await pipeline.close()


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
        await _is_cut_short(world, records[at:], "commit", number)
        await world.generations.drop_former(0, 2)
        await world.fold([records], Fence(2, "second"))
        assert world.contents() == state
        assert _values(world) == [message.value for message in published]


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
        pipeline = amid(world, "commit", _fail).pipeline()
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
        assert _values(world) == [message.value for message in published]


@pytest.mark.parametrize("call", ["load", "build commit", "settle", "switch", "commit"])
@story
async def test_a_change_goes_on_after_somebody_else_took_over_its_build(worlds: StoreOpener, call: str) -> None:
    records, at = small_log()
    state, published = await whole(records)
    hashed = compile_definitions(OTHERS).hash
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]])

        async def take_over() -> None:
            async with beside(world, worlds) as other:
                await other.builds.begin(0, hashed, owner=Fence(1, "member-1"), anew=call == "settle")

        process = amid(world, call, take_over)
        pipeline = process.pipeline()
        await pipeline.load(Fence(1, "member-1"))
        if call in ("load", "build commit", "settle"):
            with pytest.raises((UnavailableError, CursorMismatchError)):  # and not that the partition is another's
                await pipeline.apply(records[at:])
            await pipeline.load(Fence(1, "member-1"))
        await pipeline.apply(records[at:])
        await pipeline.close()
        if call == "commit":
            return  # who begins a build after the change has served begins another one
        await world.fold([records], Fence(2, "member-2"))
        assert world.contents() == state
        assert _values(world) == [message.value for message in published]


@story
async def test_builders_beside_a_worker_change_nothing_whatever_they_build(worlds: StoreOpener) -> None:
    records = changing_log(5, 200)
    state, published = await whole(records)
    change = next(record for record in records[1:] if b'"definitions"' in (record.value or b""))
    coming = compile_definitions(_text_of(change))
    async with worlds() as world, beside(world, worlds) as other, beside(world, worlds) as third:
        await world.fold([records[:10]])
        one = Builder(0, other.builds, coming, topic="tracking", partitions=1)
        two = Builder(0, third.builds, compile_definitions(edited(ever=EVER)), topic="tracking", partitions=1)
        await one.begin(owner=None)
        await one.apply(records[:5])
        await two.begin(owner=None)
        with pytest.raises((FenceLostError, CursorMismatchError)):
            await one.apply(records[5:10])
        await two.apply(records[:10])
        await world.fold([records[10:30]])
        await one.begin(owner=None)
        await one.apply(records[:20])
        with pytest.raises((FenceLostError, CursorMismatchError)):
            await two.apply(records[10:20])
        await world.fold([records[30 : change.offset]])
        await one.apply(records[20:30])  # and dies half-way
        await world.fold([records[change.offset :]])
        assert world.contents() == state
        assert _values(world) == [message.value for message in published]


@story
async def test_a_builder_comes_again_when_the_change_is_made(worlds: StoreOpener) -> None:
    records, at = small_log()
    state, _ = await whole(records)
    async with worlds() as world, beside(world, worlds) as other:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]])
        builder = Builder(0, other.builds, compile_definitions(edited(ever=EVER)), topic="tracking", partitions=1)
        await builder.begin(owner=None)
        await _is_cut_short(world, records[at:], "settle", 1)
        with pytest.raises(BuildBusyError):
            await builder.begin(owner=None)
        await world.fold([records], Fence(2, "member-2"))
        build = await builder.begin(owner=None)
        assert build.cursor == (0, 0)
        await builder.apply(records)
        assert build.generation > 2
        if isinstance(world.store, MemoryStateStore):
            assert world.contents() == state


@story
async def test_a_build_that_is_given_up_leaves_nothing_and_takes_nothing_of_what_came_in_its_place(
    redis_url: str, namespace: str
) -> None:
    records, at = small_log()
    state, _ = await whole(records)
    async with world_on_redis(redis_url, namespace) as world:
        await world.fold([records[:at]])
        assert isinstance(world.builds, RedisBuildStore)
        builder = Builder(0, world.builds, compile_definitions(edited(ever=EVER)), topic="tracking", partitions=1)
        given_up = await builder.begin(owner=None)
        await builder.apply(records[:at])
        await world.builds.begin(0, "another", owner=None)
        await world.fold([records])
        assert world.contents() == state, "nothing is left of what was built"
        served = given_up.generation + 2
        await world.builds.remove(0, range(2, served + 1), given_up.fence.member)
        assert world.contents() == state


@story
async def test_a_build_whose_removal_was_cut_short_is_no_part_of_the_next_one(
    redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, at = small_log()
    state, published = await whole(records)
    async with world_on_redis(redis_url, namespace) as world:
        world.history.logs[0] = records
        await world.fold([records[:at]])
        builder = Builder(0, world.builds, compile_definitions(edited(ever=EVER)), topic="tracking", partitions=1)
        await builder.begin(owner=None)
        await builder.apply(records[:at])
        with monkeypatch.context() as patched:
            patched.setattr(world.builds, "remove", _remove_nothing)
            with pytest.raises(UnavailableError):
                await world.builds.give_up(0)
        assert await world.builds.give_up(0)
        assert not await world.builds.give_up(0)
        await world.fold([records[at:]])
        assert world.contents() == state
        assert _values(world) == [message.value for message in published]


async def _remove_nothing(*_: object) -> None:
    raise UnavailableError("cut short")


@pytest.mark.parametrize("gone", ["the start", "the end"])
@story
async def test_a_history_that_is_not_whole_changes_nothing_and_is_told(worlds: StoreOpener, gone: str) -> None:
    records, at = small_log()
    state, published = await whole(records)
    async with worlds() as world:
        await world.fold([records[:at]])
        world.history.logs[0] = records[3:] if gone == "the start" else records[: at - 3]
        pipeline = world.pipeline()
        await pipeline.load(Fence(1, "member-1"))
        with pytest.raises(InputError, match=r"the log (begins at offset 3|does not hold the history)"):
            await pipeline.apply(records[at:])
        await pipeline.close()
        assert told(world.published()) == []
        await world.fold([records], Fence(2, "member-2"))
        assert world.contents() == state
        assert _values(world) == [message.value for message in published]


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
        assert _values(world) == [message.value for message in published]


def _text_of(change: RawRecord) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(json.loads(change.value or b"")["definitions"])
    return text
