"""Definitions change in the middle of a log: once, at one record, whatever happens meanwhile."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from prometheus_client import generate_latest

from schemas.errors import InputError
from schemas.transitions import Transition, decode_transition
from streams.generations import BuildBusyError
from streams.pipeline.admission import Admission, RejectedRecordError
from streams.pipeline.building import Builder
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import Fence, FenceLostError, LogBounds, Message, RawRecord
from streams.segmentation import Core, Fold, compile_definitions
from tests.engine.driving import drive
from tests.engine.stories import (
    DEFINITIONS,
    EVER,
    HOUR,
    MINUTE,
    OFTEN,
    LogWriter,
    busy_log,
    changing_log,
    cut,
    definitions_value,
    edited,
    story,
)
from tests.engine.world import FENCE, LOG, Contents, StoreOpener, World, world_in_memory

TIGHT = PipelineBounds(timers_per_commit_max=2, transitions_per_commit_max=2, contacts_cached_max=3)


def moves(published: Sequence[Message]) -> list[Transition]:
    return [decode_transition(message.value or b"") for message in published]


def told(published: Sequence[Message]) -> list[tuple[Any, ...]]:
    """What was told by changes: contact, segment, in or out, sequence, cause."""
    return [
        (one.contact_id, one.segment, one.type.removeprefix("segment."), one.sequence, one.cause.kind)
        for one in moves(published)
        if one.cause.kind in ("definition", "backfill")
    ]


async def whole(records: Sequence[RawRecord]) -> tuple[Contents, list[Message]]:
    """All records in one batch, in memory."""
    async with world_in_memory() as world:
        await world.fold([records])
        return world.contents(), world.published()


@story
async def test_a_change_tells_exactly_the_difference_in_order_of_contacts(worlds: StoreOpener) -> None:
    writer = LogWriter()
    for contact, opens in (("zoe", 2), ("ann", 3), ("bob", 2), ("eve", 1)):
        for _ in range(opens):
            writer.track("email_open", contact, 1)
    writer.track("cart_add", "eve", 1)
    writer.append(None, definitions_value(edited(active=OFTEN, ever=EVER, hot=None), number=2), 1)
    writer.tick(1)
    async with worlds() as world:
        await world.fold([writer.records])
        assert told(world.published()) == [
            ("bob", "active", "exited", 2, "definition"),
            ("eve", "ever", "entered", 1, "definition"),
            ("zoe", "active", "exited", 2, "definition"),
        ]
        assert {one.effective_at for one in moves(world.published()) if one.cause.kind == "definition"} == {
            writer.now_ms - 1
        }


@story
async def test_who_enters_by_a_change_has_been_in_since_its_history_says_so(worlds: StoreOpener) -> None:
    writer = LogWriter()
    writer.track("cart_add", "eve", 1)
    since_ms = writer.now_ms
    writer.append(None, definitions_value(edited(ever=EVER), number=2), HOUR)
    async with worlds() as world:
        await world.fold([writer.records])
        assert world.contents()["0"]["members"]["ever"] == {"eve": since_ms}


@story
async def test_who_stays_in_one_segment_and_enters_another_stays_since_it_came(worlds: StoreOpener) -> None:
    writer = LogWriter()
    writer.track("email_open", "ann", 1)
    first_ms = writer.now_ms
    writer.track("email_open", "ann", 1)
    second_ms = writer.now_ms
    once = {"when": {"performed": {"event": "email_open"}}}
    writer.append(None, definitions_value(edited(active=once, opened=once), number=2), 1)
    async with worlds() as world:
        await world.fold([writer.records])
        assert told(world.published()) == [("ann", "opened", "entered", 1, "definition")]
        members = world.contents()["0"]["members"]
        assert (members["active"], members["opened"]) == ({"ann": second_ms}, {"ann": first_ms})


@story
async def test_a_segment_that_comes_back_goes_on_counting(worlds: StoreOpener) -> None:
    writer = LogWriter()
    writer.track("email_open", "ann", 1)
    writer.track("email_open", "ann", 1)
    writer.append(None, definitions_value(edited(active=None), number=2), 1)
    writer.tick(1)
    writer.append(None, definitions_value(number=3), 1)
    writer.tick(HOUR)
    async with worlds() as world:
        await world.fold([writer.records])
        active = [
            (one.type, one.sequence, one.cause.kind) for one in moves(world.published()) if one.segment == "active"
        ]
        assert active == [
            ("segment.entered", 1, "event"),
            ("segment.exited", 2, "definition"),
            ("segment.entered", 3, "definition"),
            ("segment.exited", 4, "timer"),
        ]


@story
async def test_who_was_due_to_leave_before_a_change_leaves_by_the_definitions_of_then(worlds: StoreOpener) -> None:
    writer = LogWriter()
    writer.track("email_open", "ann", 1)
    writer.track("email_open", "ann", 1)
    due_ms = writer.now_ms - 1 + 5 * MINUTE
    writer.append(None, definitions_value(edited(active=OFTEN), number=2), HOUR)
    async with worlds() as world:
        await world.fold([writer.records])
        left = moves(world.published())[-1]
        assert (left.segment, left.sequence, left.cause.kind, left.effective_at) == ("active", 2, "timer", due_ms)
        assert left.detected_at == writer.now_ms


@story
async def test_nobody_enters_who_would_have_left_by_then(worlds: StoreOpener) -> None:
    writer = LogWriter()
    writer.track("purchase", "ann", 1)
    recent = {"when": {"performed": {"event": "purchase", "within": "2m"}}}
    writer.append(None, definitions_value(edited(recent=recent), number=2), 2 * MINUTE)
    async with worlds() as world:
        await world.fold([writer.records])
        assert world.published() == []


@story
async def test_a_change_of_words_changes_no_state_and_tells_nothing(worlds: StoreOpener) -> None:
    described = edited(active=DEFINITIONS["segments"]["active"] | {"description": "Opens mails.", "tags": ["mail"]})
    writer = LogWriter()
    writer.track("email_open", "ann", 1)
    writer.track("email_open", "ann", 1)
    writer.append(None, definitions_value(described, number=2), 1)
    async with worlds() as world:
        await world.fold([writer.records[:-1]])
        contacts = copy.deepcopy(world.contents()["0"]["contacts"])
        writer.tick(HOUR)
        await world.fold([writer.records[3:4]])
        assert world.contents()["0"]["contacts"] == contacts
        await world.fold([writer.records[4:]])
        assert [one.tags for one in moves(world.published()) if one.segment == "active"] == [[], ["mail"]]
        text, versions = world.contents()["0"]["definitions"]
        assert [version.number for version in versions] == [1, 2]
        assert json.loads(text)["segments"]["active"]["tags"] == ["mail"]


@pytest.mark.parametrize("seed", range(4))
@story
async def test_how_the_log_is_cut_shows_nowhere(worlds: StoreOpener, seed: int) -> None:
    records = changing_log(seed, 300)
    state, published = await whole(records)
    assert len(told(published)) > 10
    async with worlds() as world:
        world.bounds = TIGHT
        for generation, batch in enumerate(cut(records, seed, 30), 1):
            await world.fold([batch], Fence(generation, f"member-{generation}"))
        assert world.contents() == state
        assert [message.value for message in world.published()] == [message.value for message in published]


def members_by_history(records: Sequence[RawRecord], data: dict[str, Any]) -> set[tuple[str, str]]:
    """Who is in which segment at the last record, if the definitions had held from the start."""
    admission = Admission("tracking", 0, 1, keys_cached_max=100)
    core = Core(compile_definitions(data))
    fold = Fold(core)
    for raw in records:
        try:
            admitted = admission.admit(raw)
        except RejectedRecordError:
            continue
        fold.fire(admitted.timestamp_ms, raw.offset)
        if admitted.record is not None:
            fold.apply(admitted.record, raw.offset, admitted.timestamp_ms)
    return {
        (contact.contact_id, segment.name)
        for contact in fold.contacts.values()
        for segment in core.program.segments
        if contact.contact_id is not None and contact.bits & segment.bit
    }


def changes_in(records: Sequence[RawRecord]) -> Iterator[RawRecord]:
    """The records of definitions after the first one."""
    return (record for record in records[1:] if b'"definitions"' in (record.value or b""))


def definitions_of(change: RawRecord) -> Any:
    return json.loads(json.loads(change.value or b"")["definitions"])


async def begun_by_another(world: World, change: RawRecord) -> Builder:
    """A build for the definitions of a change, by somebody who does not own the partition."""
    builder = Builder(0, world.builds, compile_definitions(definitions_of(change)), topic="tracking", partitions=1)
    await builder.begin(owner=None)
    return builder


@pytest.mark.parametrize("seed", range(4))
@story
async def test_after_each_change_the_members_are_those_that_the_history_makes(seed: int) -> None:
    records = changing_log(seed, 300)
    _, published = await whole(records)
    changes = list(changes_in(records))
    assert len(changes) == 5
    for change in changes:
        offset = change.offset
        members: set[tuple[str, str]] = set()
        for one in moves(published):
            if int(one.cause.position.partition("@")[2]) <= offset:
                pair = {(one.contact_id, one.segment)}
                members = members | pair if one.type == "segment.entered" else members - pair
        data = definitions_of(change)
        assert members == members_by_history(records[: offset + 1], data)


@story
async def test_what_somebody_has_built_already_is_not_built_again(worlds: StoreOpener) -> None:
    records = changing_log(1, 200)
    state, published = await whole(records)
    change = next(changes_in(records))
    async with worlds() as world:
        await world.fold([records[: change.offset]])
        builder = await begun_by_another(world, change)
        await builder.apply(records[: change.offset - 10])
        read = world.history.read
        begun: list[int] = []

        def reading(partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
            begun.append(bounds.start)
            return read(partition, bounds)

        world.history.read = reading  # type: ignore[method-assign] # to see what is read
        await world.fold([records[change.offset :]], Fence(2, "member-2"))
        assert begun[0] == change.offset - 10
        assert world.contents() == state
        assert [message.value for message in world.published()] == [message.value for message in published]


@story
async def test_a_build_that_went_too_far_is_made_anew(worlds: StoreOpener) -> None:
    records = changing_log(1, 200)
    state, published = await whole(records)
    change = next(changes_in(records))
    async with worlds() as world:
        await world.fold([records[: change.offset]])
        builder = await begun_by_another(world, change)
        await builder.apply(records)
        await world.fold([records[change.offset :]], Fence(2, "member-2"))
        assert world.contents() == state
        assert [message.value for message in world.published()] == [message.value for message in published]


@story
async def test_a_builder_is_refused_once_the_owner_builds(worlds: StoreOpener) -> None:
    records = busy_log(1, 50)
    async with worlds() as world:
        await world.fold([records])
        builder = Builder(0, world.builds, compile_definitions(edited(active=OFTEN)), topic="tracking", partitions=1)
        await builder.begin(owner=None)
        await world.builds.begin(0, builder.definitions.identity, owner=FENCE)
        with pytest.raises(FenceLostError):
            await builder.apply(records)
        with pytest.raises(BuildBusyError):
            await builder.begin(owner=None)


@pytest.mark.parametrize("seed", range(3))
@story
async def test_a_change_that_is_driven_on_after_every_interruption_ends_the_same(
    worlds: StoreOpener, seed: int
) -> None:
    records = changing_log(seed, 200)
    state, published = await whole(records)
    async with worlds() as world:
        world.bounds = TIGHT
        await drive(world, records, seed)
        assert world.contents() == state
        assert [message.value for message in world.published()] == [message.value for message in published]


@story
async def test_what_served_before_stays_until_all_is_told(worlds: StoreOpener) -> None:
    records = changing_log(2, 200)
    async with worlds() as world:
        generations: Any = world.generations
        drop = generations.drop_former
        stood: list[tuple[int, int]] = []

        async def dropping(partition: int, generation: int) -> None:
            meta = await world.store.take(partition, FENCE, LOG)
            stood.append((meta.versions[-1].offset, meta.cursor.offset))
            await drop(partition, generation)

        generations.drop_former = dropping
        for batch in cut(records, 2, 30):
            await world.fold([batch])
        assert len(stood) >= 3
        assert all(change < cursor for change, cursor in stood), "who loads there would tell the rest from half of it"


@story
async def test_a_change_shows_in_the_metrics(worlds: StoreOpener) -> None:
    writer = LogWriter()
    writer.track("email_open", "ann", 1)
    writer.track("email_open", "ann", 1)
    async with worlds() as world:
        await world.fold([writer.records])
        assert world.count("segue_definitions_number", "0") == 1
        assert world.count("segue_definitions_changes_total") == 0
        writer.append(None, definitions_value(edited(active=OFTEN), number=2), 1)
        writer.append(None, definitions_value(edited(active=OFTEN | {"tags": ["often"]}), number=5), 1)
        writer.append(None, definitions_value(edited(active=OFTEN | {"tags": ["often"]}), number=6), 1)
        await world.fold([writer.records[3:]], Fence(2, "member-2"))
        assert world.count("segue_definitions_number", "0") == 5
        assert world.count("segue_definitions_changes_total") == 2
        assert world.count("segue_build_records_total") == 4, "once, and not for words alone"
        assert b"segue_definitions_change_seconds_count 2.0" in generate_latest(world.meters.registry)


@story
async def test_definitions_for_semantics_that_are_not_known_stop_the_worker_and_are_no_dead_letter() -> None:
    writer = LogWriter()
    writer.append(None, definitions_value(edited(active=OFTEN), number=2, semantics="2"), 1)
    async with world_in_memory() as world:
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        with pytest.raises(InputError, match=r"version 2 of the semantics.*knows 1.*newer version"):
            await pipeline.apply(writer.records)
        await pipeline.close()
        assert world.dead_letters() == []
