"""Typed comparison of JSON values, and the paths that lead to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeGuard

from tests.oracle.notation import decimal_of


def is_number(value: object) -> TypeGuard[int | float]:
    """JSON numbers; booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: object, right: object) -> bool:
    """Of one type and of one value; 10 equals 10.0."""
    if is_number(left) and is_number(right):
        return left == right
    return type(left) is type(right) and isinstance(left, str | bool) and left == right


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(value: Any, bound: Any) -> bool:
        if is_number(value) and is_number(bound):
            return compare(decimal_of(value), decimal_of(bound))
        # Python orders strings by code points.
        return isinstance(value, str) and isinstance(bound, str) and compare(value, bound)

    return ordered


def _found(pattern: str, text: str) -> bool:
    # A `$` of RE2 is the end of the text; one of Python would be also before a last line break.
    return re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None


ONE_ELEMENT: dict[str, Callable[[Any, Any], bool]] = {
    "eq": equal,
    "in": lambda value, bounds: any(equal(value, bound) for bound in bounds),
    "gt": _ordered(lambda value, bound: bool(value > bound)),
    "gte": _ordered(lambda value, bound: bool(value >= bound)),
    "lt": _ordered(lambda value, bound: bool(value < bound)),
    "lte": _ordered(lambda value, bound: bool(value <= bound)),
    "starts_with": lambda value, bound: isinstance(value, str) and value.startswith(bound),
    "matches": lambda value, bound: isinstance(value, str) and _found(bound, value),
}
"""Operators that hold if one element satisfies them; a missing value satisfies none."""

NO_ELEMENT: dict[str, Callable[[Any, Any], bool]] = {
    "ne": equal,
    "not_in": ONE_ELEMENT["in"],
}
"""Operators that hold if no element equals."""


def ends(value: Any, steps: list[str]) -> list[Any]:
    """Where a path ends: one value, or several where it leads through lists. A list that it ends in is one value."""
    if isinstance(value, list) and steps:
        return [end for element in value for end in ends(element, steps)]
    if not steps:
        return [] if value is None else [value]
    return ends(value[steps[0]], steps[1:]) if isinstance(value, dict) and steps[0] in value else []


def elements(found: list[Any]) -> list[Any]:
    """The ends of a path with lists taken apart."""
    return [
        element
        for end in found
        for element in (elements(end) if isinstance(end, list) else [end])
        if element is not None
    ]


def contains(found: list[Any], bound: Any) -> bool:
    """A part of a string, or an element of a list that the path ends in."""
    return any(
        (isinstance(end, str) and isinstance(bound, str) and bound in end)
        or (isinstance(end, list) and any(equal(element, bound) for element in end))
        for end in found
    )


def satisfies(root: Any, path: str, operators: dict[str, Any]) -> bool:
    """Whether what the path leads to satisfies every operator."""
    found = ends(root, path.split("."))
    single = elements(found)
    wanted = [(ONE_ELEMENT[name], bound) for name, bound in operators.items() if name in ONE_ELEMENT]
    refused = [(NO_ELEMENT[name], bound) for name, bound in operators.items() if name in NO_ELEMENT]
    if wanted and not any(all(test(element, bound) for test, bound in wanted) for element in single):
        return False
    if any(test(element, bound) for test, bound in refused for element in single):
        return False
    if "exists" in operators and bool(found) != operators["exists"]:
        return False
    return "contains" not in operators or contains(found, operators["contains"])
