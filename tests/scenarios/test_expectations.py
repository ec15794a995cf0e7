"""Every kind of expectation holds where it is right, and fails where it is wrong."""

from __future__ import annotations

import pytest

from tests.scenarios.trying import Bench

CART = "- {at: start, event: cart_add}"
BOUGHT = "- {at: start, event: cart_add}\n- {at: +2d, event: purchase}"

RIGHT_AND_WRONG = {
    "in a segment": (CART, "{at: +1h, in: cart_abandoners}", "{at: +1h-1ms, in: cart_abandoners}"),
    "in each of several": (
        "- {at: start, traits: {country: FR}}\n- {at: start, list: vip}",
        "{at: start, in: [french, vips]}",
        "{at: start, in: [french, subscribers]}",
    ),
    "not in a segment": (CART, "{at: +7d, not_in: cart_abandoners}", "{at: +7d-1ms, not_in: cart_abandoners}"),
    "in these and no others": (
        "- {at: start, event: email_click}\n- {at: start, list: vip}",
        "{at: start, only_in: [vips, clickers]}",
        "{at: start, only_in: clickers}",
    ),
    "in nothing": (CART, "{at: start, only_in: []}", "{at: +1h, only_in: []}"),
    "in all the time, to the last millisecond": (
        CART,
        "{from: +1h, before: +7d, in: cart_abandoners}",
        "{from: +1h, before: +7d1ms, in: cart_abandoners}",
    ),
    "in all the time, from the first millisecond": (
        CART,
        "{from: +1h, before: +2h, in: cart_abandoners}",
        "{from: +1h-1ms, before: +2h, in: cart_abandoners}",
    ),
    "out all the time": (
        CART,
        "{from: start, before: +1h, not_in: cart_abandoners}",
        "{from: start, before: +1h1ms, not_in: cart_abandoners}",
    ),
    "entered at an instant": (
        CART,
        "{segment: cart_abandoners, entered_at: +1h}",
        "{segment: cart_abandoners, entered_at: +1h1ms}",
    ),
    "exited at an instant": (
        CART,
        "{segment: cart_abandoners, exited_at: +7d}",
        "{segment: cart_abandoners, exited_at: +1h}",
    ),
    "both at once": (
        CART,
        "{segment: cart_abandoners, entered_at: +1h, exited_at: +7d}",
        "{segment: cart_abandoners, entered_at: +1h, exited_at: +8d}",
    ),
    "for a cause": (
        BOUGHT,
        "{segment: cart_abandoners, exited_at: +2d, cause: event}",
        "{segment: cart_abandoners, exited_at: +2d, cause: timer}",
    ),
    "never entered": (
        CART,
        "{segment: clickers, never_entered: true}",
        "{segment: cart_abandoners, never_entered: true}",
    ),
    "never exited": (
        BOUGHT,
        "{segment: clickers, never_exited: true}",
        "{segment: cart_abandoners, never_exited: true}",
    ),
    "exactly these transitions": (
        BOUGHT,
        "{segment: cart_abandoners, transitions: [{entered_at: +1h, cause: timer}, {exited_at: +2d}]}",
        "{segment: cart_abandoners, transitions: [{entered_at: +1h, cause: event}, {exited_at: +2d}]}",
    ),
    "no transition too many": (
        BOUGHT,
        "{segment: cart_abandoners, transitions: [{entered_at: +1h}, {exited_at: +2d}]}",
        "{segment: cart_abandoners, transitions: [{entered_at: +1h}]}",
    ),
    "no transition too few": (
        CART,
        "{segment: cart_abandoners, transitions: [{entered_at: +1h}, {exited_at: +7d}]}",
        "{segment: cart_abandoners, transitions: [{entered_at: +1h}, {exited_at: +7d}, {entered_at: +8d}]}",
    ),
    "no transitions at all": (
        CART,
        "{segment: clickers, transitions: []}",
        "{segment: cart_abandoners, transitions: []}",
    ),
    "a reading, exactly": (
        CART,
        "{at: +7d, score: {name: engagement, eq: 7.5}}",
        "{at: +7d, score: {name: engagement, eq: 7.501}}",
    ),
    "a reading between bounds that belong to it": (
        CART,
        "{at: +7d, score: {name: engagement, between: [7.5, 7.5]}}",
        "{at: +7d, score: {name: engagement, between: [7.501, 9]}}",
    ),
    "a reading of at least": (
        CART,
        "{at: start, score: {name: engagement, gte: 15}}",
        "{at: start, score: {name: engagement, gte: 15.001}}",
    ),
    "a reading above": (
        CART,
        "{at: start, score: {name: engagement, gt: 14.999}}",
        "{at: start, score: {name: engagement, gt: 15}}",
    ),
    "a reading of at most": (
        CART,
        "{at: start, score: {name: engagement, lte: 15}}",
        "{at: start, score: {name: engagement, lte: 14.999}}",
    ),
    "a reading below": (
        CART,
        "{at: start, score: {name: engagement, lt: 15.001}}",
        "{at: start, score: {name: engagement, lt: 15}}",
    ),
    "a tier": (
        CART,
        "{at: start, tier: {name: engagement, is: warm}}",
        "{at: +7d, tier: {name: engagement, is: warm}}",
    ),
    "no tier": (
        CART,
        "{at: +7d, tier: {name: engagement, is: null}}",
        "{at: start, tier: {name: engagement, is: null}}",
    ),
}


@pytest.mark.parametrize("kind", RIGHT_AND_WRONG)
def test_an_expectation_holds_where_it_is_right_and_fails_where_it_is_wrong(kind: str, bench: Bench) -> None:
    given, right, wrong = RIGHT_AND_WRONG[kind]
    assert bench.try_one(given, f"- {right}", "until: +20d") == []
    assert len(bench.try_one(given, f"- {wrong}", "until: +20d")) == 1


def test_one_item_may_hold_several_expectations_and_each_fails_by_itself(bench: Bench) -> None:
    item = "- {at: +1h, in: [vips, french], not_in: cart_abandoners, tier: {name: engagement, is: hot}}"
    failed = [failure["path"].removeprefix("scenarios.tried.expect[0].") for failure in bench.try_one(CART, item)]
    assert failed == ["in[0]", "in[1]", "not_in[0]", "tier"]


def test_an_instant_is_looked_at_after_all_its_records_and_the_timers_due_then(bench: Bench) -> None:
    given = """
        - {at: start, event: cart_add}
        - {at: +1h, traits: {country: FR}}
        - {at: +1h, traits: {country: BE}}
        - {at: +1h, event: email_click}
    """
    assert bench.try_one(given, "- {at: +1h, only_in: [cart_abandoners, clickers]}") == []


def test_failures_are_told_in_order_of_time_those_of_the_whole_scenario_last(bench: Bench) -> None:
    expect = """
        - {segment: cart_abandoners, never_entered: true}
        - {at: +3d, in: clickers}
        - {segment: cart_abandoners, entered_at: +2d}
        - {at: +1d, in: clickers}
    """
    assert [failure["line"] for failure in bench.try_one(CART, expect)] == [11, 10, 9, 8]


def test_up_to_the_last_time_nothing_may_have_happened_and_until_looks_further(bench: Bench) -> None:
    never = "- {segment: cart_abandoners, never_entered: true}"
    assert bench.try_one(CART, never) == []
    assert bench.try_one(CART, never, "until: +1h-1ms") == []
    assert len(bench.try_one(CART, never, "until: +1h")) == 1
    assert len(bench.try_one(CART, f"{never}\n- {{at: +1h, only_in: [cart_abandoners]}}")) == 1


def test_a_time_that_is_all_there_is_to_look_at_is_looked_at_to_its_end(bench: Bench) -> None:
    assert bench.try_one(CART, "- {from: +1h, before: +7d, in: cart_abandoners}") == []
    assert len(bench.try_one(CART, "- {from: +1h, before: +7d1ms, in: cart_abandoners}")) == 1


def test_of_somebody_who_is_not_known_yet_nothing_is_in_and_nothing_can_be_read(bench: Bench) -> None:
    expect = """
        - {at: start-1ms, only_in: []}
        - {at: start-1ms, score: {name: engagement, eq: 0}}
        - {at: start-1ms, tier: {name: engagement, is: null}}
    """
    failures = bench.try_one(CART, expect)
    assert [failure["found"] for failure in failures] == ["nothing is known of ana then"] * 2


def test_both_ends_of_a_stay_belong_to_one_stay(bench: Bench) -> None:
    given = "[{at: start, event: cart_add}, {at: +8d, event: cart_add}]"
    stay = "{{segment: cart_abandoners, entered_at: {}, exited_at: {}}}".format
    assert bench.try_one(given, f"- {stay('+1h', '+7d')}", "until: +20d") == []
    assert bench.try_one(given, f"- {stay('+8d1h', '+15d')}", "until: +20d") == []
    for wrong in (stay("+1h", "+15d"), stay("+8d1h", "+7d")):
        (failure,) = bench.try_one(given, f"- {wrong}", "until: +20d")
        assert "the stay that ends then began otherwise" in failure["found"]
