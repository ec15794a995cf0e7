"""State and output are functions of the log alone: how it is cut, cached and interrupted shows nowhere."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from schemas.errors import UnavailableError
from schemas.transitions import Transition, decode_transition
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import Fence, Message, RawRecord
from tests.engine.driving import drive
from tests.engine.faults import FaultyStore
from tests.engine.simulation import simulated
from tests.engine.stories import DEFINITIONS, HOUR, MINUTE, SECOND, LogWriter, busy_log, cut, definitions_value, story
from tests.engine.world import Contents, StoreOpener, drained, world_in_memory

TIGHT = PipelineBounds(
    timers_per_commit_max=2, transitions_per_commit_max=1, contacts_cached_max=3, dead_letter_ratio_max=1
)
LOOSE = PipelineBounds(dead_letter_ratio_max=1)
FEW_TIMERS = replace(LOOSE, timers_per_commit_max=2)


def seen(messages: list[Message]) -> list[tuple[Any, ...]]:
    """What a reader of the topic sees."""
    return [(message.key, message.value, message.headers) for message in messages]


def letters(messages: list[Message]) -> list[tuple[Any, ...]]:
    """What dead letters say, whatever the namespace is."""
    names = ("segue_dlq.original_offset", "segue_dlq.reason", "segue_dlq.detail", "epoch")
    return [(one.key, one.value, *(dict(one.headers)[name] for name in names)) for one in messages]


def transitions(messages: list[Message]) -> list[Transition]:
    return [decode_transition(message.value or b"") for message in messages]


async def whole(records: list[RawRecord]) -> tuple[Contents, list[Message], list[Message]]:
    """State, transitions and dead letters when the log is folded in one piece, in memory."""
    async with world_in_memory() as world:
        world.bounds = LOOSE
        await world.fold([records])
        return world.contents(), world.published(), world.dead_letters()


@pytest.mark.parametrize(
    ("seed", "bounds"), [(0, replace(TIGHT, contacts_cached_max=0)), (1, TIGHT), (2, FEW_TIMERS), (3, LOOSE)]
)
@story
async def test_how_the_log_is_cut_into_batches_shows_nowhere(
    worlds: StoreOpener, seed: int, bounds: PipelineBounds
) -> None:
    records = busy_log(seed, 600)
    state, published, dead = await whole(records)
    assert len(published) > 100
    async with worlds() as world:
        world.bounds = bounds
        await world.fold(cut(records, seed, 40))
        assert world.contents() == state
        assert seen(world.published()) == seen(published)
        assert letters(world.dead_letters()) == letters(dead)


@story
async def test_the_definitions_are_written_by_the_commit_that_passes_them_and_by_no_other() -> None:
    async with world_in_memory() as world:
        recorder = FaultyStore(world.store, random.Random(0), rate=0.0)
        world.store, world.bounds = recorder, LOOSE
        records = busy_log(1, 60)
        await world.fold([records[:20], records[20:40], records[40:]])
        assert [len(commit.versions) for commit in recorder.commits] == [1, 0, 0, 0]


@story
async def test_a_partition_that_is_loaded_anew_for_every_batch_ends_the_same(worlds: StoreOpener) -> None:
    records = busy_log(7, 400)
    state, published, _ = await whole(records)
    async with worlds() as world:
        world.bounds = TIGHT
        for generation, batch in enumerate(cut(records, 7, 30), 1):
            await world.fold([batch], Fence(generation, f"member-{generation}"))
        assert world.contents() == state
        assert seen(world.published()) == seen(published)


@story
async def test_the_pipeline_and_the_simulator_agree_transition_by_transition() -> None:
    records = busy_log(11, 800)
    _, published, _ = await whole(records)
    assert transitions(published) == simulated(records)


@story
async def test_transitions_are_numbered_without_gaps_and_name_their_place_in_the_log() -> None:
    _, published, _ = await whole(busy_log(3, 500))
    headers = [dict(message.headers) for message in published]
    assert [int(header["seq"]) for header in headers] == list(range(1, len(headers) + 1))
    positions = [tuple(int(part) for part in header["position"].split(b".")) for header in headers]
    assert positions == sorted(set(positions))
    for (offset, index), transition in zip(positions, transitions(published), strict=True):
        assert transition.cause.position == f"tracking-0@{offset}"
        assert index == 0 or (offset, index - 1) in positions


@pytest.mark.parametrize("seed", range(4))
@story
async def test_requests_and_replies_that_are_lost_anywhere_change_nothing(worlds: StoreOpener, seed: int) -> None:
    records = busy_log(seed + 20, 300)
    state, published, dead = await whole(records)
    async with worlds() as world:
        world.bounds = TIGHT
        faulty = FaultyStore(world.store, random.Random(seed), rate=0.15)
        world.store = faulty
        failures = await drive(world, records, seed)
        assert failures.total() > 10
        assert world.contents() == state
        assert seen(world.published()) == seen(published)
        assert letters(world.dead_letters()) == letters(dead)
        for earlier, later in pairwise(faulty.commits):
            assert later.before == earlier.after


@story
async def test_timers_beyond_those_that_were_loaded_fire_though_the_loaded_ones_were_put_off(
    worlds: StoreOpener,
) -> None:
    quiet = {"version": 1, "segments": {"abandoned": DEFINITIONS["segments"]["abandoned"]}}
    writer = LogWriter(definitions=definitions_value(quiet))
    for number in range(3):
        writer.track("cart_add", f"c{number}", after_ms=SECOND)
    setting_up = len(writer.records)
    writer.track("cart_add", "c0", after_ms=2 * MINUTE)
    writer.track("cart_add", "c1", after_ms=SECOND)
    writer.track("page_view", "c3", after_ms=90 * SECOND)
    async with worlds() as world:
        world.bounds = FEW_TIMERS
        await world.fold([writer.records[:setting_up], writer.records[setting_up:]])
        assert transitions(world.published()) == simulated(writer.records)
        assert [one.contact_id for one in transitions(world.published())] == ["c2"]


@story
async def test_a_crowd_of_timers_is_fired_in_bounded_commits_in_the_order_of_their_instants(
    worlds: StoreOpener,
) -> None:
    writer = LogWriter()
    for number in range(100):
        writer.track("cart_add", f"c{number}", after_ms=10)
    writer.tick(HOUR)
    async with worlds() as world:
        world.bounds = replace(LOOSE, timers_per_commit_max=7, contacts_cached_max=5)
        recorder = FaultyStore(world.store, random.Random(0), rate=0.0)
        world.store = recorder
        await world.fold([writer.records])
        tick = len(writer.records) - 1
        steps = [commit.after.steps for commit in recorder.commits if commit.after.offset == tick]
        assert len(steps) > 20
        # The first bound was partly used up by timers that earlier records of the batch had released.
        assert {later - earlier for earlier, later in pairwise(steps)} == {7}
        moved = [(one.effective_at, one.contact_id) for one in transitions(world.published())]
        assert [instant for instant, _ in moved] == sorted(instant for instant, _ in moved)
        assert moved == [(one.effective_at, one.contact_id) for one in simulated(writer.records)]


@story
async def test_an_owner_that_dies_within_a_crowd_of_timers_is_continued_at_that_very_timer(
    worlds: StoreOpener,
) -> None:
    writer = LogWriter()
    for number in range(40):
        writer.track("cart_add", f"c{number}")
    writer.tick(HOUR)
    writer.track("purchase", "c3")
    state, published, _ = await whole(writer.records)
    async with worlds() as world:
        world.bounds = replace(LOOSE, timers_per_commit_max=3)
        store = world.store
        for commits_until_death in range(1, 40):
            dying = DyingStore(store, commits_until_death)
            world.store = dying
            pipeline = world.pipeline()
            next_offset = await pipeline.load(Fence(commits_until_death, "m"))
            try:
                await pipeline.apply(writer.records[next_offset:])
            except UnavailableError:
                await pipeline.close()
                continue
            await drained(pipeline)
            await pipeline.close()
            break
        assert commits_until_death > 5
        assert world.contents() == state
        assert seen(world.published()) == seen(published)


class DyingStore(FaultyStore):
    """A store whose reader dies after so many commits."""

    def __init__(self, store: Any, commits: int) -> None:
        super().__init__(store, random.Random(0), rate=0.0)
        self._left = commits

    async def commit(self, partition: int, commit: Any) -> int | None:
        if not self._left:
            raise UnavailableError("died")
        self._left -= 1
        return await super().commit(partition, commit)
