"""What was expected where a model refuses a value, in our words in place of the library's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

EVENT_NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
HASH_PATTERN = r"^[0-9a-f]{64}$"
SOURCE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ORIGIN_PATTERN = r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$"

_PATTERNS = {
    EVENT_NAME_PATTERN: "a name in snake_case such as cart_add, at most 64 characters",
    HASH_PATTERN: "64 hex digits in lower case",
    SOURCE_PATTERN: "a name of letters, digits, `.`, `_` and `-`, at most 64 characters",
    ORIGIN_PATTERN: "an origin such as https://shop.example, in small letters and without a path or a / at its end",
}
_PLAIN = {
    "missing": "a value, and it is missing",
    "string_type": "text",
    "string_unicode": "text in UTF-8",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "dict_type": "an object",
    "list_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_BOUNDED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "string_too_short": lambda context: (
        "text that is not empty" if context["min_length"] == 1 else f"at least {context['min_length']} characters"
    ),
    "string_too_long": lambda context: f"at most {context['max_length']} characters",
    "string_pattern_mismatch": lambda context: _PATTERNS.get(context["pattern"], f"text like {context['pattern']}"),
    "greater_than_equal": lambda context: f"at least {context['ge']}",
}


def expectation(problem: Mapping[str, Any]) -> str:
    """`expected text that is not empty`, for one of `ValidationError.errors()`; the value is not in it.

    A kind of problem that has no words here keeps the library's.
    """
    kind = problem["type"]
    if kind in _PLAIN:
        return f"expected {_PLAIN[kind]}"
    if kind in _BOUNDED:
        return f"expected {_BOUNDED[kind](problem['ctx'])}"
    return str(problem["msg"]).removeprefix("Value error, ")
