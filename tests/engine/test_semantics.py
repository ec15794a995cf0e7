"""The same text may come to mean something else: that is a change of definitions like any other."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from schemas.errors import InputError
from streams.adapters.memory import MemoryStateStore
from streams.explaining.log_replay import replay_log
from streams.ports import Fence, RawRecord
from streams.segmentation import KNOWN_SEMANTICS, SEMANTICS_VERSION, compile_definitions, contact_key
from streams.versions import Version
from tests.engine.another_meaning import ANOTHER, MORE, meant
from tests.engine.driving import drive
from tests.engine.stories import HOUR, LogWriter, busy_log, cut, definitions_value, edited, story
from tests.engine.test_changing import TIGHT, members_by_history, moves, told, whole
from tests.engine.upgrades import next_version
from tests.engine.world import FENCE, StoreOpener, world_in_memory


@pytest.fixture(autouse=True)
def _two_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of Segue that knows two meanings."""
    monkeypatch.setitem(KNOWN_SEMANTICS, ANOTHER, MORE)


COUNTING = edited(
    opened={"when": {"performed": {"event": "email_open", "at_least": 3}}},
    carted={"when": {"performed": {"event": "cart_add", "at_least": 2}}},
)


def counted_log(seed: int, records: int) -> list[RawRecord]:
    """A busy log under definitions that count much."""
    busy = busy_log(seed, records)
    return [busy[0]._replace(value=definitions_value(COUNTING)), *busy[1:]]


def log_with_two_meanings(seed: int, records: int) -> list[RawRecord]:
    """A busy log in which the same text comes to mean something else, and back, and another text comes in between."""
    busy, chance = counted_log(seed, records), random.Random(seed)
    places = sorted(chance.sample(range(10, len(busy) - 10), 4))
    described = copy.deepcopy(COUNTING)
    described["segments"]["active"]["description"] = "Opens mails."
    values = [
        definitions_value(COUNTING, number=2, semantics=ANOTHER),
        definitions_value(described, number=3, semantics=ANOTHER),
        definitions_value(described, number=4),
        definitions_value(COUNTING, number=5, semantics=ANOTHER),
    ]
    log: list[RawRecord] = []
    for record in busy:
        if record.offset in places:
            log.append(RawRecord(0, record.timestamp_ms, None, values[places.index(record.offset)]))
        log.append(record)
    return [record._replace(offset=offset) for offset, record in enumerate(log)]


def opens(*counts: tuple[str, int]) -> LogWriter:
    """So many opens of each contact."""
    writer = LogWriter()
    for contact, count in counts:
        for _ in range(count):
            writer.track("email_open", contact, 1)
    return writer


@story
async def test_the_same_text_for_another_version_tells_the_difference_at_its_record(worlds: StoreOpener) -> None:
    writer = opens(("zoe", 2), ("ann", 3), ("bob", 2))
    writer.append(None, definitions_value(number=2, semantics=ANOTHER), 1)
    writer.track("email_open", "bob", 1)
    async with worlds() as world:
        await world.fold([writer.records])
        assert told(world.published()) == [
            ("bob", "active", "exited", 2, "definition"),
            ("zoe", "active", "exited", 2, "definition"),
        ]
        last = moves(world.published())[-1]
        assert (last.contact_id, last.sequence, last.cause.kind) == ("bob", 3, "event")
        versions = world.contents()["0"]["definitions"][1]
        assert [(one.number, one.semantics) for one in versions] == [(1, SEMANTICS_VERSION), (2, ANOTHER)]
        assert versions[0].hash == versions[1].hash


@story
async def test_the_same_text_for_the_same_version_is_no_change(worlds: StoreOpener) -> None:
    writer = opens(("zoe", 2), ("ann", 3))
    writer.append(None, definitions_value(number=2, semantics=ANOTHER), 1)
    writer.append(None, definitions_value(number=3, semantics=ANOTHER), 1)
    writer.tick(1)
    async with worlds() as world:
        await world.fold([writer.records])
        assert [one.number for one in world.contents()["0"]["definitions"][1]] == [1, 2]
        assert world.count("segue_definitions_changes_total") == 1


@pytest.mark.parametrize("seed", range(3))
@story
async def test_how_a_log_with_two_meanings_is_cut_and_taken_over_shows_nowhere(worlds: StoreOpener, seed: int) -> None:
    records = log_with_two_meanings(seed, 200)
    state, published = await whole(records)
    assert len(told(published)) > 5
    async with worlds() as world:
        world.bounds = TIGHT
        half = len(records) // 2
        for generation, batch in enumerate(cut(records[:half], seed, 30), 1):
            await world.fold([batch], Fence(generation, f"member-{generation}"))
        await next_version(world).fold([records], Fence(99, "later"))
        assert world.contents() == state
        assert [message.value for message in world.published()] == [message.value for message in published]


@pytest.mark.parametrize("seed", range(2))
@story
async def test_a_log_with_two_meanings_is_driven_on_after_every_interruption(worlds: StoreOpener, seed: int) -> None:
    records = log_with_two_meanings(seed, 150)
    state, published = await whole(records)
    async with worlds() as world:
        world.bounds = TIGHT
        await drive(world, records, seed)
        assert world.contents() == state
        assert [message.value for message in world.published()] == [message.value for message in published]


@pytest.mark.parametrize("seed", range(3))
@story
async def test_after_it_the_members_are_those_of_the_other_meaning_over_all_of_history(seed: int) -> None:
    records = counted_log(seed, 200)[:-1]
    by_meaning = members_by_history(records, json.loads(meant(compile_definitions(COUNTING)).canonical))
    end = records[-1]
    value = definitions_value(COUNTING, number=2, semantics=ANOTHER)
    _, published = await whole([*records, RawRecord(end.offset + 1, end.timestamp_ms, None, value)])
    members: set[tuple[str, str]] = set()
    for one in moves(published):
        pair = {(one.contact_id, one.segment)}
        members = members | pair if one.type == "segment.entered" else members - pair
    assert members == by_meaning
    assert members != members_by_history(records, COUNTING)


@story
async def test_a_contact_is_explained_by_what_holds_and_ends_with_the_bytes_that_are_stored() -> None:
    records = log_with_two_meanings(1, 200)
    contents, _ = await whole(records)
    for contact_id in sorted({record.key.decode() for record in records if record.key} - {"somebody-else"}):
        replay = replay_log(lambda: iter(records), contact_id, "tracking", 0, 1)
        assert replay.core.definitions.semantics == ANOTHER
        if replay.contact is not None:
            assert replay.core.encode(replay.contact) == contents["0"]["contacts"][contact_key(contact_id)]


@story
async def test_a_state_that_stands_under_a_version_that_is_not_known_stops_the_worker(
    worlds: StoreOpener, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = opens(("ann", 3))
    writer.append(None, definitions_value(number=2, semantics=ANOTHER), 1)
    writer.tick(1)
    async with worlds() as world:
        await world.fold([writer.records])
        published = len(world.published())
        monkeypatch.delitem(KNOWN_SEMANTICS, ANOTHER)
        for each in (world, next_version(world)):
            pipeline = each.pipeline()
            with pytest.raises(InputError, match=f"version {ANOTHER} of the semantics.*knows 1.*newer version"):
                await pipeline.load(Fence(2, "older"))
            await pipeline.close()
        assert len(world.published()) == published


@story
async def test_a_state_that_says_nothing_of_semantics_stands_under_the_first_version(worlds: StoreOpener) -> None:
    records: Sequence[RawRecord] = opens(("ann", 2)).records
    async with worlds() as world:
        await world.fold([records])
        if isinstance(world.store, MemoryStateStore):
            found = world.store.partitions[0]
            stripped = [Version(one.number, one.hash, one.offset, one.clock_ms) for one in found.meta.versions]
            found.meta = replace(found.meta, versions=tuple(stripped))
        meta = await world.generations.serving(0)
        assert meta is not None
        assert [one.semantics for one in meta.versions] == [SEMANTICS_VERSION]


@story
async def test_who_changes_back_to_the_first_meaning_is_told_what_that_makes() -> None:
    writer = opens(("zoe", 2), ("ann", 3))
    writer.append(None, definitions_value(number=2, semantics=ANOTHER), 1)
    writer.append(None, definitions_value(number=3), 1)
    writer.tick(HOUR)
    async with world_in_memory() as world:
        await world.fold([writer.records], FENCE)
        assert told(world.published()) == [
            ("zoe", "active", "exited", 2, "definition"),
            ("zoe", "active", "entered", 3, "definition"),
        ]
