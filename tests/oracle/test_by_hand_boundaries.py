"""Boundaries of the language that stand in half a sentence each, worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.transitions import encode_transition
from streams.segmentation import DefinitionsError, compile_definitions
from tests.oracle.driving import run_core, run_oracle
from tests.oracle.language import File
from tests.oracle.lines import (
    DAY,
    HOUR,
    MINUTE,
    START_MS,
    check,
    consented,
    did,
    erase,
    on_list,
    scored,
    segments,
    text_of,
    traits,
)

# Records and event times


def test_unknown_fields_of_a_record_are_ignored() -> None:
    body = did("page_view", 0, sequence=7, segment={"event_id": 1}, source="web")
    check(segments(seen={"performed": {"event": "page_view"}}), [body], [(0, "+seen", None)])


def test_traits_from_the_future_are_set_at_the_clock_and_give_way_to_the_next_ones() -> None:
    file = segments(pro={"trait": {"name": "plan", "eq": "pro"}})
    bodies = [traits({"plan": "pro"}, DAY, received=0), traits({"plan": "free"}, 1)]
    check(file, bodies, [(0, "+pro", None), (1, "-pro", None)])


def test_an_erasure_from_the_future_keeps_nothing_away_that_comes_after_the_clock() -> None:
    file = segments(ever={"performed": {"event": "page_view"}})
    bodies = [did("page_view", 0), erase(DAY, received=5), did("page_view", 5), did("page_view", 6)]
    check(file, bodies, [(0, "+ever", None), (5, "-ever", None), (6, "+ever", None)])


def test_ids_are_known_for_forty_eight_hours_by_default() -> None:
    file = segments(twice={"performed": {"event": "page_view", "at_least": 2}})
    first, again = did("page_view", 0, event_id="x"), did("page_view", 2 * DAY, event_id="x")
    check(file, [first, again], [])
    check(file, [first, did("page_view", 2 * DAY + 1, event_id="x")], [(2 * DAY + 1, "+twice", None)])


def test_of_decisions_of_one_instant_the_later_record_counts_and_so_of_lists() -> None:
    file = segments(
        news={"consent": {"purpose": "news", "is": "granted"}},
        sms={"consent": {"purpose": "sms", "is": "unknown"}},
        vip={"listed": "vip"},
    )
    file["lists"] = {"vip": []}
    bodies = [
        consented("news", 0, granted=True),
        consented("news", 0, granted=False),
        on_list("vip", 0),
        on_list("vip", 0, member=False),
        on_list("vip", -1, received=1),
    ]
    expected = [(0, "+news"), (0, "+sms"), (0, "-news"), (0, "+vip"), (0, "-vip")]
    check(file, bodies, [(at, what, None) for at, what in expected])


def test_who_is_on_a_list_of_the_file_is_on_it_until_a_record_says_otherwise_and_never_after_an_erasure() -> None:
    file = segments(vip={"listed": "vip"}, known={"known_for": "1h"})
    file["lists"] = {"vip": ["c1"]}
    bodies = [did("page_view", 5), on_list("vip", 6, member=False), on_list("vip", 7), erase(8), did("page_view", 9)]
    expected = [(5, "+vip"), (6, "-vip"), (7, "+vip"), (8, "-vip"), (HOUR + 9, "+known")]
    check(file, bodies, [(at, what, None) for at, what in expected], until=DAY)
    check(file, [erase(0), did("page_view", 1)], [(HOUR + 1, "+known", None)], until=DAY)


# Durations


@pytest.mark.parametrize("duration", ["1s", "60m", "24h", "7d", "2w", "3650d", "521w"])
def test_a_duration_is_a_positive_whole_number_and_a_unit(duration: str) -> None:
    compile_definitions(segments(seen={"performed": {"event": "page_view", "within": duration}}))


@pytest.mark.parametrize(
    "duration", ["0s", "-1d", "1.5h", "1 d", "d", "1y", "1M", "01d", "3651d", "522w", "", 7, None, "１d"]
)
def test_anything_else_is_no_duration(duration: Any) -> None:
    with pytest.raises(DefinitionsError, match="within"):
        compile_definitions(segments(seen={"performed": {"event": "page_view", "within": duration}}))


def test_a_week_is_seven_days_and_a_day_twenty_four_hours() -> None:
    for weeks, days in (("1w", 7), ("2w", 14)):
        file = segments(seen={"performed": {"event": "page_view", "within": weeks}})
        expected = [(0, "+seen", days * DAY), (days * DAY, "-seen", None)]
        check({**file, "zone": "Europe/Paris"}, [did("page_view", 0)], expected, until=30 * DAY)


# Conditions


def test_since_looks_at_all_time_though_the_window_is_short() -> None:
    condition = {"performed": {"event": "purchase", "within": "1h", "since": {"event": "email_click"}}}
    bodies = [did("email_click", 0), did("purchase", 9 * DAY), did("email_click", 9 * DAY + MINUTE)]
    bought = 9 * DAY
    check(segments(fresh=condition), bodies, [(bought, "+fresh", bought + HOUR), (bought + MINUTE, "-fresh", None)])


@pytest.mark.parametrize(("value", "numeric"), [(1e15, True), (-1e15, True), (1e15 + 1, False), (1e300, False)])
@pytest.mark.parametrize("function", ["sum", "avg", "min", "max"])
def test_what_lies_beyond_a_thousand_billions_is_no_number(value: float, function: str, *, numeric: bool) -> None:
    bound = value if numeric else 5
    condition = {"aggregate": {"event": "purchase", "property": "amount", "function": function, "eq": bound}}
    bodies = [did("purchase", 0, properties={"amount": value}), did("purchase", 1, properties={"amount": 5})]
    oracle, _ = run_oracle(segments(found=condition), bodies[:1])
    assert oracle.contacts["c1"].members["found"] == numeric
    check(segments(found=condition), bodies[1:], [] if numeric else [(1, "+found", None)])


def test_sums_take_values_as_decimals_of_nine_places_and_the_least_value_is_taken_whole() -> None:
    tiny = [did("purchase", at, properties={"amount": 0.0000000004}) for at in range(3)]
    file = segments(
        some={"aggregate": {"event": "purchase", "property": "amount", "function": "sum", "gt": 0}},
        least={"aggregate": {"event": "purchase", "property": "amount", "function": "min", "gt": 0}},
    )
    check(file, tiny, [(0, "+least", None)])


def test_a_tenth_ten_times_is_one() -> None:
    tenths = [did("purchase", at, properties={"amount": 0.1}) for at in range(10)]
    whole = {"aggregate": {"event": "purchase", "property": "amount", "function": "sum", "eq": 1}}
    check(segments(one=whole), tenths, [(9, "+one", None)])


def test_a_ratio_is_false_while_there_is_nothing_to_compare_with() -> None:
    file = segments(low={"ratio": {"of": {"event": "a"}, "to": {"event": "b"}, "lte": 0}})
    check(file, [did("a", 0)], [])
    check(file, [did("b", 0)], [(0, "+low", None)])


def test_a_ratio_is_not_rounded() -> None:
    third = {"of": {"event": "a"}, "to": {"event": "b"}}
    file = segments(above={"ratio": {**third, "gt": 0.333333}}, below={"ratio": {**third, "lt": 0.333334}})
    bodies = [did("b", 0), did("b", 0), did("b", 0), did("a", 1)]
    check(file, bodies, [(0, "+below", None), (1, "+above", None)])


@pytest.mark.parametrize("function", ["sum", "distinct", "max"])
def test_a_path_that_meets_a_list_gives_every_element(function: str) -> None:
    bounds = {"sum": 8, "distinct": 2, "max": 5}
    condition = {"event": "purchase", "property": "items.price", "function": function, "eq": bounds[function]}
    bodies = [did("purchase", 0, properties={"items": [{"price": 3}, {"price": 5}, {"sku": "x"}]})]
    check(segments(found={"aggregate": condition}), bodies, [(0, "+found", None)])


# Mixes


@pytest.mark.parametrize(
    ("scale", "amount", "reading"),
    [
        ({}, 0, 0.0),
        ({}, 25, 25.0),
        ({"scale": "linear"}, 99, 99.0),
        ({}, 100, 100.0),
        ({}, 250, 100.0),
        ({}, -5, 0.0),
        ({"scale": "log"}, 100, 100.0),
        ({"scale": "log"}, 9.049875621, 50.0),  # the square root of 101, less one
        ({"scale": "log"}, -5, 0.0),
    ],
)
def test_a_part_lies_between_nothing_and_its_weight(scale: dict[str, str], amount: float, reading: float) -> None:
    monetary = {"event": "purchase", "property": "amount", "within": "1d", "full": 100, **scale}
    file = scored({"mix": [{"weight": 100, "monetary": monetary}]}, any={"score": {"name": "s", "gte": 0}})
    body = did("purchase", 0, properties={"amount": amount})
    oracle, _ = run_oracle(file, [body])
    driven, _ = run_core(file, [body])
    assert [change.scores["s"] for change in oracle.changes] == [reading]
    assert [transition.scores["s"] for transition in driven.transitions] == [reading]


# Transitions


def test_a_transition_has_these_fields_and_no_others() -> None:
    file: File = scored(
        {"points": [{"event": "cart_add", "points": 41.2}]},
        warm={"all": [{"score": {"name": "s", "gte": 40}}, {"performed": {"event": "cart_add", "within": "7d"}}]},
    )
    file["segments"]["warm"]["tags"] = ["hot"]
    driven, _ = run_core(file, [did("cart_add", 0, event_id="x")], START_MS + 7 * DAY)
    entered, left = (json.loads(encode_transition(each)) for each in driven.transitions)
    hashes = {"transition_id": entered["transition_id"], "definition": compile_definitions(file).segments[0].definition}
    assert entered == {
        **hashes,
        "type": "segment.entered",
        "contact_id": "c1",
        "segment": "warm",
        "tags": ["hot"],
        "sequence": 1,
        "effective_at": text_of(0),
        "detected_at": text_of(0),
        "cause": {"kind": "event", "position": "tracking-0@1", "event_id": "x", "event": "cart_add"},
        "scores": {"s": 41.2},
        "valid_until": text_of(7 * DAY),
    }
    assert left == entered | {
        "transition_id": left["transition_id"],
        "type": "segment.exited",
        "sequence": 2,
        "effective_at": text_of(7 * DAY),
        "detected_at": text_of(7 * DAY),
        "cause": {"kind": "timer", "position": "tracking-0@2"},
        "valid_until": None,
    }
    assert left["transition_id"] != entered["transition_id"]


def test_the_id_of_a_transition_rests_on_what_it_names_and_on_nothing_else() -> None:
    file = segments(seen={"performed": {"event": "page_view", "within": "1h"}})
    first = did("page_view", 0, event_id="first")

    def ids(file: File, *bodies: dict[str, Any]) -> list[str]:
        driven, _ = run_core(file, list(bodies), START_MS + DAY)
        return [each.transition_id for each in driven.transitions if each.contact_id == "c1"]

    told = ids(file, first)
    others = did("page_view", 0, contact="c2")
    labelled = {**file, "segments": {"seen": {**file["segments"]["seen"], "tags": ["x"], "description": "Words."}}}
    assert ids(file, others, first) == told
    assert ids(labelled, {**first, "properties": {"a": 1}}) == told
    assert not set(told) & set(ids(file, {**first, "event_id": "other"}))
    assert not set(told) & set(ids(segments(seen={"performed": {"event": "page_view", "within": "2h"}}), first))
