"""A bad record never stops a partition and never vanishes."""

from __future__ import annotations

import pytest

from schemas.errors import InputError
from schemas.records import definitions_hash
from schemas.topics import partition_of
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import Fence, Message, RawRecord
from tests.engine.stories import MINUTE, LogWriter, definitions_value, story, value_of
from tests.engine.world import FENCE, world_in_memory

PASSING = PipelineBounds(dead_letter_ratio_max=1)
HOSTILE: list[tuple[bytes | None, bytes | None, str]] = [
    (b"c1", b"\xff\xfe\x00", "undecodable"),
    (b"c1", b"", "undecodable"),
    (b"c1", None, "undecodable"),
    (b"c1", b'{"type":"track"', "undecodable"),
    (b"c1", b'{"type":"track","properties":{"x":NaN}}', "undecodable"),
    (b"c1", b"[" * 10_000 + b"]" * 10_000, "too_deep"),
    (b"c1", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too_deep"),
    (b"c1", b'["no", "object"]', "invalid"),
    (b"c1", b'{"type":"surprise"}', "unknown_type"),
    (b"c1", b'{"type":"track","event_id":"e","event":"email_open","occurred_at":"2026-01-01T00:00:00Z"}', "invalid"),
    (b"c1", value_of("track", "c1", "e", 0, event="email_open", occurred_at="0001-01-01T00:00:00Z"), "invalid"),
    (b"c1", value_of("track", "c1", "e", 0, event="email_open", occurred_at="3000-01-01T00:00:00Z"), "invalid"),
    (b"c1", value_of("track", "c1", "e", 0, event="email_open", occurred_at="2026-01-01T00:00:00"), "invalid"),
    (b"c2", value_of("erase", "c1", "e", 0), "foreign_key"),
    (None, value_of("erase", "c1", "e", 0), "foreign_key"),
    (b"c1", b'{"type":"tick"}', "foreign_key"),
    (b"c1", b'"' + b"x" * 1_000_000 + b'"', "invalid"),
]


def header(message: Message, name: str) -> str:
    return dict(message.headers)[name].decode()


@pytest.mark.parametrize(("key", "value", "reason"), HOSTILE, ids=[f"{n}-{r}" for n, (_, _, r) in enumerate(HOSTILE)])
@story
async def test_a_bad_record_is_kept_unchanged_and_what_follows_is_applied(
    key: bytes | None, value: bytes | None, reason: str
) -> None:
    writer = LogWriter()
    writer.append(key, value, after_ms=5)
    writer.track("email_open", "c1", after_ms=5)
    writer.track("email_open", "c1", after_ms=5)
    async with world_in_memory() as world:
        await world.fold([writer.records])
        letter = world.dead_letters()[0]
        assert (letter.key, letter.value, letter.partition) == (key, value, 0)
        assert header(letter, "segue_dlq.original_topic") == "tracking"
        assert header(letter, "segue_dlq.original_partition") == "0"
        assert header(letter, "segue_dlq.original_offset") == "1"
        assert header(letter, "segue_dlq.original_timestamp") == str(writer.records[1].timestamp_ms)
        assert header(letter, "segue_dlq.original_timestamp_type") == "CreateTime"
        assert header(letter, "segue_dlq.original_consumer_group") == "segue-worker"
        assert header(letter, "segue_dlq.reason") == reason
        assert header(letter, "segue_dlq.detail")
        assert len(world.dead_letters()) == 1
        assert world.count("segue_dead_letters_total", reason) == 1
        assert len(world.published()) == 1


@story
async def test_a_contact_of_another_partition_is_a_dead_letter() -> None:
    ours = next(f"c{n}" for n in range(99) if partition_of(f"c{n}", 4) == 0)
    theirs = next(f"c{n}" for n in range(99) if partition_of(f"c{n}", 4) == 3)
    writer = LogWriter()
    writer.track("email_open", theirs)
    writer.track("email_open", ours)
    async with world_in_memory() as world:
        world.partitions = 4
        await world.fold([writer.records])
        letter = world.dead_letters()[0]
        assert header(letter, "segue_dlq.reason") == "foreign_partition"
        assert "partition 3 of 4" in header(letter, "segue_dlq.detail")
        assert len(world.contents()["0"]["contacts"]) == 1


@story
async def test_a_dead_letter_never_moves_the_clock() -> None:
    writer = LogWriter()
    writer.append(b"c1", b"{", after_ms=50 * MINUTE)
    clock_before = writer.records[0].timestamp_ms
    async with world_in_memory() as world:
        await world.fold([writer.records])
        assert world.contents()["0"]["at"] == ((2, 0), 0, clock_before, 0)


@story
async def test_dead_letters_are_not_published_again_by_the_next_owner() -> None:
    writer = LogWriter()
    for number in range(6):
        writer.append(b"c1", b"{%d" % number)
        writer.track("email_open", "c1", after_ms=1)
    async with world_in_memory() as world:
        world.bounds = PASSING
        await world.fold([writer.records[:5]])
        first = list(world.dead_letters())
        async with world_in_memory() as emptied:
            emptied.logs, emptied.bounds = world.logs, PASSING
            await emptied.fold([writer.records], Fence(2, "b"))
        letters = world.dead_letters()
        assert letters[: len(first)] == first
        assert [header(letter, "segue_dlq.original_offset") for letter in letters] == ["1", "3", "5", "7", "9", "11"]


@story
async def test_too_many_bad_records_stop_the_worker_before_any_of_the_batch_is_passed() -> None:
    writer = LogWriter()
    for number in range(1_000):
        if number % 20 == 7:
            writer.append(b"c1", b"{")
        writer.track("email_open", "c1")
    async with world_in_memory() as world:
        await world.fold(writer.records[n : n + 100] for n in range(0, 1_000, 100))
        assert len(world.dead_letters()) > 40
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        at = pipeline.cursor.offset
        bad = [RawRecord(at + n, writer.now_ms, b"c1", b"{") for n in range(51)]
        before, letters = world.contents(), len(world.dead_letters())
        with pytest.raises(InputError, match="SEGUE_DEAD_LETTER_RATIO_MAX=1") as refused:
            await pipeline.apply(bad)
        assert f"offset {at + 50}" in str(refused.value)
        assert (world.contents(), len(world.dead_letters())) == (before, letters)
        await pipeline.close()
        world.bounds = PASSING
        await world.fold([bad])
        assert len(world.dead_letters()) == letters + 51


@story
async def test_five_bad_records_in_a_hundred_are_borne_for_ever() -> None:
    writer = LogWriter()
    for number in range(4_000):
        if number % 20 == 0:
            writer.append(b"c1", b"{")
        else:
            writer.track("page_view", "c1")
    async with world_in_memory() as world:
        await world.fold(writer.records[n : n + 128] for n in range(0, len(writer.records), 128))
        assert len(world.dead_letters()) == 200


@story
async def test_what_was_let_pass_once_does_not_stop_a_replay() -> None:
    writer = LogWriter()
    for _ in range(100):
        writer.append(b"c1", b"{")
    async with world_in_memory() as world:
        world.bounds = PASSING
        await world.fold([writer.records])
        async with world_in_memory() as emptied:
            emptied.logs = world.logs
            await emptied.fold([writer.records])
            assert len(emptied.dead_letters()) == 100
            assert emptied.contents() == world.contents()


@story
async def test_a_log_that_begins_with_something_else_than_definitions_is_refused() -> None:
    writer = LogWriter(definitions=b'{"type":"tick"}')
    async with world_in_memory() as world:
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        with pytest.raises(InputError, match="definitions"):
            await pipeline.apply(writer.records)
        await pipeline.close()


@story
async def test_bad_records_before_the_definitions_are_passed_over() -> None:
    writer = LogWriter(definitions=b"{")
    writer.append(None, definitions_value())
    writer.track("email_open", "c1")
    async with world_in_memory() as world:
        for batch in ([0, 1], [1, 2], [2, 3]):
            await world.fold([writer.records[slice(*batch)]])
        assert len(world.dead_letters()) == 1
        assert len(world.contents()["0"]["contacts"]) == 1


@story
async def test_definitions_that_cannot_be_read_are_dead_letters_and_change_nothing() -> None:
    writer = LogWriter()
    writer.track("email_open", "c1")
    writer.append(None, definitions_value(number=2), after_ms=7)
    clock_ms = writer.now_ms
    writer.append(None, definitions_value(definitions="{}", hash="0" * 64), after_ms=7)
    bad = definitions_value().replace(b"email_open", b"email-open")
    writer.append(None, bad, after_ms=7)
    async with world_in_memory() as world:
        await world.fold([[record] for record in writer.records])
        stored = world.contents()["0"]
        assert [version.number for version in stored["definitions"][1]] == [1]
        assert stored["at"][2] == clock_ms
        reasons = [header(letter, "segue_dlq.reason") for letter in world.dead_letters()]
        assert reasons == ["invalid_definitions", "invalid_definitions"]


@story
async def test_first_definitions_that_do_not_compile_are_dead_letters_and_the_next_ones_count() -> None:
    text = '{"version":1,"segments":{"s":{"when":{"unheard_of":{}}}}}'
    writer = LogWriter(definitions=definitions_value(definitions=text, hash=definitions_hash(text)))
    writer.append(None, definitions_value())
    async with world_in_memory() as world:
        await world.fold([writer.records])
        assert [header(letter, "segue_dlq.reason") for letter in world.dead_letters()] == ["invalid_definitions"]
        assert world.contents()["0"]["definitions"][0] is not None


@story
async def test_counts_of_records_and_outcomes_are_exact() -> None:
    writer = LogWriter()
    writer.track("email_open", "c1", after_ms=10, event_id="same")
    writer.track("email_open", "c1", after_ms=10, event_id="same")
    writer.track("email_open", "c1", after_ms=10, late_ms=5)
    writer.track("email_open", "c1", after_ms=10, late_ms=-MINUTE)
    writer.record("erase", "c1", after_ms=10)
    writer.track("email_open", "c1", after_ms=10, late_ms=500)
    writer.tick(1)
    async with world_in_memory() as world:
        world.bounds = PASSING
        await world.fold([writer.records])
        assert world.count("segue_records_total", "track") == 5
        assert world.count("segue_records_total", "tick") == 1
        assert world.count("segue_records_total", "definitions") == 1
        assert world.count("segue_record_outcomes_total", "applied") == 4
        assert world.count("segue_record_outcomes_total", "duplicate") == 1
        assert world.count("segue_record_outcomes_total", "erased") == 1
        assert world.count("segue_records_late_total") == 1
        assert world.count("segue_records_future_total") == 1
        assert world.count("segue_transitions_total", "active", "segment.entered", "event") == 1
        assert world.count("segue_transitions_total", "active", "segment.exited", "erasure") == 1
        assert world.count("segue_segment_members", "active") == 0
