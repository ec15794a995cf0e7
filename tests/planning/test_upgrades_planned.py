"""What workers of another version will need is built beforehand, and what the same text comes to mean is planned."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator

import pytest

from schemas.errors import InputError, UnavailableError
from streams.adapters.redis.keys import STATE_FORMAT
from streams.planning.held import held_by_workers, read_held
from streams.planning.planner import Planner
from streams.planning.versions import known_versions
from streams.planning.view import plan_view
from streams.ports import Fence, LogBounds, RawRecord
from streams.segmentation import KNOWN_SEMANTICS, SEMANTICS_VERSION, compile_definitions
from tests.engine.another_meaning import ANOTHER, MORE
from tests.engine.stories import DEFINITIONS, busy_log, definitions_value, story
from tests.engine.test_changing import told, whole
from tests.engine.upgrades import next_version
from tests.engine.world import StoreOpener, World, world_in_memory
from tests.planning.drafts import edited, moves_in, planner_of, ports_of
from tests.planning.test_planner import OTHER, four_contacts

LATER = Fence(2, "later")


@pytest.fixture(autouse=True)
def _two_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of Segue that knows two meanings."""
    monkeypatch.setitem(KNOWN_SEMANTICS, ANOTHER, MORE)


async def upgrade_planner(world: World) -> Planner:
    ports = ports_of(world)
    return Planner(ports, await held_by_workers(ports.generations, ports.bounds()))


@story
async def test_what_was_built_beforehand_is_all_that_is_read_of_the_past(worlds: StoreOpener) -> None:
    records = busy_log(8, 150)
    async with worlds() as world:
        await world.fold([records[:100]])
        later = next_version(world)
        before, published = copy.deepcopy(world.serving()), len(world.published())
        assert await (await upgrade_planner(later)).rebuild() == [0]
        assert world.serving() == before
        read, asked = later.history.read, list[LogBounds]()

        def reading(partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
            asked.append(bounds)
            return read(partition, bounds)

        later.history.read = reading  # type: ignore[method-assign] # to see what is read
        await later.fold([records[:100]], LATER)
        assert asked == [LogBounds(100, 100)]
        assert len(world.published()) == published
        await later.fold([records], LATER)
        assert world.contents() == (await whole(records))[0]


@story
async def test_a_state_that_is_worked_on_as_it_is_needs_no_build(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.fold([busy_log(8, 50)])
        assert await (await upgrade_planner(world)).rebuild() == []
        assert world.contents() == world.serving(), "nothing lies beside it"


@story
async def test_a_change_is_not_planned_over_a_state_that_is_to_be_built_anew(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.fold([busy_log(8, 50)])
        with pytest.raises(
            UnavailableError, match=rf"format {STATE_FORMAT}.*start `segue worker`.*segue plan --upgrade"
        ):
            await planner_of(next_version(world), OTHER).look()


@story
async def test_an_upgrade_is_not_built_where_partitions_stand_under_different_definitions() -> None:
    async with world_in_memory() as world:
        world.partitions = 2
        records = busy_log(8, 50, partitions=2)
        await world.fold([records])
        other = [records[0]._replace(value=definitions_value(OTHER, number=2))]
        await world.fold([other], partition=1)
        with pytest.raises(InputError, match="2 different definitions"):
            await upgrade_planner(world)


@story
async def test_an_upgrade_is_not_built_where_no_worker_has_begun() -> None:
    async with world_in_memory() as world:
        world.history.logs[0] = busy_log(8, 50)
        with pytest.raises(UnavailableError, match="start `segue worker`"):
            await upgrade_planner(world)


@story
async def test_the_same_text_for_another_version_is_planned_as_the_change_that_it_is() -> None:
    writer = four_contacts()
    async with world_in_memory() as world:
        await world.fold([writer.records])
        planner = Planner(ports_of(world), compile_definitions(DEFINITIONS, semantics=ANOTHER))
        plan = await planner.plan()
        assert moves_in(plan)["active"] == ("changed", 3, 1, 0, 2)
        assert not plan.is_empty
        view = plan_view(plan)
        assert (view["before"]["semantics"], view["after"]["semantics"]) == (SEMANTICS_VERSION, ANOTHER)
        assert view["before"]["hash"] == view["after"]["hash"]
        folded = len(writer.records)
        writer.append(None, definitions_value(number=2, semantics=ANOTHER), 1)
        built = world.count("segue_build_records_total")
        await world.fold([writer.records[folded:]], LATER)
        assert len(told(world.published())) == plan.entering + plan.leaving == 2
        assert world.count("segue_build_records_total") == built + 1, "the rest was built by the plan"


@story
async def test_a_build_for_one_version_is_not_gone_on_with_for_another() -> None:
    async with world_in_memory() as world:
        await world.fold([four_contacts().records])
        ports, data = ports_of(world), edited(ever={"when": {"performed": {"event": "email_open", "at_least": 2}}})
        plans = [await Planner(ports, compile_definitions(data, semantics=ANOTHER)).plan()]
        plans.append(await Planner(ports, compile_definitions(data)).plan())
        assert [moves_in(plan)["ever"][2] for plan in plans] == [1, 3]


@story
async def test_what_a_log_holds_has_its_version_and_one_that_is_not_known_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer = four_contacts()
    folded = len(writer.records)
    writer.append(None, definitions_value(number=2, semantics=ANOTHER), 1)
    async with world_in_memory() as world:
        await world.fold([writer.records[:folded]])
        world.history.logs[0] = writer.records
        ports = ports_of(world)
        meta = await world.generations.serving(0)
        held = await read_held(0, meta, ports.history, LogBounds(0, len(writer.records)))
        assert held is not None
        assert (held.number, held.semantics, held.is_made) == (2, ANOTHER, False)
        found = [(one.version.number, one.version.semantics, one.waiting) for one in await known_versions(ports)]
        assert found == [(1, SEMANTICS_VERSION, []), (2, ANOTHER, [0])]
        monkeypatch.delitem(KNOWN_SEMANTICS, ANOTHER)
        with pytest.raises(InputError, match=f"definitions 2 were written for version {ANOTHER}.*newer version"):
            await planner_of(world, OTHER).look()
