"""A plan says exactly who would enter and leave, and changes nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator

import pytest

from schemas.errors import InputError, UnavailableError
from streams.planning.planner import Built
from streams.planning.room import Filled
from streams.planning.view import plan_view
from streams.ports import Fence, LogBounds, RawRecord
from tests.engine.stories import DEFINITIONS, LogWriter, busy_log, definitions_value, story
from tests.engine.test_changing import members_by_history, told
from tests.engine.world import world_in_memory
from tests.planning.drafts import edited, moves_in, plan_over, planner_of

OFTEN = {"when": {"performed": {"event": "email_open", "within": "5m", "at_least": 3}}}
EVER = {"when": {"performed": {"event": "cart_add"}}}
OTHER = edited(active=OFTEN, ever=EVER, hot=None)


def four_contacts() -> LogWriter:
    """Two opens of two contacts, three of one, a cart of one."""
    writer = LogWriter()
    for contact, opens in (("zoe", 2), ("ann", 3), ("bob", 2), ("eve", 1)):
        for _ in range(opens):
            writer.track("email_open", contact, 1)
    writer.track("cart_add", "eve", 1)
    return writer


@story
async def test_a_plan_counts_who_would_enter_and_leave_and_gives_examples_with_reasons() -> None:
    async with world_in_memory() as world:
        plan = await plan_over(world, four_contacts().records, OTHER)
        assert moves_in(plan) == {
            "active": ("changed", 3, 1, 0, 2),
            "abandoned": ("unchanged", 0, 0, 0, 0),
            "warm_and_paying": ("unchanged", 0, 0, 0, 0),
            "ever": ("added", 0, 1, 1, 0),
            "hot": ("removed", 0, 0, 0, 0),
        }
        assert (plan.entering, plan.leaving, plan.contacts, plan.looked_at, plan.behind) == (1, 2, 4, 4, 0)
        active, ever = plan.segments[0], plan.segments[3]
        assert [(one.contact_id, one.enters) for one in active.samples] == [("bob", False), ("zoe", False)]
        before, after = active.samples[0].before, active.samples[0].after
        assert before is not None
        assert after is not None
        assert (before.member, after.member) == (True, False)
        assert "has 2" in after.lines[0]
        assert [(one.contact_id, one.enters, one.before) for one in ever.samples] == [("eve", True, None)]


@story
async def test_a_plan_writes_nothing_and_the_change_then_tells_just_what_it_said() -> None:
    writer = four_contacts()
    async with world_in_memory() as world:
        await world.fold([writer.records])
        before = copy.deepcopy(world.contents())
        plan = await planner_of(world, OTHER).plan()
        assert world.contents() == before
        assert told(world.published()) == []
        folded = len(writer.records)
        writer.append(None, definitions_value(OTHER, number=2), 1)
        await world.fold([writer.records[folded:]], Fence(2, "member-2"))
        moves = told(world.published())
        assert len(moves) == plan.entering + plan.leaving == 3
        assert {move[0] for move in moves} == {one.contact_id for each in plan.segments for one in each.samples}


@pytest.mark.parametrize("seed", range(3))
@story
async def test_the_figures_of_a_busy_log_are_those_of_a_fold_from_its_start(seed: int) -> None:
    records = busy_log(seed, 300)
    async with world_in_memory() as world:
        plan = await plan_over(world, records, OTHER)
        was, now = members_by_history(records, DEFINITIONS), members_by_history(records, OTHER)
        for each in plan.segments:
            old = {contact for contact, name in was if name == each.name}
            new = {contact for contact, name in now if name == each.name}
            found = (each.members_before, each.members_after, each.entering, each.leaving)
            assert found == (len(old), len(new), len(new - old), len(old - new))
        assert sum(each.entering + each.leaving for each in plan.segments) > 0


@story
async def test_tiers_are_counted_before_and_after_and_so_are_those_who_change_theirs() -> None:
    data = copy.deepcopy(DEFINITIONS)
    data["scores"]["engagement"]["tiers"] = {"cold": None, "warm": 8, "hot": 30}
    async with world_in_memory() as world:
        (score,) = (await plan_over(world, four_contacts().records, data)).scores
        assert score.kind == "changed"
        assert score.before == {"cold": 2, "warm": 2}
        assert score.after == {"warm": 4}
        assert score.moves == {("cold", "warm"): 2}


@story
async def test_the_same_text_changes_nothing_and_words_alone_need_no_build() -> None:
    words = copy.deepcopy(DEFINITIONS)
    words["segments"]["active"]["description"] = "Opens mails."
    async with world_in_memory() as world:
        same = await plan_over(world, four_contacts().records, DEFINITIONS)
        assert same.is_empty
        planner = planner_of(world, words)
        plan = await planner.plan()
        await planner.build()
        assert not plan.is_empty
        assert (plan.entering, plan.leaving, plan.contacts) == (0, 0, 0)
        assert moves_in(plan)["active"] == ("unchanged", 3, 3, 0, 0)
        assert not await world.builds.give_up(0), "nothing was built"


@story
async def test_what_workers_have_not_folded_is_no_difference() -> None:
    writer = four_contacts()
    async with world_in_memory() as world:
        await world.fold([writer.records])
        for _ in range(5):
            writer.track("email_open", "new", 1)
        world.history.logs[0] = writer.records
        plan = await planner_of(world, OTHER).plan()
        assert plan.behind == 5
        assert moves_in(plan)["active"] == ("changed", 3, 1, 0, 2)


@story
async def test_what_moves_while_a_plan_is_made_is_no_difference() -> None:
    """At each look three more opens have come in by the time that what serves is read."""
    writer = four_contacts()
    async with world_in_memory() as world:
        await world.fold([writer.records])
        members = world.generations.members
        later = LogWriter()
        later.now_ms, later.records = writer.now_ms, list(writer.records)
        contacts = iter(f"new-{number}" for number in range(100))

        async def moving(partition: int, generation: int, segment: str) -> dict[str, int]:
            if segment == "active" and generation == 1:
                count, contact = len(later.records), next(contacts)
                later.track("email_open", contact, 1)
                later.track("email_open", contact, 1)
                later.track("email_open", contact, 1)
                later.tick(1)
                await world.fold([later.records[count:]], Fence(count, "member-n"))
            return await members(partition, generation, segment)

        world.generations.members = moving  # type: ignore[method-assign] # to go on while it is read
        found = moves_in(await planner_of(world, edited(ever=EVER)).plan())
        assert found["active"][3:] == (0, 0)
        assert found["ever"][3:] == (1, 0)


@story
async def test_a_plan_that_was_cut_short_goes_on_where_it_was() -> None:
    records = busy_log(2, 300)
    async with world_in_memory() as world:
        await world.fold([records])

        class CutShortError(Exception):
            pass

        def cut(built: Built) -> None:
            if built.records >= 100:
                raise CutShortError

        with pytest.raises(CutShortError):
            await planner_of(world, OTHER, on_progress=cut).plan()
        seen: list[Built] = []
        await planner_of(world, OTHER, on_progress=seen.append).plan()
        assert [(one.records, one.of) for one in seen] == [(100, 301), (200, 301), (300, 301), (301, 301)]


@story
async def test_a_log_whose_start_is_gone_is_planned_for_only_where_that_is_accepted() -> None:
    writer = four_contacts()
    async with world_in_memory() as world:
        await world.fold([writer.records])
        world.history.logs[0] = writer.records[3:]
        with pytest.raises(InputError, match=r"partition 0 begins at offset 3, .*--accept-short-history"):
            await planner_of(world, OTHER).plan()
        plan = await planner_of(world, OTHER, short=True).plan()
        assert plan.log_is_cut
        assert plan.log_begins_ms == writer.records[3].timestamp_ms
        assert moves_in(plan)["active"] == ("changed", 3, 1, 0, 2)
        assert ("segments.active", 300_000) in [(each.place, each.needs_ms) for each in plan.short]


@story
async def test_a_log_that_no_worker_has_come_to_cannot_be_planned_for() -> None:
    async with world_in_memory() as world:
        world.history.logs[0] = LogWriter().records
        with pytest.raises(UnavailableError, match="start `segue worker`"):
            await planner_of(world, OTHER).plan()
        world.history.logs[0] = [RawRecord(0, 1, None, b'{"type":"tick"}')]
        with pytest.raises(UnavailableError, match="has no definitions yet"):
            await planner_of(world, OTHER).plan()


@story
async def test_a_build_stops_before_redis_is_full_and_frees_what_it_took() -> None:
    records = busy_log(3, 300)
    async with world_in_memory() as world:
        await world.fold([records])
        used = iter((940, 950, 951))
        planner = planner_of(world, OTHER, filled=lambda: Filled(next(used), 1_000))
        with pytest.raises(InputError, match="the build is given up"):
            await planner.plan()
        assert next(used, None) is None
        assert not await world.builds.give_up(0), "it was given up already"


@story
async def test_what_a_plan_says_is_said_as_json_too() -> None:
    async with world_in_memory() as world:
        view = plan_view(await plan_over(world, four_contacts().records, OTHER))
        assert json.loads(json.dumps(view)) == view
        assert view["before"]["number"] == 1
        assert (view["entering"], view["leaving"], view["behind"]) == (1, 2, 0)
        assert view["segments"][0]["samples"][0]["before"]["member"] is True
        assert view["scores"] == [
            {
                "score": "engagement",
                "change": "unchanged",
                "tiers_before": {"cold": 2, "warm": 2},
                "tiers_after": {"cold": 2, "warm": 2},
                "moves": [],
            }
        ]


@story
async def test_two_plans_at_once_do_not_mix() -> None:
    """The later one takes the build over, and the earlier one is told."""
    records = busy_log(4, 300)
    async with world_in_memory() as world:
        await world.fold([records])
        read, other = world.history.read, planner_of(world, edited(ever=EVER))
        interrupted = False

        def reading(partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
            async def with_another() -> AsyncIterator[list[RawRecord]]:
                nonlocal interrupted
                async for some in read(partition, bounds):
                    if not interrupted and some[0].offset >= 100:
                        interrupted = True
                        await other.plan()
                    yield some

            return with_another()

        world.history.read = reading  # type: ignore[method-assign] # to plan something else midway
        with pytest.raises(UnavailableError, match="another plan or apply builds"):
            await planner_of(world, OTHER).plan()
