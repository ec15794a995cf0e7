"""`name=value` on a command line: what is a number, what is text, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import InputError
from streams.sending.assignments import describe_value, parse_assignments, parse_object


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("paid", "paid", '"paid" (text)'),
        ("", "", '"" (text)'),
        ("42", 42, "42 (number)"),
        ("-0.5", -0.5, "-0.5 (number)"),
        ("49.90", 49.9, "49.9 (number)"),
        ("1e3", 1000.0, "1000.0 (number)"),
        ("9007199254740992", 2**53, "9007199254740992 (number)"),
        ("true", True, "true (boolean)"),
        ("null", None, "null"),
        ('"42"', "42", '"42" (text)'),
        ("01234", "01234", '"01234" (text)'),
        ("+33612345678", "+33612345678", '"+33612345678" (text)'),
        ("True", "True", '"True" (text)'),
        ("NaN", "NaN", '"NaN" (text)'),
        ("2024-02-29", "2024-02-29", '"2024-02-29" (text)'),
        ("a=b", "a=b", '"a=b" (text)'),
        ('{"city": "Paris"}', {"city": "Paris"}, '{"city":"Paris"} (object)'),
        ("[1, 2]", [1, 2], "[1,2] (list)"),
    ],
)
def test_what_is_json_is_that_and_all_else_is_text(text: str, value: Any, said: str) -> None:
    found = parse_assignments([f"x={text}"], "trait")
    assert found == {"x": value}
    assert type(found["x"]) is type(value)
    assert describe_value(value) == said


@pytest.mark.parametrize(
    ("word", "because"),
    [
        ("plan", "plan: expected a trait as NAME=VALUE"),
        ("=paid", "=paid: expected a trait as NAME=VALUE"),
        ("address.city=Paris", "address='{\"city\": …}'"),
        ("x=[1", "expected JSON, found \\[1"),
        ('x="half', "expected JSON"),
        ("x=12345678901234567890", "keeps all its digits, found 12345678901234567890"),
        ("x=9007199254740993", "keeps all its digits"),
        ("x=0.12345678901234567891", "keeps all its digits"),
        ("x=1e400", "expected JSON, found 1e400"),
        ("x=\udcff", "expected text in UTF-8"),
    ],
)
def test_what_would_be_read_otherwise_than_it_looks_is_refused_with_the_way_out(word: str, because: str) -> None:
    with pytest.raises(InputError, match=because):
        parse_assignments([word], "trait")


def test_a_name_is_given_once() -> None:
    with pytest.raises(InputError, match="plan: expected each trait once"):
        parse_assignments(["plan=a", "seats=1", "plan=b"], "trait")


@pytest.mark.parametrize("text", ["{}", "[]", "1", "{", "\udcff"])
def test_an_option_takes_an_object_with_something_in_it(text: str) -> None:
    with pytest.raises(InputError, match="--traits: expected a JSON object"):
        parse_object("--traits", text)
    assert parse_object("--traits", '{"a.b": null}') == {"a.b": None}
