"""Cases in which core and brute force once differed, or one of them broke down, shrunk and named."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.instants import format_instant
from schemas.transitions import decode_transition, encode_transition
from tests.oracle.driving import Body, assert_same, run_core
from tests.oracle.language import File
from tests.oracle.lines import DAY, SECOND, START_MS, did, scored, segments, traits
from tests.oracle.notation import instant_ms

SLOW_DECAY = {"half_life": "3650d", "points": [{"event": "purchase", "points": 1_000_000}]}
SLOW = scored(SLOW_DECAY, rich={"score": {"name": "s", "gt": 1}})
AGES = segments(
    old={"trait": {"name": "renews", "older_than": "10d"}}, new={"trait": {"name": "renews", "newer_than": "10d"}}
)


def test_the_day_of_an_anniversary_may_be_the_first_of_all_days() -> None:
    file = segments(day={"anniversary": {"trait": "born", "days_before": 2}})
    assert_same(file, [traits({"born": "0001-01-01"}, 0)], START_MS + 800 * DAY)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
@pytest.mark.parametrize(
    "born", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999-12:00", "9999-12-31T23:59:59Z", "9999-12-31"]
)
@pytest.mark.parametrize("around", [{}, {"days_before": 365, "days": 365}, {"days": 365}])
def test_the_calendar_ends_without_breaking_anything(born: str, zone: str, around: dict[str, int]) -> None:
    file: File = {**segments(day={"not": {"anniversary": {"trait": "born", **around}}}), "zone": zone}
    assert_same(file, [traits({"born": born}, 0)], START_MS + 800 * DAY)


@pytest.mark.parametrize(
    ("born", "first"), [("9500-06-01", "9500-06-01T00:00:00Z"), ("9999-12-31", "9999-12-31T00:00:00Z")]
)
def test_an_anniversary_that_begins_in_the_last_of_all_centuries_is_awaited(born: str, first: str) -> None:
    driven, _ = run_core(segments(later={"not": {"anniversary": {"trait": "born"}}}), [traits({"born": born}, 0)])
    assert [transition.valid_until for transition in driven.transitions] == [instant_ms(first)]


@pytest.mark.parametrize(
    ("file", "body"),
    [
        (SLOW, did("purchase", 0)),
        (AGES, traits({"renews": "2199-12-31"}, 0)),
        (AGES, traits({"renews": "2500-01-01T00:00:00Z"}, 0)),
        (AGES, traits({"renews": "9999-12-31"}, 0)),
    ],
)
def test_a_transition_that_holds_for_centuries_can_be_written_and_read(file: File, body: Body) -> None:
    driven, _ = run_core(file, [body])
    assert driven.transitions
    for transition in driven.transitions:
        assert decode_transition(encode_transition(transition)) == transition


@pytest.mark.parametrize("points", [-4, 4, -47.988])
def test_what_happened_a_hundred_half_lives_ago_still_decides_on_a_tie(points: float) -> None:
    rules = [{"event": "email_open", "points": points}, {"event": "purchase", "points": -3.999}]
    file = scored({"half_life": "1s", "points": rules}, fine={"score": {"name": "s", "gte": -1.999}})
    now = 100 * SECOND
    bodies = [did("email_open", 0), did("purchase", now - SECOND, received=now)]
    assert_same(file, bodies, START_MS + DAY)
    driven, _ = run_core(file, bodies)
    assert bool(len(driven.transitions) % 2) == (points > 0), "-1.9995, and a very little more or less"


@pytest.mark.parametrize("decay", [{}, {"half_life": "1d"}, {"expires_after": "1d"}])
def test_points_however_many_are_points(decay: dict[str, Any]) -> None:
    score = {**decay, "points": [{"event": "purchase", "points": 10_000_000, "per": "amount"}]}
    file = scored(score, rich={"score": {"name": "s", "gt": 1}})
    assert_same(file, [did("purchase", 0, properties={"amount": 1e15})])


@pytest.mark.parametrize("born", ["1980-06-15", "2000-02-29"])
def test_days_around_an_anniversary_that_leave_a_gap_in_leap_years_alone_flip_in_every_one(born: str) -> None:
    file = segments(all_year={"anniversary": {"trait": "born", "days": 365}})
    assert_same(file, [traits({"born": born}, 0)], instant_ms("2041-01-01T00:00:00Z"))
    driven, _ = run_core(file, [traits({"born": born}, 0)], instant_ms("2041-01-01T00:00:00Z"))
    exits = [move for move in driven.transitions if move.type == "segment.exited"]
    assert [format_instant(move.effective_at)[:4] for move in exits] == ["2028", "2032", "2036", "2040"]


def test_a_score_that_follows_another_is_read_of_a_contact_of_whom_nothing_else_is_known() -> None:
    file: File = {
        "version": 1,
        "scores": {
            "calm": {"points": [{"while": {"not_performed": {"event": "email_open", "within": "1d"}}, "points": 4}]},
            "trusted": {"points": [{"while": {"score": {"name": "calm", "gte": 4}}, "points": 8}]},
        },
        "segments": {"trusted": {"when": {"score": {"name": "trusted", "gte": 8}}}},
    }
    assert_same(file, [did("purchase", 0), did("email_open", SECOND)], START_MS + 2 * DAY)
    driven, _ = run_core(file, [did("purchase", 0)])
    assert [move.type for move in driven.transitions] == ["segment.entered"]
