"""Sections 3, 5 and 6 of the semantics, worked out by hand: conditions and transitions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.driving import assert_same, run_oracle
from tests.oracle.lines import (
    DAY,
    HOUR,
    MINUTE,
    START_MS,
    check,
    did,
    erase,
    on_list,
    segments,
    tick,
    traits,
)


@pytest.mark.parametrize(
    ("comparison", "held_at_counts"),
    [
        ({}, {1, 2, 3, 4}),
        ({"at_least": 2}, {2, 3, 4}),
        ({"at_most": 2}, {0, 1, 2}),
        ({"exactly": 0}, {0}),
        ({"exactly": 3}, {3}),
        ({"between": [2, 3]}, {2, 3}),
        ({"between": [0, 1]}, {0, 1}),
    ],
)
def test_counts_compare_and_zero_counts(comparison: dict[str, Any], held_at_counts: set[int]) -> None:
    bodies = [traits({}, 0), *(did("purchase", at) for at in range(1, 5))]
    file = segments(buyer={"performed": {"event": "purchase", **comparison}})
    held = [count in held_at_counts for count in range(5)]
    flips = [at for at in range(5) if held[at] != (at > 0 and held[at - 1])]
    check(file, bodies, [(at, "+buyer" if held[at] else "-buyer", None) for at in flips])


def test_a_count_in_a_window_falls_event_by_event() -> None:
    check(
        segments(keen={"performed": {"event": "page_view", "within": "1h", "between": [1, 2]}}),
        [did("page_view", 0), did("page_view", 1), did("page_view", 2), tick(HOUR + 2)],
        [(0, "+keen", HOUR), (2, "-keen", HOUR), (HOUR, "+keen", HOUR + 2), (HOUR + 2, "-keen", None)],
    )


def test_not_performed_becomes_true_at_the_last_event_and_the_window() -> None:
    check(
        segments(silent={"not_performed": {"event": "email_open", "within": "15d"}}),
        [traits({}, 0), did("email_open", HOUR), did("email_open", 2 * HOUR)],
        [(0, "+silent", None), (HOUR, "-silent", HOUR + 15 * DAY), (2 * HOUR + 15 * DAY, "+silent", None)],
        until=40 * DAY,
    )


def test_lapsing_enters_after_fifteen_days_without_a_click() -> None:
    lapsing = {
        "all": [
            {"performed": {"event": "email_click"}},
            {"not_performed": {"event": "email_click", "within": "15d"}},
        ]
    }
    check(
        segments(lapsing=lapsing),
        [traits({}, 0), did("email_click", HOUR)],
        [(HOUR + 15 * DAY, "+lapsing", None)],
        until=16 * DAY,
    )


@pytest.mark.parametrize(
    ("value", "operators", "holds"),
    [
        (10, {"eq": 10.0}, True),
        (10, {"eq": "10"}, False),
        ("10", {"eq": 10}, False),
        (True, {"eq": 1}, False),
        (1, {"eq": True}, False),
        (True, {"eq": True}, True),
        (0, {"eq": False}, False),
        (10, {"ne": "10"}, True),
        (10, {"ne": 10}, False),
        (None, {"ne": 10}, True),
        (None, {"eq": "x"}, False),
        (None, {"exists": False}, True),
        (None, {"exists": True}, False),
        (0, {"exists": True}, True),
        (False, {"exists": True}, True),
        ("", {"exists": False}, False),
        ("b", {"in": ["a", "b"]}, True),
        (1, {"in": ["1", True]}, False),
        (None, {"in": ["a"]}, False),
        (5, {"gt": 4, "lt": 6}, True),
        (5, {"gte": 5}, True),
        (5, {"gt": 5}, False),
        (5, {"lte": 5}, True),
        ("5", {"gte": 5}, False),
        (True, {"gte": 0}, False),
        ("b", {"gt": "a"}, True),
        ("\U0001f600", {"gt": "\uffee"}, True),
        ("Z", {"lt": "a"}, True),
        ({"a": 1}, {"exists": True}, True),
        ({"a": 1}, {"eq": 1}, False),
        ({"a": 1}, {"ne": 1}, True),
        ([1, 5], {"eq": 5}, True),
        ([1, 5], {"ne": 5}, False),
        ([1, 5], {"ne": 4}, True),
        ([], {"eq": 5}, False),
        ([], {"ne": 5}, True),
        ([3, 9], {"gt": 8}, True),
        ([3, 9], {"gt": 3, "lt": 9}, False),
        ([3, 9], {"gt": 3, "ne": 4}, True),
        ([3, 9], {"gt": 3, "ne": 3}, False),
        (["a", "b"], {"in": ["b", "c"]}, True),
        ([1], {"exists": True}, True),
        ([], {"exists": True}, True),
    ],
)
def test_traits_compare_by_type(value: Any, operators: dict[str, Any], *, holds: bool) -> None:
    expected = [(0, "+found", None)] if holds else []
    check(segments(found={"trait": {"name": "x", **operators}}), [traits({"x": value}, 0)], expected)


@pytest.mark.parametrize(
    ("value", "operators", "holds"),
    [
        ({"b": {"c": 3}}, {"eq": 3}, True),
        ({"b": 3}, {"eq": 3}, False),
        ({"b": 3}, {"ne": 3}, True),
        ({"b": {"c": None}}, {"exists": True}, False),
        ([{"b": {"c": 1}}, {"b": {"c": 3}}], {"eq": 3}, True),
        ([{"b": {"c": 1}}, {"b": {"c": 3}}], {"ne": 3}, False),
        ({"b": [{"c": [1, 3]}]}, {"eq": 3}, True),
    ],
)
def test_dots_dig_into_traits(value: Any, operators: dict[str, Any], *, holds: bool) -> None:
    expected = [(0, "+found", None)] if holds else []
    check(segments(found={"trait": {"name": "a.b.c", **operators}}), [traits({"a": value}, 0)], expected)


def test_a_trait_that_was_never_set_is_missing() -> None:
    file = segments(
        ne={"trait": {"name": "x", "ne": 1}},
        none={"trait": {"name": "x", "exists": False}},
        lt={"trait": {"name": "x", "lt": 9}},
    )
    check(file, [did("page_view", 0)], [(0, "+ne", None), (0, "+none", None)])


def test_vip_by_list_or_by_spending_and_time() -> None:
    file = segments(
        vip={
            "any": [
                {"listed": "vip"},
                {
                    "all": [
                        {"aggregate": {"event": "purchase", "property": "amount", "function": "sum", "gte": 500}},
                        {"trait": {"name": "subscribed_at", "older_than": "730d"}},
                    ]
                },
            ]
        }
    )
    file["lists"] = {"vip": []}
    bodies = [
        did("purchase", 0, properties={"amount": 499.99}),
        traits({"subscribed_at": "2024-03-02"}, 1),
        did("purchase", 2, properties={"amount": 0.01}),
        on_list("vip", 2 * DAY),
        on_list("vip", 3 * DAY, member=False),
    ]
    check(file, bodies, [(DAY, "+vip", None)])


# Transitions


def test_segments_come_after_those_that_they_refer_to() -> None:
    ever = {"performed": {"event": "page_view"}}
    file = segments(
        first={"all": [{"in_segment": "third"}, {"in_segment": "second"}]},
        second=ever,
        third={"any": [ever, {"in_segment": "fourth"}]},
        fourth=ever,
        fifth=ever,
    )
    expected = [(0, f"+{name}", None) for name in ("fourth", "third", "second", "first", "fifth")]
    check(file, [did("page_view", 0)], expected)


def test_a_segment_within_a_segment_moves_in_the_same_step() -> None:
    file = segments(
        outer={"not": {"in_segment": "inner"}}, inner={"performed": {"event": "email_open", "within": "1h"}}
    )
    check(
        file,
        [did("email_open", 0), tick(HOUR)],
        [(0, "+inner", HOUR), (HOUR, "-inner", None), (HOUR, "+outer", None)],
    )


def test_a_member_stays_until_exit_when_holds_and_nobody_enters_while_it_does() -> None:
    file = {
        "version": 1,
        "segments": {
            "engaged": {
                "when": {"performed": {"event": "email_open", "within": "1h"}},
                "exit_when": {"performed": {"event": "unsubscribe", "within": "2h"}},
            }
        },
    }
    check(
        file,
        [did("email_open", 0), did("unsubscribe", 2 * HOUR), did("email_open", 3 * HOUR + MINUTE)],
        [(0, "+engaged", None), (2 * HOUR, "-engaged", None), (4 * HOUR, "+engaged", None)],
        until=9 * DAY,
    )


def test_sequences_count_without_a_gap_and_scores_are_those_in_use() -> None:
    file = {
        "version": 1,
        "scores": {
            "used": {"half_life": "1h", "points": [{"event": "email_open", "points": 8}]},
            "unused": {"points": [{"event": "email_open", "points": 1}]},
        },
        "segments": {
            "inner": {"when": {"score": {"name": "used", "gte": 4}}, "tags": ["a", "b"]},
            "outer": {"when": {"all": [{"in_segment": "inner"}, {"performed": {"event": "email_open"}}]}},
            "plain": {"when": {"performed": {"event": "email_open"}}},
        },
    }
    bodies = [did("email_open", 0), did("email_open", 3 * HOUR), erase(3 * HOUR + 1)]
    oracle, _ = run_oracle(file, bodies)
    found = [(c.segment, c.sequence, c.type.removeprefix("segment."), c.scores) for c in oracle.changes]
    assert found[:5] == [
        ("inner", 1, "entered", {"used": 8.0}),
        ("outer", 1, "entered", {"used": 8.0}),
        ("plain", 1, "entered", {}),
        ("inner", 2, "exited", {"used": 3.999}),
        ("outer", 2, "exited", {"used": 3.999}),
    ]
    assert found[5:7] == [("inner", 3, "entered", {"used": 9.0}), ("outer", 3, "entered", {"used": 9.0})]
    assert found[7:] == [(name, 4 if name != "plain" else 2, "exited", {}) for name in ("inner", "outer", "plain")]
    assert oracle.changes[0].tags == ("a", "b")
    assert_same(file, bodies)


@pytest.mark.parametrize(("flips", "seen"), [(99, True), (100, False)])
def test_a_search_for_the_next_transition_passes_over_a_hundred_flips(flips: int, *, seen: bool) -> None:
    # Ten events, seen through ten windows, leave one after the other: each leaf below flips once, each at an instant
    # of its own.
    views = [did("page_view", at) for at in range(10)]
    noise = [
        {"performed": {"event": "page_view", "within": f"{60 + window}s", "at_least": k}}
        for window in range(10)
        for k in range(1, 11)
    ][:flips]
    file = segments(
        bought={
            "all": [
                {"performed": {"event": "purchase", "within": "2h"}},
                {"any": [{"performed": {"event": "purchase"}}, *noise]},
            ]
        }
    )
    leaves = 2 * HOUR + 500
    check(
        file,
        [*views, did("purchase", 500)],
        [(500, "+bought", leaves if seen else None), (leaves, "-bought", None)],
        until=DAY,
    )


def test_valid_until_of_an_exit_is_the_next_entry() -> None:
    file = segments(quiet={"not_performed": {"event": "page_view", "within": "1h"}})
    oracle, _ = run_oracle(file, [traits({}, 0), did("page_view", 5)])
    assert [change.valid_until for change in oracle.changes] == [None, START_MS + HOUR + 5]
