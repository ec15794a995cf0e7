"""The conditions that look into events and dates, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.oracle.driving import run_oracle
from tests.oracle.language import File
from tests.oracle.lines import (
    DAY,
    HOUR,
    MINUTE,
    START_MS,
    check,
    check_oracle,
    consented,
    did,
    erase,
    on_list,
    scored,
    segments,
    traits,
)


def _from_start(text: str) -> int:
    """Milliseconds from the start of these tests to an instant."""
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000) - START_MS


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ([{"property": "value", "gte": 50}], True),
        ([{"property": "value", "gt": 50}], False),
        ([{"property": "value", "gte": 50}, {"property": "currency", "eq": "EUR"}], True),
        ([{"property": "value", "gte": 50}, {"property": "currency", "ne": "EUR"}], False),
        ([{"property": "currency", "not_in": ["USD", "GBP"]}], True),
        ([{"property": "missing", "not_in": ["USD"]}], True),
        ([{"property": "missing", "ne": 1}], True),
        ([{"property": "currency", "starts_with": "EU"}], True),
        ([{"property": "currency", "matches": "^E.R$"}], True),
        ([{"property": "currency", "matches": "UR"}], True),
        ([{"property": "note", "matches": "^gift$"}], False),
        ([{"property": "note", "matches": "^gift\n$"}], True),
        ([{"property": "currency", "contains": "UR"}], True),
        ([{"property": "labels", "contains": "new"}], True),
        ([{"property": "labels", "contains": "ne"}], False),
        ([{"property": "labels", "starts_with": "ne"}], True),
        ([{"property": "context.page.path", "eq": "/cart"}], True),
        ([{"property": "page.path", "exists": False}], True),
        ([{"property": "products.sku", "eq": "b"}], True),
        ([{"property": "products.sku", "ne": "b"}], False),
        ([{"property": "products.price", "gt": 8}], True),
        ([{"property": "products.sku", "eq": "a"}, {"property": "products.price", "gt": 8}], True),
        ([{"property": "@hour", "eq": 1}], True),
        ([{"property": "@weekday", "eq": 7}], True),
        ([{"property": "@date", "gte": "2026-03-01"}], True),
        ([{"property": "@date", "gt": "2026-03-01"}], False),
    ],
)
def test_where_filters_events(where: list[dict[str, Any]], *, holds: bool) -> None:
    properties = {
        "value": 50,
        "currency": "EUR",
        "note": "gift\n",
        "labels": ["new", "sale"],
        "products": [{"sku": "a", "price": 3}, {"sku": "b", "price": 9}],
    }
    event = did("cart_add", 0, properties=properties, context={"page": {"path": "/cart"}})
    file: File = {**segments(found={"performed": {"event": "cart_add", "where": where}}), "zone": "Europe/Paris"}
    check(file, [event], [(0, "+found", None)] if holds else [])


@pytest.mark.parametrize(
    "condition",
    [
        {"performed": {}},
        *(
            {"aggregate": {"property": "v", "function": function, "gte": 1}}
            for function in ("sum", "avg", "min", "max")
        ),
        {"aggregate": {"property": "v", "function": "distinct", "gte": 1}},
        {"performed": {"since": {"event": "email_delivered", "where": [{"property": "@hour", "lt": 2}]}}},
    ],
)
def test_the_hour_of_an_event_is_that_of_its_own_time(condition: dict[str, Any]) -> None:
    ((kind, body),) = condition.items()
    early = {"event": "purchase", "where": [{"property": "@hour", "lt": 3}], **body}
    bodies = [
        did("email_delivered", HOUR, received=9 * HOUR),
        did("purchase", 4 * HOUR, received=9 * HOUR, properties={"v": 1}),
        did("purchase", 2 * HOUR, received=9 * HOUR + 1, properties={"v": 1}),
    ]
    check(segments(early={kind: early}), bodies, [(9 * HOUR + 1, "+early", None)])


def test_the_hour_counts_in_sequences_ratios_and_scores_too() -> None:
    early = {"event": "purchase", "where": [{"property": "@hour", "lt": 3}]}
    file = scored(
        {"points": [{**early, "points": 1}]},
        steps={"sequence": {"steps": [early], "within": "1h"}},
        ratio={"ratio": {"of": early, "to": {"event": "purchase"}, "gt": 0}},
        points={"score": {"name": "s", "gte": 1}},
    )
    bodies = [did("purchase", 4 * HOUR, received=9 * HOUR), did("purchase", 2 * HOUR, received=9 * HOUR + 1)]
    check(file, bodies, [(9 * HOUR + 1, f"+{name}", None) for name in ("steps", "ratio", "points")])


def test_cart_abandoners_enter_an_hour_after_the_last_item_unless_they_bought_since() -> None:
    file = segments(
        abandoners={
            "all": [
                {"performed": {"event": "cart_add", "within": "7d"}},
                {"not_performed": {"event": "cart_add", "within": "1h"}},
                {"not": {"performed": {"event": "purchase", "since": {"event": "cart_add"}}}},
            ]
        }
    )
    bodies = [
        did("purchase", 0),
        did("cart_add", 10),
        did("cart_add", MINUTE),
        did("purchase", 2 * HOUR),
        did("cart_add", 3 * HOUR),
        did("purchase", 3 * HOUR),
    ]
    first, second = MINUTE + HOUR, 4 * HOUR
    expected = [
        (first, "+abandoners", MINUTE + 7 * DAY),
        (2 * HOUR, "-abandoners", None),
        # A purchase in the very millisecond of the cart_add does not come after it.
        (second, "+abandoners", 3 * HOUR + 7 * DAY),
        (3 * HOUR + 7 * DAY, "-abandoners", None),
    ]
    check(file, bodies, expected, until=30 * DAY)


def test_since_the_nth_newest_event_counts_nothing_while_there_are_fewer() -> None:
    condition = {"performed": {"event": "email_open", "since": {"event": "email_delivered", "nth": 2}, "exactly": 0}}
    bodies = [
        did("email_open", 0),
        did("email_delivered", 1),
        did("email_delivered", 2),
        did("email_open", 3),
        did("email_delivered", 4),
    ]
    check(segments(none=condition), bodies, [(0, "+none", None), (3, "-none", None)])


def test_since_follows_the_condition_in_what_it_takes_for_a_machine() -> None:
    since = {"event": "email_open", "since": {"event": "email_delivered"}}
    file = segments(people={"performed": since}, all={"performed": {**since, "include_machine": True, "exactly": 0}})
    suspected = {"suspected": True, "reasons": ["prefetch_proxy"]}
    bodies = [
        did("email_delivered", 0),
        did("email_open", 1),
        did("email_delivered", 2, machine=suspected),
        did("email_open", 3, machine=suspected),
    ]
    expected = [(0, "+all"), (1, "+people"), (1, "-all"), (2, "+all"), (3, "-all")]
    check(file, bodies, [(at, what, None) for at, what in expected])


@pytest.mark.parametrize(
    ("function", "comparison", "holds"),
    [
        ("sum", {"eq": 60.3}, True),
        ("sum", {"gt": 60.3}, False),
        ("avg", {"eq": 20.1}, True),
        ("min", {"lte": 10.1}, True),
        ("max", {"gte": 30.1, "lt": 30.2}, True),
        ("distinct", {"eq": 5}, True),
    ],
)
def test_aggregates_take_numbers_as_they_are_written(function: str, comparison: dict[str, Any], *, holds: bool) -> None:
    values = [10.1, 20.1, 30.1, "10.1", True, None]
    file = segments(
        found={"aggregate": {"event": "purchase", "property": "amount", "function": function, **comparison}}
    )
    bodies = [did("purchase", at, properties={"amount": value}) for at, value in enumerate(values)]
    oracle, _ = run_oracle(file, [*bodies, did("purchase", 9)])
    assert oracle.contacts["c1"].members == {"found": holds}


def test_one_and_one_point_zero_are_one_value() -> None:
    file = segments(
        two={"aggregate": {"event": "purchase", "property": "p", "function": "distinct", "within": "1h", "gte": 2}}
    )
    bodies = [did("purchase", at, properties={"p": value}) for at, value in enumerate([1, 1.0, True, "1"])]
    check(file, bodies, [(2, "+two", HOUR + 1), (HOUR + 2, "-two", None)], until=DAY)


@pytest.mark.parametrize(
    ("function", "holds"), [("sum", True), ("distinct", True), ("avg", False), ("min", False), ("max", False)]
)
def test_aggregates_over_nothing(function: str, *, holds: bool) -> None:
    file = segments(low={"aggregate": {"event": "purchase", "property": "amount", "function": function, "lte": 0}})
    check(file, [did("page_view", 0)], [(0, "+low", None)] if holds else [])


def test_falling_compares_two_windows_of_thirty_days() -> None:
    opens = {"event": "email_open", "within": "30d"}
    file = segments(falling={"ratio": {"of": opens, "to": {**opens, "ago": "30d"}, "min": 4, "lt": 0.5}})
    bodies = [did("email_open", day * DAY) for day in (0, 1, 2, 3)]
    # From day 33 on four opens lie in the window before; the first of them leaves it on day 60.
    check(file, bodies, [(33 * DAY, "+falling", 60 * DAY), (60 * DAY, "-falling", None)], until=90 * DAY)


def test_a_ratio_is_compared_exactly_and_needs_its_least_count() -> None:
    file = segments(third={"ratio": {"of": {"event": "a"}, "to": {"event": "b"}, "gte": 0.5, "lte": 0.5}})
    bodies = [did("a", 0), did("b", 1), did("b", 2), did("a", 3)]
    check(file, bodies, [(2, "+third", None), (3, "-third", None)])


def test_a_sequence_wants_strictly_increasing_times_within_its_width() -> None:
    steps = [{"event": "page_view"}, {"event": "cart_add"}, {"event": "purchase"}]
    file = segments(bought={"sequence": {"steps": steps, "within": "1h", "in_last": "2h"}})
    same_instant = [did("page_view", 0), did("cart_add", 0), did("purchase", 1)]
    check(file, same_instant, [])
    late_step = did("page_view", -1, received=2)
    check(file, [*same_instant, late_step], [(2, "+bought", 2 * HOUR + 1)])
    too_long = [did("page_view", 0), did("cart_add", 1), did("purchase", HOUR + 1)]
    check(file, too_long, [])
    check(
        file,
        [*too_long, did("page_view", 1, received=HOUR + 2), did("page_view", 0, received=HOUR + 2)],
        [],
    )
    check(
        file,
        [did("page_view", 0), did("cart_add", 1), did("purchase", HOUR)],
        [(HOUR, "+bought", 3 * HOUR), (3 * HOUR, "-bought", None)],
        until=DAY,
    )


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ({"older_than": "1d"}, [(2 * DAY, "+found", None)]),
        ({"newer_than": "1d"}, [(0, "+found", 2 * DAY), (2 * DAY, "-found", None)]),
        ({"within_next": "12h"}, [(12 * HOUR, "+found", DAY), (DAY, "-found", None)]),
        ({"older_than": "1d", "eq": "2026-03-02"}, [(2 * DAY, "+found", None)]),
    ],
)
@pytest.mark.parametrize("value", ["2026-03-02", "2026-03-02T01:00:00+01:00"])
def test_traits_that_are_times(operators: dict[str, Any], expected: list[Any], value: str) -> None:
    file = segments(found={"trait": {"name": "renews_at", **operators}})
    held = expected if "eq" not in operators or operators["eq"] == value else []
    check(file, [traits({"renews_at": value}, 0)], held, until=9 * DAY)


def test_several_durations_of_one_trait_must_hold_together() -> None:
    file = segments(
        settled={"trait": {"name": "at", "older_than": "1d", "newer_than": "3d"}},
        near={"trait": {"name": "at", "newer_than": "3d", "within_next": "12h"}},
    )
    expected = [
        (12 * HOUR, "+near", DAY),
        (DAY, "-near", None),
        (2 * DAY, "+settled", 4 * DAY),
        (4 * DAY, "-settled", None),
    ]
    check(file, [traits({"at": "2026-03-02"}, 0)], expected, until=9 * DAY)


@pytest.mark.parametrize("value", [None, 5, "soon", "2026-13-01", "2026-03-02T00:00:00", "20260302", "2026-W10-1"])
def test_a_trait_that_is_no_time_is_neither_old_nor_new(value: Any) -> None:
    file = segments(old={"trait": {"name": "x", "older_than": "1d"}}, new={"trait": {"name": "x", "newer_than": "1d"}})
    check(file, [traits({"x": value}, 0)], [], until=9 * DAY)


def test_an_anniversary_is_a_local_day_of_every_year() -> None:
    file: File = {**segments(birthday={"anniversary": {"trait": "born"}}), "zone": "Europe/Paris"}
    first, second = _from_start("2026-03-28T23:00:00Z"), _from_start("2027-03-28T22:00:00Z")
    expected = [
        # The clock in Paris is put forward on 29 March 2026: that day has 23 hours.
        (first, "+birthday", first + 23 * HOUR),
        (first + 23 * HOUR, "-birthday", second),
        (second, "+birthday", second + 24 * HOUR),
    ]
    check(file, [traits({"born": "1984-03-29"}, 0)], expected, until=second - 0 + HOUR)


def test_the_twenty_ninth_of_february_is_kept_on_the_twenty_eighth_in_other_years() -> None:
    file = segments(soon={"anniversary": {"trait": "born", "days_before": 7, "days": 2}})
    first, second = _from_start("2027-02-21T00:00:00Z"), _from_start("2028-02-22T00:00:00Z")
    expected = [
        (first, "+soon", first + 2 * DAY),
        (first + 2 * DAY, "-soon", second),
        (second, "+soon", second + 2 * DAY),
    ]
    check(file, [traits({"born": "2000-02-29"}, 0)], expected, until=second)


@pytest.mark.parametrize(
    ("clock", "day"), [("1999-12-01", "2000-02-29"), ("2099-12-01", "2100-02-28"), ("2103-12-01", "2104-02-29")]
)
def test_a_century_has_a_leap_day_once_in_four(clock: str, day: str) -> None:
    file = segments(day={"anniversary": {"trait": "born"}})
    first = _from_start(f"{day}T00:00:00Z")
    at = _from_start(f"{clock}T00:00:00Z")
    check(file, [traits({"born": "1972-02-29"}, at)], [(first, "+day", first + DAY)], until=first)


def test_the_date_of_an_anniversary_may_lie_deep_in_a_trait() -> None:
    file = segments(day={"anniversary": {"trait": "child.born"}})
    told = traits({"child": [{"born": "2020-03-03"}, {"born": "2021-03-02"}, {"name": "x"}]}, 0)
    check(file, [told], [(DAY, "+day", 3 * DAY), (3 * DAY, "-day", _from_start("2027-03-02T00:00:00Z"))], until=4 * DAY)


def test_there_is_no_anniversary_before_the_day_itself() -> None:
    file = segments(day={"anniversary": {"trait": "renews_at"}})
    day = _from_start("2027-03-01T00:00:00Z")
    check(file, [traits({"renews_at": "2027-03-01"}, 0)], [(day, "+day", day + DAY)], until=day)


def test_a_contact_is_known_from_the_clock_of_its_first_record() -> None:
    bodies = [did("page_view", -DAY, received=5), did("page_view", -9 * DAY, received=6)]
    check(segments(old={"known_for": "1d"}), bodies, [(DAY + 5, "+old", None)], until=9 * DAY)


def test_consent_is_the_latest_decision_by_event_time() -> None:
    file = segments(
        granted={"consent": {"purpose": "news", "is": "granted"}},
        denied={"consent": {"purpose": "news", "is": "denied"}},
        unknown={"consent": {"purpose": "news", "is": "unknown"}},
    )
    bodies = [
        did("page_view", 0),
        consented("news", 10, granted=True),
        consented("news", 9, granted=False, received=11),
        consented("news", 10, granted=False, received=12),
    ]
    expected = [(0, "+unknown"), (10, "+granted"), (10, "-unknown"), (12, "-granted"), (12, "+denied")]
    check(file, bodies, [(at, what, None) for at, what in expected])


def test_lists_go_by_event_time_and_are_forgotten_by_an_erasure() -> None:
    bodies = [on_list("vip", 10), on_list("vip", 9, member=False, received=11), erase(12), did("page_view", 13)]
    check_oracle(
        {**segments(vip={"listed": "vip"}), "lists": {"vip": []}}, bodies, [(10, "+vip", None), (12, "-vip", None)]
    )
