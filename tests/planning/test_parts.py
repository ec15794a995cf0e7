"""What a plan is made of: the definitions that hold, those that held, how far windows look back, and room in Redis."""

from __future__ import annotations

import pytest

from schemas.errors import InputError
from streams.planning.held import definitions_in, read_held
from streams.planning.lookback import short_lookbacks
from streams.planning.plan import Lookback
from streams.planning.room import Filled, Room, megabytes
from streams.planning.versions import definitions_of, known_versions
from streams.ports import LogBounds, RawRecord
from streams.segmentation import compile_definitions
from tests.engine.stories import DEFINITIONS, LogWriter, definitions_value, story
from tests.engine.world import World, world_in_memory
from tests.planning.drafts import edited, ports_of

EVER = {"when": {"performed": {"event": "cart_add"}}}
OTHER = edited(ever=EVER)
DAY = 86_400_000


def _log() -> LogWriter:
    """Definitions, an event, a change, an event, and a change back."""
    writer = LogWriter()
    writer.track("cart_add", "eve", 1)
    writer.append(None, definitions_value(OTHER, number=2, author="ann", message="more", silent=True), 1)
    writer.track("cart_add", "eve", 1)
    writer.append(None, definitions_value(number=3), 1)
    writer.tick(1)
    return writer


async def _held(world: World, end: int) -> tuple[int, int, bool] | None:
    meta = await world.generations.serving(0)
    held = await read_held(0, meta, world.history, LogBounds(0, end))
    return None if held is None else (held.number, held.offset, held.is_made)


@story
async def test_what_a_log_holds_is_known_before_and_after_its_worker_has_come_to_it() -> None:
    records = _log().records
    async with world_in_memory() as world:
        world.history.logs[0] = records
        assert [await _held(world, end) for end in (0, 2, 4, 6)] == [None, (1, 0, False), (2, 2, False), (3, 4, False)]
        await world.fold([records[:4]])
        world.history.logs[0] = records
        assert [await _held(world, end) for end in (4, 6)] == [(2, 2, True), (3, 4, False)]
        await world.fold([records[4:]])
        assert await _held(world, 6) == (3, 4, True)


def test_a_record_that_is_no_definitions_brings_none() -> None:
    good = definitions_value(OTHER, number=2)
    assert definitions_in(RawRecord(1, 1, None, good)) is not None
    for key, value in (
        (b"eve", good),
        (None, None),
        (None, b'{"type":"tick"}'),
        (None, b'{"type":"definitions"'),
        (None, definitions_value(OTHER, number=2, hash="0" * 64)),
        (None, definitions_value(OTHER, number=2, definitions='{"version":9}')),
    ):
        assert definitions_in(RawRecord(1, 1, key, value)) is None


@story
async def test_all_definitions_are_listed_with_who_applied_them_and_where_they_hold() -> None:
    records = _log().records
    async with world_in_memory() as world:
        await world.fold([records[:4]])
        world.history.logs[0] = records
        found = await known_versions(ports_of(world))
        assert [(one.version.number, one.offsets, one.waiting, one.newest) for one in found] == [
            (1, {0: 0}, [], []),
            (2, {0: 2}, [], []),
            (3, {0: 4}, [0], [0]),
        ]
        second = found[1].version
        assert (second.author, second.message, second.silent) == ("ann", "more", True)
        assert second.clock_ms == records[2].timestamp_ms
        assert found[2].version.clock_ms == 0, "nobody has come to it"


@story
async def test_earlier_definitions_are_read_from_the_log_as_long_as_it_has_them() -> None:
    records = _log().records
    async with world_in_memory() as world:
        await world.fold([records])
        ports = ports_of(world)
        assert (await definitions_of(ports, 2)).definitions == compile_definitions(OTHER).canonical
        assert (await definitions_of(ports, 0)).number == 2
        with pytest.raises(InputError, match="there are no definitions 9: there are 1, 2, 3"):
            await definitions_of(ports, 9)


@story
async def test_where_there_was_one_text_only_there_is_none_to_return_to() -> None:
    async with world_in_memory() as world:
        await world.fold([LogWriter().records])
        with pytest.raises(InputError, match="no earlier definitions"):
            await definitions_of(ports_of(world), 0)


def test_windows_that_look_back_further_than_the_log_reaches_are_told() -> None:
    opens = {"event": "email_open", "within": "7d"}
    falling = {"of": opens, "to": opens | {"ago": "30d"}, "lt": 0.5}
    data = edited(
        week={"when": {"performed": {"event": "cart_add", "within": "7d"}}},
        before={"when": {"ratio": falling}},
        ever=EVER,
        old={"when": {"known_for": "90d"}},
    )
    compiled = compile_definitions(data)
    names = {f"segments.{name}" for name in data["segments"]}
    assert short_lookbacks(compiled, names, 7 * DAY) == [
        Lookback("segments.before", 37 * DAY),
        Lookback("segments.old", 90 * DAY),
    ]
    assert short_lookbacks(compiled, {"segments.week"}, 7 * DAY - 1) == [Lookback("segments.week", 7 * DAY)]
    assert short_lookbacks(compiled, set(), 0) == []
    assert short_lookbacks(compile_definitions(DEFINITIONS), names, 90 * DAY) == []


def test_a_build_is_begun_only_where_a_tenth_stays_free_beside_it() -> None:
    Room(used=500, most=1_000, serving=400).check()
    Room(used=500, most=0, serving=10**12).check()
    with pytest.raises(InputError, match="raise its maxmemory, or free some"):
        Room(used=500, most=1_000, serving=401).check()


def test_a_build_under_way_is_short_of_room_in_the_last_twentieth() -> None:
    assert not Filled(950, 1_000).is_short
    assert Filled(951, 1_000).is_short
    assert not Filled(10**12, 0).is_short
    assert megabytes(12_340_000) == "12.3 MB"
