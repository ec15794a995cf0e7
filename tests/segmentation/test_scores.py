"""Scores: decay, expiry, bounds and tiers."""

from __future__ import annotations

from typing import Any

import pytest

from streams.segmentation import DefinitionsError, compile_definitions
from tests.segmentation.timeline import DAY, HOUR, START, Timeline, definitions, segment


def scored(when: dict[str, Any], **score: Any) -> Timeline:
    points = score.pop("points", [{"event": "email_open", "points": 5}])
    return Timeline(segment(when, scores={"e": {"points": points, **score}}))


def test_points_without_decay_add_up_for_ever() -> None:
    story = scored({"score": {"name": "e", "gte": 10}})
    story.track(0, "email_open")
    story.track(HOUR, "email_open")
    story.until(1000 * DAY)
    assert story.moves() == [("in", HOUR)]


def test_points_of_a_score_that_expires_vanish_at_exactly_their_end() -> None:
    story = scored({"score": {"name": "e", "gte": 10}}, expires_after="7d")
    story.track(0, "email_open")
    story.track(DAY, "email_open")
    story.until(30 * DAY)
    assert story.moves() == [("in", DAY), ("out", 7 * DAY)]
    assert story.transitions[0].valid_until == START + 7 * DAY


def test_a_rule_that_expires_stands_beside_those_that_decay() -> None:
    rules = [{"event": "email_open", "points": 8}, {"event": "purchase", "points": 10, "expires_after": "1h"}]
    story = scored({"score": {"name": "e", "gte": 12}}, points=rules, half_life="1h")
    story.track(0, "email_open")
    story.track(0, "purchase")
    story.until(DAY)
    # 8 * 2^-(t/1h) + 10 stays above 12 for two hours; the purchase vanishes after one.
    assert story.moves() == [("in", 0), ("out", HOUR)]
    assert story.transitions[1].scores == {"e": 4.0}


def test_a_late_event_adds_what_has_not_decayed_of_it() -> None:
    story = scored({"score": {"name": "e", "gte": 2.5}}, half_life="1h")
    story.track(0, "email_open", seen=HOUR)
    assert [transition.scores for transition in story.transitions] == [{"e": 2.5}]


def test_the_cap_bounds_the_reading_and_not_what_is_stored() -> None:
    story = scored({"score": {"name": "e", "gte": 10}}, half_life="1h", cap=10)
    for _ in range(4):
        story.track(0, "email_open")
    story.until(DAY)
    entered, left = story.moves()
    assert entered == ("in", 0)
    assert HOUR < left[1] < HOUR + 1000  # 20 points take an hour to fall to the cap
    assert story.transitions[0].scores == {"e": 10.0}


def test_negative_points_rise_again_to_the_bound() -> None:
    rules = [{"event": "unsubscribe", "points": -10}]
    story = scored({"score": {"name": "e", "gte": -5}}, points=rules, half_life="1h")
    story.track(0, "unsubscribe")
    story.until(DAY)
    ((move, at),) = story.moves()
    assert move == "in"
    assert HOUR - 1000 < at <= HOUR


@pytest.mark.parametrize(("tier", "moves"), [("cold", 2), ("warm", 4), ("hot", 2)])
def test_a_tier_begins_at_its_bound_and_ends_where_the_next_begins(tier: str, moves: int) -> None:
    tiers = {"cold": None, "warm": 10, "hot": 20}
    story = scored({"tier": {"name": "e", "is": tier}}, half_life="1h", tiers=tiers)
    for at in range(4):
        story.track(at, "email_open")
        story.track(at, "email_open")
    story.until(DAY)
    assert len(story.moves()) == moves + (tier == "cold")


def test_below_the_lowest_bound_without_a_null_tier_there_is_none() -> None:
    story = scored({"not": {"tier": {"name": "e", "is": "warm"}}}, tiers={"warm": 5})
    story.record(0, "identify", traits={})
    story.track(1, "email_open")
    assert story.moves() == [("in", 0), ("out", 1)]


def test_a_transition_carries_the_scores_that_its_segment_uses_also_through_another() -> None:
    points = [{"event": "email_open", "points": 5}]
    story = Timeline(
        definitions(
            {
                "hot": {"when": {"score": {"name": "a", "gte": 5}}},
                "both": {"when": {"all": [{"in_segment": "hot"}, {"score": {"name": "b", "gte": 1}}]}},
            },
            scores={"b": {"points": points}, "a": {"points": points}, "c": {"points": points}},
        )
    )
    story.track(0, "email_open")
    assert {move.segment: move.scores for move in story.transitions} == {
        "hot": {"a": 5.0},
        "both": {"b": 5.0, "a": 5.0},
    }


def test_points_stand_undecayed_while_their_condition_holds() -> None:
    rules = [
        {"event": "email_open", "points": 8},
        {"while": {"performed": {"event": "purchase", "within": "1h"}}, "points": 4},
    ]
    story = scored({"score": {"name": "e", "gte": 6}}, points=rules, half_life="30m")
    story.track(0, "purchase")
    story.track(0, "email_open")
    story.until(DAY)
    # 12 falls to 6 when 2 of the 8 points are left, after two half-lives: just then the purchase leaves as well.
    assert story.moves() == [("in", 0), ("out", HOUR)]
    assert [move.scores["e"] for move in story.transitions] == [12.0, 2.0]
    assert story.transitions[0].valid_until == START + HOUR


def test_a_score_may_rest_on_a_segment_and_another_segment_on_the_score_in_one_step() -> None:
    scores = {"e": {"points": [{"while": {"in_segment": "openers"}, "points": 10}]}}
    story = Timeline(
        definitions(
            {
                "ten": {"when": {"score": {"name": "e", "gte": 10}}},
                "openers": {"when": {"performed": {"event": "email_open", "within": "1h"}}},
            },
            scores=scores,
        )
    )
    story.track(0, "email_open")
    story.until(DAY)
    steps = [(move.segment, move.effective_at - START, move.valid_until) for move in story.transitions]
    assert steps == [
        ("openers", 0, START + HOUR),
        ("ten", 0, START + HOUR),
        ("openers", HOUR, None),
        ("ten", HOUR, None),
    ]


def test_a_circle_through_a_score_is_refused() -> None:
    scores = {"e": {"points": [{"while": {"in_segment": "s"}, "points": 10}]}}
    with pytest.raises(DefinitionsError, match=r"no circle of references: segments\.s -> scores\.e -> segments\.s"):
        compile_definitions(segment({"score": {"name": "e", "gte": 10}}, scores=scores))


MIX = [
    {"weight": 50, "recency": {"event": "purchase", "over": "10d"}},
    {"weight": 30, "frequency": {"event": "purchase", "within": "10d", "full": 3}},
    {
        "weight": 20,
        "monetary": {"event": "purchase", "property": "amount", "within": "10d", "full": 100, "scale": "log"},
    },
]


def test_a_mix_falls_with_recency_in_a_straight_line_and_by_steps_as_purchases_leave() -> None:
    story = Timeline(segment({"score": {"name": "rfm", "gte": 60}}, scores={"rfm": {"mix": MIX}}))
    story.track(0, "purchase", properties={"amount": 100})
    story.until(30 * DAY)
    # 50 + 10 + 20 at once; recency costs 5 a day, so 60.000 is last read four days (and 8.64 s less 1 ms) later.
    assert story.transitions[0].scores == {"rfm": 80.0}
    assert story.moves() == [("in", 0), ("out", 4 * DAY + 8640 + 1)]


@pytest.mark.parametrize(
    ("score", "path"),
    [
        ({}, "scores.e"),
        ({"mix": MIX, "points": [{"event": "x", "points": 1}]}, "scores.e"),
        ({"mix": MIX, "half_life": "1d"}, "scores.e.half_life"),
        ({"mix": [{"weight": 1}]}, "scores.e.mix[0]"),
        (
            {"mix": [{"weight": 1, "frequency": {"event": "x", "within": "1d", "full": 0}}]},
            "scores.e.mix[0].frequency.full",
        ),
        ({"points": [{"event": "x", "points": 1}], "half_life": "1d", "expires_after": "1d"}, "scores.e.expires_after"),
        ({"points": [{"while": {"nope": 1}, "points": 1}]}, "scores.e.points[0].while.nope"),
        ({"points": [{"while": {"known_for": "1d"}, "points": 1, "event": "x"}]}, "scores.e.points[0].event"),
    ],
)
def test_impossible_scores_are_refused_with_their_path(score: dict[str, Any], path: str) -> None:
    with pytest.raises(DefinitionsError) as caught:
        compile_definitions(segment({"known_for": "1d"}, scores={"e": score}))
    assert [problem.path for problem in caught.value.problems] == [path]
