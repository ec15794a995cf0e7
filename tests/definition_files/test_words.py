"""What is said of a slip: what was expected, an example, and what may have been meant."""

from __future__ import annotations

from typing import Any

import pytest

from streams.segmentation import DefinitionsError, Problem, compile_definitions
from streams.segmentation.names import STANDARD_EVENTS
from tests.segmentation.timeline import definitions, segment

SCORES: dict[str, Any] = {"engagement": {"points": [{"event": "x", "points": 5}], "tiers": {"cold": None, "hot": 5}}}
LISTS: dict[str, Any] = {"newsletter": []}


def only_problem(data: Any) -> Problem:
    with pytest.raises(DefinitionsError) as refused:
        compile_definitions(data)
    (problem,) = refused.value.problems
    return problem


def of_condition(when: dict[str, Any], **more: Any) -> Problem:
    return only_problem(segment(when, scores=SCORES, lists=LISTS, **more))


def performed(**body: Any) -> dict[str, Any]:
    return {"performed": {"event": "x", **body}}


def where(**operators: Any) -> dict[str, Any]:
    return performed(where=[{"property": "a", **operators}])


@pytest.mark.parametrize(
    ("when", "suggestion"),
    [
        ({"perfomed": {"event": "x"}}, "performed"),
        ({"Performed": {"event": "x"}}, "performed"),
        ({"and": []}, "all"),
        ({"or": []}, "any"),
        ({"segment": "s"}, "in_segment"),
        ({"attribute": {}}, "trait"),
        (performed(at_lest=3), "at_least"),
        (performed(gte=3), "at_least"),
        (performed(window="7d"), "within"),
        (performed(xyz=1), ""),
        ({"performed": {"evnt": "x"}}, "event"),
        (where(greater=1, gt=1), "gte"),
        (where(**{">=": 1, "gt": 1}), "gte"),
        (where(regex="a", eq="a"), "matches"),
        ({"score": {"name": "engagment", "gte": 5}}, "engagement"),
        ({"score": {"name": "engagement", "min": 5, "lt": 7}}, "gte"),
        ({"tier": {"name": "engagement", "is": "Hot"}}, "hot"),
        ({"listed": "newsleter"}, "newsletter"),
        ({"in_segment": "S"}, "s"),
        ({"in_segment": "entirely_different"}, ""),
        ({"consent": {"purpose": "news", "is": "grantd"}}, "granted"),
        ({"aggregate": {"event": "x", "property": "a", "function": "average", "gte": 1}}, "avg"),
        ({"aggregate": {"event": "x", "property": "a", "function": "Sum", "gte": 1}}, "sum"),
        ({"anniversary": {"trait": "born", "zone": "europe/paris"}}, "Europe/Paris"),
        ({"anniversary": {"trait": "born", "zone": "Pars"}}, ""),
        ({"anniversary": {"trait": "born", "zone": "New York"}}, "America/New_York"),
        (performed(include_machine="yes"), "true"),
        (performed(include_machine="Off"), "false"),
        (performed(include_machine="perhaps"), ""),
        (where(exists="false"), "false"),
        (performed(at_least="3"), "3"),
        (performed(at_least=3.0), "3"),
        ({"score": {"name": "engagement", "gte": "70"}}, "70"),
        ({"score": {"name": "engagement", "gte": 1.23456}}, "1.235"),
        ({"trait": {"name": 5, "eq": 1}}, '"5"'),
        (where(starts_with=True), '"true"'),
        ({"performed": {"event": "Email Open"}}, "email_open"),
        ({"performed": {"event": "Order Completed"}}, "purchase"),
        ({"performed": {"event": "emailOpen"}}, "email_open"),
        ({"performed": {"event": "42"}}, ""),
        (performed(between=[5, 2]), "[2, 5]"),
    ],
)
def test_what_looks_like_a_slip_comes_with_what_may_have_been_meant(when: dict[str, Any], suggestion: str) -> None:
    assert of_condition(when).suggestion == suggestion


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("7 days", "7d"),
        ("7D", "7d"),
        ("1week", "1w"),
        (" 12 Hours ", "12h"),
        ("1.5h", "90m"),
        ("30min", "30m"),
        ("1 month", "30d"),
        ("2 years", "730d"),
        ("007d", "7d"),
        ("1.5s", ""),
        ("0 days", ""),
        ("20 years", ""),
        ("7", ""),
        ("soon", ""),
        (7, ""),
        (True, ""),
    ],
)
def test_a_duration_in_other_words_comes_with_the_right_form(written: object, meant: str) -> None:
    problem = of_condition({"known_for": written})
    assert (problem.suggestion, "like 7d" in problem.expected) == (meant, True)


def test_a_window_of_nothing_is_refused_with_the_reason() -> None:
    for nothing in ("0d", "0", 0, "000 h"):
        assert "a window of 0 holds nothing" in of_condition(performed(within=nothing)).expected


def test_a_misspelt_key_is_not_called_missing_as_well() -> None:
    assert of_condition({"performed": {"evnt": "x"}}).path == "segments.s.when.performed.evnt"
    assert only_problem({"version": 1, "segmnts": {}}).path == "segmnts"


def test_a_null_says_to_leave_the_key_out() -> None:
    problem = of_condition(performed(within=None))
    assert (problem.path, "leave the key out" in problem.expected) == ("segments.s.when.performed.within", True)


def test_one_wrong_value_is_not_told_again_of_what_it_stands_in() -> None:
    assert of_condition({"score": {"name": "engagement", "gte": "x"}}).path == "segments.s.when.score.gte"
    assert of_condition(where(eq=None)).path == "segments.s.when.performed.where[0].eq"
    bad_score = {"points": [{"event": "x", "points": "5"}]}
    found = only_problem(segment({"score": {"name": "e", "gte": 5}}, scores={"e": bad_score}))
    assert found.path == "scores.e.points[0].points"


def test_several_slips_in_one_condition_are_all_told() -> None:
    with pytest.raises(DefinitionsError) as refused:
        compile_definitions(segment(performed(event="X", at_lest=1, between=[2, 1], within=7, where=[{}, {"eq": 1}])))
    assert {problem.path.removeprefix("segments.s.when.performed.") for problem in refused.value.problems} == {
        "event",
        "at_lest",
        "between",
        "within",
        "where[0].property",
        "where[1].property",
    }


def test_what_stands_under_a_misspelt_condition_is_read_as_what_was_meant() -> None:
    with pytest.raises(DefinitionsError) as refused:
        compile_definitions(segment({"al": [{"perfomed": {"event": "x", "within": "7 days"}}, {"known_for": "1d"}]}))
    assert [problem.path for problem in refused.value.problems] == [
        "segments.s.when.al",
        "segments.s.when.al[0].perfomed",
        "segments.s.when.al[0].perfomed.within",
    ]


def test_conditions_side_by_side_are_each_read_though_they_need_a_list() -> None:
    with pytest.raises(DefinitionsError) as refused:
        compile_definitions(segment({"known_for": "1", "listed": "vip"}))
    assert [problem.path for problem in refused.value.problems] == [
        "segments.s.when",
        "segments.s.when.known_for",
        "segments.s.when.listed",
    ]


@pytest.mark.parametrize(
    ("event", "meant"),
    [
        ("email_opened", "email_open"),
        ("purchases", "purchase"),
        ("product_viewed", "product_view"),
        ("form_submitted", "form_submit"),
        ("order_completed", "purchase"),
        ("product_added", "cart_add"),
        ("email_sent", ""),
        ("booking", ""),
        ("app_open", ""),
        *((event, "") for event in STANDARD_EVENTS),
    ],
)
def test_a_custom_event_nearly_named_like_a_standard_one_is_warned_of_and_legal(event: str, meant: str) -> None:
    warnings = compile_definitions(segment({"performed": {"event": event}})).warnings
    assert [each.suggestion for each in warnings] == [meant] * bool(meant)


def test_what_stands_in_meta_is_nobody_else_s_business() -> None:
    data = definitions({"s": {"when": {"known_for": "1d"}, "meta": {"event": "email_opened", "nothing": None}}})
    assert compile_definitions(data).warnings == ()


def test_the_text_of_an_error_tells_a_hundred_problems_and_how_many_more_there_are() -> None:
    with pytest.raises(DefinitionsError) as refused:
        compile_definitions(segment({"listed": "vip"}, lists={"vip": list(range(150))}))
    assert len(refused.value.problems) == 150
    assert str(refused.value).splitlines()[100:] == ["and 50 more"]


def test_a_problem_of_the_log_has_no_place() -> None:
    problem = of_condition({"nope": 1})
    assert (problem.file, problem.line, problem.column) == ("", 0, 0)
    assert str(problem).startswith("segments.s.when.nope: unknown condition; expected one of all, any, not")


def test_a_long_value_is_cut_short_and_a_long_list_of_names_too() -> None:
    assert len(str(of_condition({"known_for": "x" * 10_000}))) < 300
    many = {f"s{number}": {"when": {"known_for": "1d"}} for number in range(500)}
    data = definitions({**many, "s": {"when": {"in_segment": "t"}}})
    assert str(only_problem(data)).endswith('and 481 more (found "t")')


@pytest.mark.parametrize(
    ("operators", "fits"),
    [
        ({"gt": 5, "lt": 5.1}, True),
        ({"gte": 5, "lte": 5}, True),
        ({"gte": 5, "lt": 5}, False),
        ({"gt": 6, "lt": 5}, False),
        ({"gt": "a", "lt": 5}, False),
        ({"gt": "b", "lt": "a"}, False),
        ({"eq": 5, "gte": 5}, True),
        ({"eq": 5, "gt": 5}, False),
        ({"eq": True, "gt": 0}, False),
        ({"eq": "a", "in": ["a", "b"]}, True),
        ({"eq": "a", "in": ["b"]}, False),
        ({"in": [1, 2], "gt": 1}, True),
        ({"in": [1, 2], "gt": 2}, False),
        ({"eq": "a", "ne": "a"}, False),
        ({"in": ["a", "b"], "not_in": ["a"]}, True),
        ({"in": ["a", "b"], "not_in": ["a", "b"]}, False),
        ({"exists": False, "ne": "a"}, True),
        ({"exists": False, "eq": "a"}, False),
        ({"exists": False, "matches": "a"}, False),
        ({"exists": True, "gte": 1}, True),
    ],
)
def test_operators_that_no_value_can_satisfy_together_are_refused(operators: dict[str, Any], fits: bool) -> None:
    if fits:
        assert compile_definitions(segment(where(**operators))).segments
    else:
        problem = of_condition(where(**operators))
        assert (problem.path, "satisfy together" in problem.expected) == ("segments.s.when.performed.where[0]", True)
