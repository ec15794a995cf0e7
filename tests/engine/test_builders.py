"""Builders beside a worker: whatever they build, leave behind or come too late for, the worker's change is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import InputError, UnavailableError
from streams.adapters.memory import MemoryStateStore
from streams.adapters.redis.builds import RedisBuildStore
from streams.generations import BuildBusyError
from streams.pipeline.building import Builder
from streams.ports import CursorMismatchError, Fence, FenceLostError, RawRecord
from streams.segmentation import compile_definitions
from tests.engine.amid import STEPWISE, beside, is_cut_short, small_log, values
from tests.engine.stories import (
    EVER,
    changing_log,
    edited,
    story,
)
from tests.engine.test_changing import told, whole
from tests.engine.world import StoreOpener, world_on_redis


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
        assert values(world) == [message.value for message in published]


@story
async def test_a_builder_comes_again_when_the_change_is_made(worlds: StoreOpener) -> None:
    records, at = small_log()
    state, _ = await whole(records)
    async with worlds() as world, beside(world, worlds) as other:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]])
        builder = Builder(0, other.builds, compile_definitions(edited(ever=EVER)), topic="tracking", partitions=1)
        await builder.begin(owner=None)
        await is_cut_short(world, records[at:], "settle", 1)
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
async def test_a_build_that_is_given_up_leaves_nothing_in_redis_and_takes_nothing_of_what_came_in_its_place(
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
async def test_a_build_whose_removal_from_redis_was_cut_short_is_no_part_of_the_next_one(
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
        assert values(world) == [message.value for message in published]


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
        assert values(world) == [message.value for message in published]


def _text_of(change: RawRecord) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(json.loads(change.value or b"")["definitions"])
    return text
