"""A scenarios file that is wrong is refused whole, with everything that is wrong, where it is and what was expected."""

from __future__ import annotations

import json
import re

import pytest

from tests.scenarios.trying import Bench, one

EVENT = "- {at: start, event: cart_add}"
HOLDS = "- {at: start, only_in: []}"

WRONG_GIVEN = {
    "{at: start, evnt: cart_add}": "given[0].evnt: expected one key that says what happened: .*did you mean event?",
    "{at: start}": "given[0]: expected one key that says what happened: event, traits, consent, list, erase",
    "{at: start, event: a, traits: {b: 1}}": "given[0]: expected one key that says what happened",
    "just words": 'given[0]: expected one key .*found "just words"',
    "{event: cart_add}": "given[0].at: expected the key `at`",
    "{at: 1h, event: cart_add}": "given[0].at: expected a time like .*did you mean [+]1h?",
    "{at: 2026-03-02T09:00:00, event: cart_add}": "given[0].at: expected a time .*did you mean 2026-03-02T09:00:00Z?",
    "{at: 2026-03-02, event: cart_add}": "given[0].at: expected a time .*did you mean 2026-03-02T00:00:00Z?",
    "{at: 2026-02-30T09:00:00Z, event: cart_add}": "given[0].at: expected a date that exists, not 2026-02-30",
    "{at: +300000d, event: cart_add}": "given[0].at: expected a time from 1970 to 2199",
    "{at: start, event: Cart Add}": "given[0].event: expected the name of an event.*did you mean cart_add?",
    "{at: start, event: cart_add, propertis: {}}": "given[0].propertis: unknown key.*did you mean properties?",
    "{at: start, event: cart_add, times: 0}": "given[0].times: expected a whole number from 1 to 10000",
    "{at: start, event: cart_add, every: soon}": "given[0].every: expected a duration",
    "{at: start, event: cart_add, received_at: soon}": "given[0].received_at: expected a time like",
    "{at: start, contact: 42, event: cart_add}": "given[0].contact: expected a text; put it in quotes",
    "{at: start, contact: '', event: cart_add}": "given[0].contact: expected a text that is not empty",
    "{at: start, traits: FR}": "given[0].traits: expected a mapping",
    "{at: start, consent: newsletter}": "given[0].granted: expected the key `granted`",
    "{at: start, list: vipp}": "given[0].list: expected a list of the definition file: vip .*did you mean vip?",
    "{at: start, erase: false}": "given[0].erase: expected true",
}
WRONG_EXPECT = {
    "{at: +1h, in: cart_abandonners}": "expect[0].in[0]: expected the name of a segment.*did you mean cart_abandoners?",
    "{at: +1h, only_in: [vips, nobody]}": "expect[0].only_in[1]: expected the name of a segment",
    "{at: +1h, inn: vips}": "expect[0].inn: unknown key.*did you mean in?",
    "{at: +1h}": "expect[0]: expected what must hold: in, not_in, only_in, score or tier",
    "{in: vips}": "expect[0]: expected when: either `at`, or `from` and `before`",
    "{at: +1h, from: +1h, before: +2h, in: vips}": "expect[0]: expected when",
    "{from: +1h, before: +1h, in: vips}": "expect[0].before: expected a time after that of `from`",
    "{from: +1h, before: +2h, tier: {name: engagement, is: hot}}": "expect[0].tier: expected `at` with tier",
    "{at: soon, in: vips}": "expect[0].at: expected a time like",
    "{at: +1h, contact: anna, in: vips}": "expect[0].contact: expected a contact of whom .*did you mean ana?",
    "{at: +1h, score: {name: engagment, eq: 1}}": "expect[0].score.name: .*did you mean engagement?",
    "{at: +1h, score: {name: engagement}}": "expect[0].score: expected what it must read",
    "{at: +1h, score: {name: engagement, between: [5, 1]}}": "expect[0].score: expected bounds that a number can",
    "{at: +1h, score: {name: engagement, eq: 1.0001}}": "expect[0].score.eq: expected a number .* 3 decimals",
    "{at: +1h, tier: {name: engagement, is: wram}}": "expect[0].tier.is: expected a tier .*did you mean warm?",
    "{segment: cart_abandoners}": "expect[0]: expected what must hold: entered_at, exited_at",
    "{segment: cart, entered_at: +1h}": "expect[0].segment: expected the name of a segment",
    "{entered_at: +1h}": "expect[0].segment: expected the key `segment`",
    "{segment: vips, entered_at: +1h, cause: time}": "expect[0].cause: expected one of .*did you mean timer?",
    "{segment: vips, never_entered: true, cause: timer}": "expect[0].cause: expected a cause beside one of",
    "{segment: vips, never_entered: false}": "expect[0].never_entered: expected true",
    "{segment: vips, transitions: [{exited_at: +1h}]}": "expect[0].transitions[0]: expected entered_at here",
    "{segment: vips, transitions: [{entered_at: +2h}, {exited_at: +1h}]}": "expect[0].transitions[1]: expected a time",
}


def found_in(refusals: list[str], pattern: str) -> bool:
    literal = re.escape(pattern).replace(r"\.\*", ".*").replace(re.escape("[+]"), r"\+")
    return any(re.search(literal, line) for line in refusals)


@pytest.mark.parametrize("item", WRONG_GIVEN)
def test_what_is_wrong_with_a_record_is_told(item: str, bench: Bench) -> None:
    refusals = bench.refusals(one(f"- {item}", HOLDS))
    assert found_in(refusals, f"scenarios.tried.{WRONG_GIVEN[item]}"), refusals
    assert refusals[0].startswith("6:")


@pytest.mark.parametrize("item", WRONG_EXPECT)
def test_what_is_wrong_with_an_expectation_is_told(item: str, bench: Bench) -> None:
    refusals = bench.refusals(one(EVENT, f"- {item}"))
    assert found_in(refusals, f"scenarios.tried.{WRONG_EXPECT[item]}"), refusals
    assert refusals[0].startswith("8:")


def test_a_time_after_the_start_needs_one(bench: Bench) -> None:
    text = "scenarios:\n  a:\n    given: [{at: +1h, event: cart_add}]\n    expect: [{at: start, in: vips}]\n"
    refusals = bench.refusals(text)
    assert found_in(refusals, "3:14: scenarios.a.given[0].at: expected a `start` in the scenario")
    assert found_in(refusals, "4:15: scenarios.a.expect[0].at: expected a `start`")
    assert found_in(bench.refusals(f"start: +1h\n{text}"), "start: expected a time like 2026")


def test_of_times_after_a_start_that_is_wrong_nothing_more_is_said(bench: Bench) -> None:
    for start in ("2026-03-02", "+1h", "2199-12-31T00:00:00Z+1d"):
        text = one("- {at: -1d, event: cart_add}", "- {at: +1h, in: vips}", "until: 2026-02-01T00:00:00Z")
        refusals = bench.refusals(text.replace("2026-03-02T09:00:00Z", start))
        assert [line for line in refusals if line.startswith(("1:", "6:", "8:", "9:"))] == refusals[:1]


def test_until_may_not_lie_before_what_is_given_or_expected(bench: Bench) -> None:
    refusals = bench.refusals(one(EVENT, "- {at: +1h, in: vips}", "until: +30m"))
    assert found_in(
        refusals, "until: expected a time not before the last one of the scenario, 2026-03-02T10:00:00.000Z"
    )


def test_a_file_that_is_no_scenarios_file_is_told_so(bench: Bench) -> None:
    for text, expected in {
        "": "1:1: expected keys and values, found an empty file",
        "scenarios: {}": "1:12: scenarios: expected at least one scenario: its name, and under it given and expect",
        "scenarois: {}": "scenarois: unknown key.*did you mean scenarios?",
        "- a": "1:1: expected a mapping of keys to values",
        "scenarios: [": "1:",
        "scenarios: {a: {expect: [{at: start, in: vips}]}, a: {}}": "scenarios.a: expected this key once",
        "scenarios: {a: {given: []}}": "scenarios.a.expect: expected the key `expect`",
        "scenarios: {a: {expect: []}}": "scenarios.a.expect: expected a list of at least 1 item",
        "scenarios: {a: 5}": "scenarios.a: expected a mapping",
    }.items():
        assert found_in(bench.refusals(text), expected), (text, bench.refusals(text))


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file(bench: Bench) -> None:
    given = "- {at: 1h, event: cart_add}\n- {at: start, evnt: x}\n- {at: start, list: vipp}"
    expect = "- {at: +1h, in: cart}\n- {at: +1h, score: {name: engagment, eq: 1}}"
    refusals = bench.refusals(one(given, expect, "untill: +1h"))
    places = [line.split(": ")[0] for line in refusals if re.match(r"\d+:\d+: ", line)]
    assert places == ["6:14", "7:21", "8:27", "10:19", "11:33", "12:5"]


def test_of_somebody_of_whom_a_broken_record_was_given_nothing_more_is_said(bench: Bench) -> None:
    refusals = bench.refusals(one("- {at: start, contact: ben, evnt: x}", "- {contact: ben, at: start, in: vips}"))
    assert not found_in(refusals, "a contact of whom something is given")


def test_a_name_with_dots_and_brackets_keeps_its_places(bench: Bench) -> None:
    text = (
        "start: 2026-03-02T09:00:00Z\nscenarios:\n  'at 1.5 [points]: nothing':\n"
        "    given: [{at: 0, event: x}]\n    expect:\n      - {at: 0, in: nobody}\n"
    )
    assert found_in(bench.refusals(text), "6:17: scenarios.at 1.5 [points]: nothing.expect[0].in[0]: expected the name")


def test_what_is_wrong_is_told_as_data_too(bench: Bench) -> None:
    result = bench.run(one(EVENT, "- {at: +1h, in: cart_abandonners}"), "--json")
    assert result.exit_code == 1
    outcome = json.loads(result.stdout)
    assert (outcome["holds"], outcome["scenarios"]) == (False, [])
    (problem,) = outcome["refused"][0]["problems"]
    assert problem["path"] == "scenarios.tried.expect[0].in[0]"
    assert (problem["line"], problem["column"]) == (8, 19)
    assert (problem["value"], problem["suggestion"]) == ("cart_abandonners", "cart_abandoners")
