"""Typed comparison under dotted paths."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from streams.segmentation.values import Operators, Predicate

ROOT: dict[str, Any] = {
    "n": 10,
    "f": 10.0,
    "s": "10",
    "b": True,
    "null": None,
    "nested": {"plan": "pro", "deep": {"level": 3}},
    "tags": ["red", "green"],
    "empty": [],
    "items": [{"price": 5}, {"price": 20}, {"other": 1}],
    "matrix": [[1, 2], [3]],
}


@pytest.mark.parametrize(
    ("path", "operators", "holds"),
    [
        ("n", {"eq": 10.0}, True),
        ("n", {"eq": "10"}, False),
        ("s", {"eq": 10}, False),
        ("b", {"eq": 1}, False),
        ("b", {"eq": True}, True),
        ("n", {"gte": 10, "lt": 10.5}, True),
        ("s", {"gte": 1}, False),
        ("s", {"gt": "1"}, True),
        ("b", {"gte": 0}, False),
        ("n", {"in": ["10", 10]}, True),
        ("n", {"ne": 10.0}, False),
        ("n", {"ne": "10"}, True),
        ("missing", {"eq": 1}, False),
        ("missing", {"ne": 1}, True),
        ("missing", {"exists": False}, True),
        ("missing", {"exists": True}, False),
        ("null", {"exists": False}, True),
        ("null", {"ne": 1}, True),
        ("nested.plan", {"eq": "pro"}, True),
        ("nested.deep.level", {"lte": 3}, True),
        ("nested.plan.more", {"exists": True}, False),
        ("n.more", {"ne": 10}, True),
        ("tags", {"eq": "green"}, True),
        ("tags", {"ne": "green"}, False),
        ("tags", {"ne": "blue"}, True),
        ("empty", {"exists": True}, True),
        ("empty", {"eq": "x"}, False),
        ("empty", {"ne": "x"}, True),
        ("items.price", {"gt": 10}, True),
        ("items.price", {"gt": 5, "lt": 20}, False),
        ("items.price", {"exists": True}, True),
        ("items.colour", {"exists": True}, False),
        ("items.price", {"ne": 5, "gt": 10}, False),
        ("matrix", {"eq": 3}, True),
        ("n", {"not_in": [1, "10"]}, True),
        ("n", {"not_in": [1, 10]}, False),
        ("missing", {"not_in": [1]}, True),
        ("tags", {"not_in": ["red"]}, False),
        ("tags", {"contains": "red"}, True),
        ("tags", {"contains": "re"}, False),
        ("empty", {"contains": "red"}, False),
        ("nested.plan", {"contains": "ro"}, True),
        ("n", {"contains": "1"}, False),
        ("nested.plan", {"starts_with": "pr"}, True),
        ("nested.plan", {"starts_with": "ro"}, False),
        ("nested.plan", {"matches": "^p.o$"}, True),
        ("nested.plan", {"matches": "o$"}, True),
        ("nested.plan", {"matches": r"\d"}, False),
        ("tags", {"matches": "^gr"}, True),
        ("n", {"matches": "1"}, False),
    ],
)
def test_a_filter_says_of_a_value_what_its_type_allows(path: str, operators: dict[str, Any], holds: bool) -> None:
    assert Predicate(path, Operators.model_validate(operators)).holds(ROOT) is holds


def test_a_pattern_takes_linear_time_and_has_ascii_classes() -> None:
    evil = Predicate("s", Operators.model_validate({"matches": "^(a+)+$"}))
    assert not evil.holds({"s": "a" * 100_000 + "b"})
    assert not Predicate("s", Operators.model_validate({"matches": r"\d"})).holds({"s": "\u0663"})


def test_the_end_of_a_pattern_is_the_end_of_the_text_also_where_that_ends_in_a_line_break() -> None:
    plan = Predicate("s", Operators.model_validate({"matches": "pro$"}))
    assert plan.holds({"s": "pro"})
    assert not plan.holds({"s": "pro\n"})


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", r"(a)\1", "", "a" * 1001])
def test_what_is_no_pattern_of_re2_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Operators.model_validate({"matches": pattern})
