"""A state of an older format is taken over where it stands: by the same bytes and the same output as if it had been of
ours all along."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Sequence

import pytest

from schemas.errors import InputError, UnavailableError
from streams.adapters.redis.keys import STATE_FORMAT
from streams.pipeline.building import Builder
from streams.ports import Fence, LogBounds, Message, RawRecord
from streams.segmentation import KNOWN_SEMANTICS, SEMANTICS_VERSION, Definitions, compile_definitions
from tests.engine.amid import STEPWISE, fail, is_cut_short, small_log, values
from tests.engine.another_meaning import MORE
from tests.engine.stories import DEFINITIONS, HOUR, LogWriter, busy_log, changing_log, story
from tests.engine.test_changing import TIGHT, whole
from tests.engine.upgrades import amid_upgrade, next_version
from tests.engine.world import FENCE, StoreOpener, World

LATER = Fence(2, "later")


async def ends_as_if_nothing_had_been(world: World, records: Sequence[RawRecord]) -> None:
    """Go on as the next version, and compare with one uninterrupted fold."""
    state, published = await whole(records)
    await next_version(world).fold([records], LATER)
    assert world.contents() == state
    assert values(world) == [message.value for message in published]


def crowded_log() -> list[RawRecord]:
    """Contacts of which many leave their segment at the same record; more follows."""
    writer = LogWriter()
    for number in range(12):
        writer.track("email_open", f"contact-{number}", 1)
        writer.track("email_open", f"contact-{number}")
    writer.tick(HOUR)
    writer.track("email_open", "contact-3", 1)
    writer.tick(HOUR)
    return writer.records


@pytest.mark.parametrize("seed", range(3))
@story
async def test_a_state_is_taken_over_wherever_it_stands_also_after_changes(worlds: StoreOpener, seed: int) -> None:
    records = changing_log(seed, 200)
    async with worlds() as world:
        world.bounds = TIGHT
        await world.fold([records[: 60 + 50 * seed]])
        await ends_as_if_nothing_had_been(world, records)


@story
async def test_taking_a_state_over_tells_nothing(worlds: StoreOpener) -> None:
    records = changing_log(1, 150)
    async with worlds() as world:
        await world.fold([records])
        published, state = values(world), copy.deepcopy(world.contents())
        later = next_version(world)
        await later.fold([], LATER)
        assert values(world) == published
        assert world.contents() == state
        meta = await later.generations.serving(0)
        assert meta is not None
        assert (meta.outdated_format, meta.former) == (None, None)


@pytest.mark.parametrize("commits", [2, 3, 5, 6])
@story
async def test_a_crowd_of_timers_amid_which_a_state_was_left_is_gone_on_with(worlds: StoreOpener, commits: int) -> None:
    records = crowded_log()
    async with worlds() as world:
        world.bounds, world.history.logs[0] = TIGHT, records
        await world.fold([records[:-3]])
        await is_cut_short(world, records[-3:-2], "commit", commits)
        meta = await world.generations.serving(0)
        assert meta is not None
        assert meta.cursor.steps == 2 * (commits - 1)
        await ends_as_if_nothing_had_been(world, records)


@pytest.mark.parametrize("number", range(1, 8))
@story
async def test_a_change_that_is_told_is_told_on_from_the_contact_at_which_it_was_left(
    worlds: StoreOpener, number: int
) -> None:
    records, at = small_log()
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE, records
        await world.fold([records[:at]])
        await is_cut_short(world, records[at:], "commit", number)
        await ends_as_if_nothing_had_been(world, records)


@story
async def test_transitions_that_were_never_published_are_published_afterwards(worlds: StoreOpener) -> None:
    records, at = small_log()

    class Dead:
        async def publish(self, messages: Sequence[Message]) -> None:
            raise UnavailableError(f"the producer cannot deliver {len(messages)} messages")

    async with worlds() as world:
        world.history.logs[0], world.publisher = records, Dead()
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        await pipeline.apply(records[:at])
        await pipeline.close()
        assert values(world) == []
        world.publisher = None
        await ends_as_if_nothing_had_been(world, records)


@story
async def test_what_was_built_beforehand_is_not_built_again(worlds: StoreOpener) -> None:
    records = busy_log(5, 150)
    async with worlds() as world:
        await world.fold([records[:100]])
        later = next_version(world)
        builder = Builder(0, later.builds, compile_definitions(DEFINITIONS), topic="tracking", partitions=1)
        await builder.begin(owner=None)
        await builder.apply(records[:90])
        read, asked = world.history.read, list[LogBounds]()

        def reading(partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
            asked.append(bounds)
            return read(partition, bounds)

        later.history.read = reading  # type: ignore[method-assign] # to see what is read
        await later.fold([records], LATER)
        assert asked == [LogBounds(90, 100)]
        assert later.count("segue_build_records_total") == 10
        assert world.contents() == (await whole(records))[0]


@story
async def test_a_build_that_went_beyond_the_state_is_made_anew(worlds: StoreOpener) -> None:
    records = busy_log(5, 150)
    async with worlds() as world:
        await world.fold([records[:100]])
        later = next_version(world)
        builder = Builder(0, later.builds, compile_definitions(DEFINITIONS), topic="tracking", partitions=1)
        await builder.begin(owner=None)
        await builder.apply(records[:120])
        await ends_as_if_nothing_had_been(world, records)


@story
async def test_a_state_whose_log_has_lost_its_start_is_refused_with_what_to_do_and_stays(worlds: StoreOpener) -> None:
    records = busy_log(6, 100)
    async with worlds() as world:
        await world.fold([records[:80]])
        state = copy.deepcopy(world.serving())
        later = next_version(world)
        later.history.logs[0] = records[10:]
        pipeline = later.pipeline()
        words = f"format {STATE_FORMAT}.*the log begins at 10.*version of Segue that made.*segue load"
        with pytest.raises(InputError, match=words):
            await pipeline.load(LATER)
        await pipeline.close()
        assert world.serving() == state


@story
async def test_a_state_that_the_log_does_not_make_is_refused_without_naming_anybody_and_stays(
    worlds: StoreOpener, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, at = small_log()
    state, published = await whole(records[:at])
    async with worlds() as world:
        await world.fold([records[:at]])
        monkeypatch.setitem(KNOWN_SEMANTICS, SEMANTICS_VERSION, MORE)  # which is what nobody may do
        later = next_version(world)
        later.history.logs[0] = records
        pipeline = later.pipeline()
        with pytest.raises(
            InputError, match=r"another one \(5 contacts.*nothing was changed.*segue epoch raise"
        ) as told:
            await pipeline.load(LATER)
        assert "contact-" not in str(told.value)
        await pipeline.close()
        assert world.serving() == state
        assert values(world) == [message.value for message in published]


@story
async def test_a_state_that_was_taken_and_never_folded_is_begun_anew(worlds: StoreOpener) -> None:
    records = busy_log(7, 60)
    async with worlds() as world:
        await world.fold([])
        await ends_as_if_nothing_had_been(world, records)


@story
async def test_a_state_that_was_taken_over_takes_part_in_changes_like_any_other(worlds: StoreOpener) -> None:
    records = changing_log(2, 200)
    async with worlds() as world:
        world.bounds = TIGHT
        await world.fold([records[:20]])
        later = next_version(world)
        state, published = await whole(records)
        for generation, end in enumerate((60, 120, len(records)), 2):
            await later.fold([records[:end]], Fence(generation, "later"))
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


CALLS = ("take", "begin", "load", "build commit", "members", "built_keys", "states", "settle", "take_over")
"""What an upgrade calls of its ports, in the order in which it comes to them."""


@pytest.mark.parametrize(
    ("call", "number"),
    [*((call, 1) for call in CALLS), ("load", 2), ("build commit", 2), ("members", 4), ("built_keys", 2)],
)
@pytest.mark.parametrize("where", ["amid timers", "amid telling"])
@story
async def test_an_upgrade_that_is_cut_short_at_any_call_is_gone_on_with(
    worlds: StoreOpener, where: str, call: str, number: int
) -> None:
    records, at = (crowded_log(), 25) if where == "amid timers" else small_log()
    async with worlds() as world:
        world.bounds, world.history.logs[0] = STEPWISE if where == "amid telling" else TIGHT, records
        await world.fold([records[:at]])
        await is_cut_short(world, records[at : at + 1], "commit", 3)
        later = next_version(world)
        pipeline = amid_upgrade(later, call, fail, number).pipeline()
        with pytest.raises(UnavailableError):
            await pipeline.load(LATER)
        await pipeline.close()
        state, published = await whole(records)
        await later.fold([records], LATER)
        assert world.contents() == state
        assert values(world) == [message.value for message in published]


def test_definitions_of_two_meanings_share_no_states() -> None:
    one, other = compile_definitions(DEFINITIONS), compile_definitions(DEFINITIONS, semantics="more")
    assert isinstance(other, Definitions)
    assert (one.hash, one.canonical) == (other.hash, other.canonical)
    assert one.meaning != other.meaning
    assert one.identity != other.identity
