"""Section 4 of the semantics, worked out by hand: points, decay, tiers and mixes."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from tests.oracle.driving import assert_same, reloaded, run_core, run_oracle
from tests.oracle.lines import DAY, HOUR, MINUTE, START_MS, check, did, scored, tick, traits
from tests.oracle.notation import duration_ms
from tests.oracle.scores import read


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("41.2", "41.2"),
        ("0.0005", "0.001"),
        ("0.00049", "0"),
        ("-0.0005", "0"),
        ("-0.0006", "-0.001"),
        ("69.9995", "70"),
        ("69.99949999999999999999999999", "69.999"),
        ("0.00050000000000000000000000001", "0.001"),
    ],
)
def test_a_score_is_read_to_three_decimals_and_ties_go_up(value: str, expected: str) -> None:
    assert read(Decimal(value)) == Decimal(expected)


def test_what_is_known_no_better_than_a_tie_is_the_tie() -> None:
    assert read(Decimal("69.99949999999999999999999999"), Decimal("1e-22")) == 70
    assert read(Decimal("69.9994999999999999999999"), Decimal("1e-22")) == Decimal("69.999")


def _until_below(start: float, bound: float, half_life_ms: int) -> int:
    """The first millisecond at which `start`, halved every half-life, reads as less than `bound`."""
    return math.floor(half_life_ms * math.log2(start / (bound - 0.0005))) + 1


def test_hysteresis_holds_between_two_bounds_and_leaves_at_the_first_millisecond_below() -> None:
    file = scored({"half_life": "7d", "points": [{"event": "email_click", "points": 100}]})
    file["segments"] = {
        "hot": {"when": {"score": {"name": "s", "gte": 70}}, "exit_when": {"score": {"name": "s", "lt": 60}}}
    }
    leaves = _until_below(100, 60, 7 * DAY)
    assert 5 * DAY < leaves < 6 * DAY
    check(file, [did("email_click", 0)], [(0, "+hot", leaves), (leaves, "-hot", None)], until=9 * DAY)


def test_without_hysteresis_a_score_leaves_almost_at_once() -> None:
    file = scored(
        {"half_life": "7d", "points": [{"event": "email_open", "points": 5}]}, warm={"score": {"name": "s", "gte": 5}}
    )
    leaves = _until_below(5, 5, 7 * DAY)
    check(file, [did("email_open", 0)], [(0, "+warm", leaves), (leaves, "-warm", None)], until=HOUR)


def test_a_tie_that_is_reached_exactly_is_still_read_upwards() -> None:
    file = scored(
        {"half_life": "1h", "points": [{"event": "email_open", "points": 0.512}]},
        seen={"score": {"name": "s", "gt": 0}},
    )
    # 0.512 / 2**10 is 0.0005 exactly
    check(file, [did("email_open", 0)], [(0, "+seen", 10 * HOUR + 1), (10 * HOUR + 1, "-seen", None)], until=DAY)


def test_a_bound_that_is_reached_exactly_from_below_is_reached_then() -> None:
    file = scored(
        {"half_life": "1h", "points": [{"event": "unsubscribe", "points": -0.512}]},
        forgiven={"score": {"name": "s", "gte": 0}},
    )
    # -0.512 / 2**10 is -0.0005 exactly, which is read as 0
    check(file, [did("unsubscribe", 0)], [(10 * HOUR, "+forgiven", None)], until=DAY)


@pytest.mark.parametrize("halvings", [1, 2, 3, 7, 12])
@pytest.mark.parametrize("half_life", ["7s", "1h", "3d", "3650d"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_bound_that_is_met_after_whole_half_lives_is_met_to_the_millisecond(
    halvings: int, half_life: str, sign: int
) -> None:
    bound = 4 * sign
    score = {"half_life": half_life, "points": [{"event": "purchase", "points": (bound - 0.0005) * 2**halvings}]}
    file = scored(score, above={"score": {"name": "s", "gte": bound}})
    met = halvings * duration_ms(half_life)
    expected = [(0, "+above", met + 1), (met + 1, "-above", None)] if sign > 0 else [(met, "+above", None)]
    check(file, [did("purchase", 0)], expected, until=met + 1)


@pytest.mark.parametrize("later", [MINUTE, 2 * MINUTE, HOUR, 300 * DAY])
@pytest.mark.parametrize(("faded", "reading"), [(8, 0.001), (-8, 0.0)])
def test_what_fades_is_never_over_and_decides_on_ties(faded: float, later: int, reading: float) -> None:
    lasting = {"event": "purchase", "points": 0.0005, "expires_after": "365d"}
    score = {"half_life": "1s", "points": [{"event": "email_open", "points": faded}, lasting]}
    file = scored(
        score,
        seen={"any": [{"performed": {"event": "page_view"}}, {"score": {"name": "s", "gte": 9}}]},
        some={"score": {"name": "s", "gte": 0.001}},
    )
    bodies = [did("email_open", 0), did("purchase", 0), did("page_view", later)]
    driven, _ = run_core(file, bodies)
    assert [each.scores["s"] for each in driven.transitions if each.segment == "seen"] == [reading]
    assert [each.segment for each in driven.transitions] == ["some"] * (faded > 0) + ["seen"]
    assert_same(file, bodies, START_MS + 366 * DAY, between=reloaded)


def test_a_mix_of_nothing_but_recency_falls_in_a_straight_line() -> None:
    file = scored(
        {"mix": [{"weight": 10, "recency": {"event": "purchase", "over": "10h"}}]},
        fresh={"score": {"name": "s", "gte": 5}},
        ever={"score": {"name": "s", "gt": 0}},
    )
    bodies = [traits({}, 0), did("purchase", 0), did("purchase", HOUR), did("purchase", MINUTE, received=2 * HOUR)]
    half, none = (HOUR + math.floor(way * HOUR) + 1 for way in (5.0005, 9.9995))
    expected = [
        (0, "+fresh", half - HOUR),
        (0, "+ever", none - HOUR),
        (half, "-fresh", None),
        (none, "-ever", None),
    ]
    check(file, bodies, expected, until=DAY)


def test_arrival_order_never_matters_to_a_score() -> None:
    score = {"half_life": "1h", "points": [{"event": "email_open", "points": 8}, {"event": "purchase", "points": 4}]}
    file = scored(score, seen={"performed": {"event": "page_view"}}, above={"score": {"name": "s", "gt": 5.999}})
    bodies = [
        did("purchase", HOUR),
        did("email_open", -HOUR, received=HOUR),
        did("page_view", 2 * HOUR),
    ]
    oracle, _ = run_oracle(file, bodies)
    assert [(c.segment, c.scores) for c in oracle.changes[:2]] == [("above", {"s": 6.0}), ("above", {"s": 5.999})]
    assert_same(file, bodies)


def test_every_matching_rule_adds_and_caps_bound_only_the_reading() -> None:
    score = {
        "half_life": "1h",
        "cap": 10,
        "floor": 0,
        "points": [
            {"event": "purchase", "points": 10},
            {"event": "purchase", "points": 30, "include_machine": True},
            {"event": "unsubscribe", "points": -100},
        ],
    }
    file = scored(score, full={"score": {"name": "s", "gte": 10}}, none={"score": {"name": "s", "lte": 0}})
    bodies = [did("purchase", 0), tick(HOUR), did("unsubscribe", 2 * HOUR)]
    falls = _until_below(40, 10, HOUR)
    assert 2 * HOUR < falls < 2 * HOUR + MINUTE
    check(file, bodies, [(0, "+full", falls), (2 * HOUR, "-full", None), (2 * HOUR, "+none", None)], until=DAY)


def test_a_negative_score_rises() -> None:
    file = scored(
        {"half_life": "1h", "points": [{"event": "unsubscribe", "points": -16}]},
        forgiven={"score": {"name": "s", "gt": -4}},
    )
    # -4 * 2**-x reads above -4 from the first millisecond at which it is at least -3.9995
    rises = math.ceil(HOUR * math.log2(16 / 3.9995))
    check(
        file,
        [traits({}, 0), did("unsubscribe", 1)],
        [(0, "+forgiven", None), (1, "-forgiven", 1 + rises), (1 + rises, "+forgiven", None)],
        until=DAY,
    )


def test_tiers_begin_at_their_bounds() -> None:
    score = {
        "half_life": "1h",
        "points": [{"event": "email_click", "points": 80}],
        "tiers": {"cold": None, "warm": 30, "hot": 70},
    }
    file = scored(score, **{name: {"tier": {"name": "s", "is": name}} for name in ("hot", "warm", "cold")})
    cools, freezes = _until_below(80, 70, HOUR), _until_below(80, 30, HOUR)
    check(
        file,
        [traits({}, 0), did("email_click", 0)],
        [
            (0, "+cold", None),
            (0, "+hot", cools),
            (0, "-cold", freezes),
            (cools, "-hot", None),
            (cools, "+warm", freezes),
            (freezes, "-warm", None),
            (freezes, "+cold", None),
        ],
        until=DAY,
    )


def test_below_the_lowest_bound_there_is_no_tier_without_a_null_tier() -> None:
    score = {"points": [{"event": "email_click", "points": 30}], "tiers": {"warm": 30}}
    file = scored(score, warm={"tier": {"name": "s", "is": "warm"}})
    check(file, [traits({}, 0), did("email_click", 1)], [(1, "+warm", None)])


def test_a_score_without_decay_keeps_its_points() -> None:
    file = scored({"points": [{"event": "email_click", "points": 0.1}]}, three={"score": {"name": "s", "gte": 0.3}})
    check(file, [did("email_click", at) for at in range(3)], [(2, "+three", None)], until=3650 * DAY)


# Points of other kinds, and mixes


def test_points_may_expire_all_at_once_beside_those_that_decay() -> None:
    score = {
        "half_life": "1h",
        "points": [
            {"event": "email_open", "points": 8},
            {"event": "purchase", "points": 10, "expires_after": "7d"},
        ],
    }
    file = scored(score, high={"score": {"name": "s", "gte": 10}})
    leaves = 7 * DAY
    check(file, [did("purchase", 0), did("email_open", 1)], [(0, "+high", leaves), (leaves, "-high", None)][:1])
    oracle, _ = run_oracle(file, [did("purchase", 0), did("email_open", 1), tick(8 * DAY)])
    assert [(c.effective_at - START_MS, c.scores["s"]) for c in oracle.changes] == [(0, 10.0), (leaves, 0.0)]


def test_points_are_multiplied_by_a_property() -> None:
    score = {"expires_after": "1d", "points": [{"event": "purchase", "points": 0.1, "per": "amount"}]}
    file = scored(score, spender={"score": {"name": "s", "gte": 5}})
    bodies = [did("purchase", at, properties={"amount": amount}) for at, amount in enumerate([20, "40", 30])]
    check(file, bodies, [(2, "+spender", DAY), (DAY, "-spender", None)], until=9 * DAY)


def test_points_are_added_while_a_condition_holds() -> None:
    score = {
        "half_life": "1h",
        "points": [
            {"event": "email_open", "points": 4},
            {"while": {"performed": {"event": "purchase", "within": "10h", "at_least": 2}}, "points": 10},
        ],
    }
    file = scored(score, high={"score": {"name": "s", "gte": 11}})
    # 10 + 4 * 2**-x reads below 11 from the first millisecond at which the decaying part is below 0.9995
    leaves = math.floor(HOUR * math.log2(4 / 0.9995)) + 1
    bodies = [did("email_open", 0), did("purchase", 0), did("purchase", 1)]
    check(file, bodies, [(1, "+high", leaves), (leaves, "-high", None)], until=9 * DAY)


def test_points_are_added_while_a_contact_is_in_a_segment() -> None:
    member = {"while": {"in_segment": "fresh"}, "points": 3}
    file = scored(
        {"half_life": "1h", "points": [{"event": "email_open", "points": 2}, member]},
        high={"score": {"name": "s", "gte": 4}},
        fresh={"performed": {"event": "email_open", "within": "10m"}},
    )
    leaves = 10 * MINUTE
    expected = [(0, "+fresh", leaves), (0, "+high", leaves), (leaves, "-fresh", None), (leaves, "-high", None)]
    check(file, [did("email_open", 0)], expected, until=DAY)


def test_points_are_added_while_another_score_is_high() -> None:
    file = scored(
        {"points": [{"while": {"score": {"name": "r", "gt": 4}}, "points": 3}]}, high={"score": {"name": "s", "gte": 3}}
    )
    file["scores"]["r"] = {"half_life": "1h", "points": [{"event": "email_open", "points": 8}]}
    # 8 * 2**-x reads 4 from 4.0005 downwards
    leaves = math.floor(HOUR * math.log2(8 / 4.0005)) + 1
    check(file, [did("email_open", 0)], [(0, "+high", leaves), (leaves, "-high", None)], until=DAY)


def test_a_mix_weighs_recency_frequency_and_money() -> None:
    mix = [
        {"weight": 50, "recency": {"event": "purchase", "over": "100d"}},
        {"weight": 30, "frequency": {"event": "purchase", "within": "100d", "full": 4}},
        {
            "weight": 20,
            "monetary": {"event": "purchase", "property": "amount", "within": "100d", "full": 99, "scale": "log"},
        },
    ]
    file = scored({"mix": mix}, high={"score": {"name": "s", "gte": 60}})
    bodies = [did("purchase", 0, properties={"amount": 9})]
    oracle, _ = run_oracle(file, [*bodies, did("purchase", 0)])
    # 50 + 30/4 + 20 * ln 10 / ln 100, then 30/4 more
    assert [change.scores for change in oracle.changes] == [{"s": 67.5}]
    oracle, _ = run_oracle(file, bodies, START_MS + 200 * DAY)
    # Recency falls by 0.5 a day: 67.5 reads below 60 when less than 59.9995 is left.
    leaves = math.floor(7.5005 * 2 * DAY) + 1
    assert [change.effective_at - START_MS for change in oracle.changes] == [0, leaves]
    assert oracle.changes[1].scores == {"s": 59.999}
