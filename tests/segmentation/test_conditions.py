"""Conditions beyond plain counts: filters, `since`, traits that are times, consent, lists, acquaintance."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.instants import parse_instant
from streams.segmentation import DefinitionsError, compile_definitions
from tests.segmentation.timeline import DAY, HOUR, MINUTE, START, Timeline, segment


def test_a_filter_on_a_property_lets_only_matching_events_count() -> None:
    big = {"performed": {"event": "cart_add", "where": [{"property": "item.value", "gte": 50}]}}
    story = Timeline(segment(big))
    story.track(0, "cart_add", properties={"item": {"value": 49.99}})
    story.track(1, "cart_add", properties={"item": {"value": "50"}})
    story.track(2, "cart_add", properties={"item": {"value": 50}})
    assert story.moves() == [("in", 2)]


def test_a_filter_reaches_into_the_context() -> None:
    story = Timeline(
        segment(
            {"performed": {"event": "page_view", "where": [{"property": "context.page.path", "starts_with": "/sale"}]}}
        )
    )
    story.track(0, "page_view", properties={"context": {"page": {"path": "/sale"}}})
    story.track(1, "page_view", context={"page": {"path": "/sale/1"}})
    assert story.moves() == [("in", 1)]


def test_local_hours_and_days_are_those_of_the_files_zone() -> None:
    late = {
        "performed": {
            "event": "page_view",
            "where": [{"property": "@hour", "eq": 1}, {"property": "@date", "eq": "2026-01-01"}],
        }
    }
    for zone, moves in (("Europe/Paris", [("in", 10)]), ("UTC", [])):
        story = Timeline(segment(late, zone=zone))
        story.track(10, "page_view")
        assert story.moves() == moves


def test_only_events_after_the_newest_since_event_count() -> None:
    bought_since = {"performed": {"event": "purchase", "since": {"event": "cart_add"}}}
    abandoned = {"all": [{"performed": {"event": "cart_add"}}, {"not": bought_since}]}
    story = Timeline(segment(abandoned))
    story.track(0, "cart_add")
    story.track(10, "purchase")
    story.track(20, "cart_add")
    story.track(20, "purchase")  # not strictly after
    story.track(30, "purchase")
    assert story.moves() == [("in", 0), ("out", 10), ("in", 20), ("out", 30)]


def test_nothing_counts_until_there_are_as_many_since_events_as_are_asked_for() -> None:
    opens = {"performed": {"event": "email_open", "at_least": 2, "since": {"event": "email_delivered", "nth": 2}}}
    story = Timeline(segment(opens))
    story.track(1, "email_delivered")
    for at in (2, 3):
        story.track(at, "email_open")
    assert story.moves() == []
    story.track(0, "email_delivered", seen=10)  # late, but it makes the first one the newest but one
    assert story.moves() == [("in", 10)]
    story.track(20, "email_delivered")
    assert story.moves() == [("in", 10)]
    story.track(30, "email_delivered")
    assert story.moves() == [("in", 10), ("out", 30)]


@pytest.mark.parametrize(
    ("operators", "moves"),
    [
        ({"older_than": "2d"}, [("in", DAY)]),
        ({"newer_than": "2d"}, [("in", 0), ("out", DAY)]),
        ({"within_next": "12h"}, []),
        ({"older_than": "1d", "newer_than": "3d"}, [("in", 0), ("out", 2 * DAY)]),
    ],
)
def test_a_trait_that_is_a_date_flips_exactly_at_its_boundary(
    operators: dict[str, str], moves: list[tuple[str, int]]
) -> None:
    story = Timeline(segment({"trait": {"name": "subscribed_at", **operators}}))
    story.record(0, "identify", traits={"subscribed_at": "2025-12-31"})
    story.until(9 * DAY)
    assert story.moves() == moves


def test_an_appointment_is_near_from_its_lead_time_on_and_over_at_its_instant() -> None:
    story = Timeline(segment({"trait": {"name": "visit", "within_next": "1h"}}))
    story.record(0, "identify", traits={"visit": "2026-01-01T03:00:00+01:00"})
    story.until(DAY)
    assert story.moves() == [("in", HOUR), ("out", 2 * HOUR)]


def test_a_trait_that_is_no_time_is_neither_old_nor_new() -> None:
    for operator in ("older_than", "newer_than", "within_next"):
        story = Timeline(segment({"trait": {"name": "since", operator: "1d"}}))
        for at, value in enumerate(("long ago", 5, None, "2026-02-30", ["x"])):
            story.record(at, "identify", traits={"since": value})
        assert story.moves() == []


def test_a_birthday_may_lie_before_1970() -> None:
    story = Timeline(segment({"trait": {"name": "born", "older_than": "3650d"}}))
    story.record(0, "identify", traits={"born": "1955-04-12"})
    assert story.moves() == [("in", 0)]


@pytest.mark.parametrize(
    ("decision", "moves"),
    [("granted", [("in", 10), ("out", 20)]), ("denied", [("in", 20)]), ("unknown", [("in", 0), ("out", 10)])],
)
def test_consent_is_the_latest_decision_by_event_time(decision: str, moves: list[tuple[str, int]]) -> None:
    story = Timeline(segment({"consent": {"purpose": "mail", "is": decision}}))
    story.track(0, "page_view")
    for at, granted, seen in ((10, True, 10), (20, False, 20), (15, True, 30)):
        story.record(at, "consent", seen=seen, purpose="mail", granted=granted, document="d1", method="form")
    assert story.moves() == moves


def test_a_list_is_what_its_latest_record_says() -> None:
    story = Timeline(segment({"listed": "vip"}, lists={"vip": []}))
    story.record(0, "list", list="vip", member=True)
    story.record(1, "list", list="other", member=False)
    story.record(2, "list", list="vip", member=False)
    assert story.moves() == [("in", 0), ("out", 2)]
    assert story.transitions[0].cause.kind == "list"


def test_acquaintance_is_counted_from_the_clock_of_the_first_record() -> None:
    story = Timeline(segment({"known_for": "30d"}))
    story.track(0, "page_view", seen=HOUR)
    story.until(40 * DAY)
    assert story.moves() == [("in", HOUR + 30 * DAY)]


def test_points_may_be_multiplied_by_a_property() -> None:
    scores: dict[str, Any] = {"spend": {"points": [{"event": "purchase", "points": 0.1, "per": "amount"}]}}
    story = Timeline(segment({"score": {"name": "spend", "gte": 3}}, scores=scores))
    for at, amount in enumerate((10, "10", None, 19.99, 0.01)):
        story.track(at * MINUTE, "purchase", properties={"amount": amount})
    assert story.moves() == [("in", 4 * MINUTE)]
    assert story.transitions[0].scores == {"spend": 3.0}


def test_a_zone_that_does_not_exist_is_refused() -> None:
    for zone in ("Europe/Pariss", "../etc/passwd", "", 5):
        with pytest.raises(DefinitionsError, match="name of a time zone"):
            compile_definitions(segment({"known_for": "1d"}, zone=zone))


def test_the_zone_belongs_to_the_definition_of_what_reads_local_time_only() -> None:
    plain, local = {"known_for": "1d"}, {"performed": {"event": "x", "where": [{"property": "@hour", "lt": 6}]}}

    def hashed(when: dict[str, Any], zone: str) -> str:
        return compile_definitions(segment(when, zone=zone)).segments[0].definition

    assert hashed(plain, "UTC") == hashed(plain, "Asia/Tokyo")
    assert hashed(local, "UTC") != hashed(local, "Asia/Tokyo")
    assert parse_instant("2026-01-01T00:00:00Z") == START


def aggregated(**aggregate: Any) -> dict[str, Any]:
    return segment({"aggregate": {"event": "purchase", "property": "amount", **aggregate}})


@pytest.mark.parametrize(
    ("aggregate", "moves"),
    [
        ({"function": "sum", "gte": 30.5}, [("in", 1)]),
        ({"function": "sum", "gte": 30.5, "within": "3h"}, [("in", 1), ("out", 3)]),
        ({"function": "avg", "gte": 12}, [("in", 1), ("out", 3), ("in", 4)]),
        ({"function": "min", "gte": 6}, [("in", 0), ("out", 3)]),
        ({"function": "min", "gte": 6, "within": "3h"}, [("in", 0), ("out", 3), ("in", 6), ("out", 7)]),
        ({"function": "max", "eq": 20.5, "within": "3h"}, [("in", 1), ("out", 4), ("in", 4), ("out", 7)]),
        ({"function": "distinct", "gte": 4}, [("in", 3)]),
        ({"function": "distinct", "lt": 1}, []),
        ({"function": "sum", "gte": 1, "since": {"event": "purchase", "nth": 3}}, [("in", 2)]),
    ],
)
def test_an_aggregate_follows_the_events_that_take_part(
    aggregate: dict[str, Any], moves: list[tuple[str, int]]
) -> None:
    story = Timeline(aggregated(**aggregate))
    for hour, amount in enumerate((10, 20.5, "x", 5, 20.5)):
        story.track(hour * HOUR, "purchase", properties={"amount": amount})
    story.until(20 * DAY)
    assert story.moves() == [(move, hour * HOUR) for move, hour in moves]


def test_sums_of_decimals_are_exact() -> None:
    story = Timeline(aggregated(function="sum", eq=0.3))
    for at in range(3):
        story.track(at, "purchase", properties={"amount": 0.1})
    assert story.moves() == [("in", 2)]


def test_a_window_with_thousands_of_events_keeps_its_newest_and_cells_of_the_rest() -> None:
    story = Timeline(aggregated(function="sum", gte=1, within="1h"))
    for at in range(3000):
        story.track(at, "purchase", properties={"amount": 1})
    (contact,) = story.simulator.contacts.values()
    entries, _ = contact.slots[0]
    assert len(entries) <= 1000
    assert sum(entry.total for entry in entries) == 3000 * 10**9
    story.until(2 * HOUR)
    assert story.moves() == [("in", 0), ("out", 2999 + HOUR)]


def test_a_ratio_compares_this_window_with_one_some_time_ago() -> None:
    falling = {
        "of": {"event": "email_open", "within": "1h"},
        "to": {"event": "email_open", "within": "1h", "ago": "1h"},
    }
    story = Timeline(segment({"ratio": {**falling, "min": 4, "lt": 0.5}}))
    for minute in range(4):
        story.track(minute * MINUTE, "email_open")
    story.until(DAY)
    # From the fourth minute of the second hour on all four lie an hour ago; then they leave that window, too.
    assert story.moves() == [("in", HOUR + 3 * MINUTE), ("out", 2 * HOUR)]


def test_a_sequence_needs_its_steps_strictly_one_after_the_other_and_soon_enough() -> None:
    steps = [{"event": "email_open"}, {"event": "email_click"}, {"event": "purchase"}]
    story = Timeline(segment({"sequence": {"steps": steps, "within": "1h", "in_last": "2h"}}))
    story.track(0, "email_open")
    story.track(0, "email_click")
    story.track(1, "purchase")
    assert story.moves() == []
    story.track(5, "email_click", seen=10)
    story.track(HOUR, "purchase")
    story.until(DAY)
    assert story.moves() == [("in", HOUR), ("out", 3 * HOUR)]


def test_a_sequence_that_took_too_long_does_not_count() -> None:
    story = Timeline(segment({"sequence": {"steps": [{"event": "cart_add"}, {"event": "purchase"}], "within": "1h"}}))
    story.track(0, "cart_add")
    story.track(HOUR + 1, "purchase")
    assert story.moves() == []


@pytest.mark.parametrize(
    ("born", "condition", "moves"),
    [
        ("1990-01-03", {}, [("in", 2 * DAY), ("out", 3 * DAY)]),
        ("1990-01-05", {"days_before": 3, "days": 4}, [("in", DAY), ("out", 5 * DAY)]),
        ("1992-02-29", {}, [("in", 58 * DAY), ("out", 59 * DAY)]),
        ("2026-01-02", {}, [("in", DAY), ("out", 2 * DAY)]),
        ("1990-01-03", {"zone": "America/New_York"}, [("in", 2 * DAY + 5 * HOUR), ("out", 3 * DAY + 5 * HOUR)]),
        ("nonsense", {}, []),
    ],
)
def test_an_anniversary_is_kept_on_local_dates(
    born: str, condition: dict[str, Any], moves: list[tuple[str, int]]
) -> None:
    story = Timeline(segment({"anniversary": {"trait": "born", **condition}}))
    story.record(0, "identify", traits={"born": born})
    story.until(100 * DAY)
    assert story.moves() == moves


@pytest.mark.parametrize(
    ("when", "path"),
    [
        ({"aggregate": {"event": "x", "property": "a", "function": "sum"}}, "aggregate"),
        ({"aggregate": {"event": "x", "property": "a", "function": "sum", "gt": 5, "lt": 5}}, "aggregate"),
        ({"aggregate": {"event": "x", "property": "a", "function": "distinct", "gte": 1001}}, "aggregate.gte"),
        ({"aggregate": {"event": "x", "property": "a", "function": "mode", "gte": 1}}, "aggregate.function"),
        ({"ratio": {"of": {"event": "x"}, "to": {"event": "x", "ago": "1d"}, "lt": 1}}, "ratio.to.ago"),
        ({"ratio": {"of": {"event": "x"}, "to": {"event": "x"}, "lt": 0.1234567}}, "ratio.lt"),
        ({"ratio": {"of": {"event": "x"}, "to": {"event": "x"}, "min": 0, "lt": 1}}, "ratio.min"),
        ({"sequence": {"steps": [], "within": "1d"}}, "sequence.steps"),
        ({"anniversary": {"trait": "born", "zone": "Nowhere"}}, "anniversary.zone"),
        ({"known_for": "1x"}, "known_for"),
        ({"listed": ""}, "listed"),
        ({"consent": {"purpose": "mail", "is": "maybe"}}, "consent.is"),
    ],
)
def test_impossible_conditions_are_refused_with_their_path(when: dict[str, Any], path: str) -> None:
    with pytest.raises(DefinitionsError) as caught:
        compile_definitions(segment(when))
    assert [problem.path for problem in caught.value.problems] == [f"segments.s.when.{path}"]
