"""Typed comparison: what a filter or a trait condition says of a value found under a dotted path.

A new operator is one line in `OPERATORS` and one field of `Operators`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import Field, model_validator

from streams.segmentation.problems import Spec
from streams.segmentation.quantities import Ordinal, Scalar, is_number
from streams.segmentation.regexes import Pattern, compile_pattern

Test = Callable[[Any, Any], bool]


def equal(left: Any, right: Any) -> bool:
    """Equality without conversion: 10 equals 10.0, but neither "10" nor true."""
    if is_number(left):
        return is_number(right) and bool(left == right)
    return type(left) is type(right) and bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Test:
    def test(value: Any, bound: Any) -> bool:
        if is_number(value) and is_number(bound):
            return compare(value, bound)
        return isinstance(value, str) and isinstance(bound, str) and compare(value, bound)

    return test


OPERATORS: dict[str, Test] = {
    "eq": equal,
    "in": lambda value, options: any(equal(value, option) for option in options),
    "gt": _ordered(operator.gt),
    "gte": _ordered(operator.ge),
    "lt": _ordered(operator.lt),
    "lte": _ordered(operator.le),
    "starts_with": lambda value, start: isinstance(value, str) and value.startswith(start),
}
"""Operators that hold if one element satisfies them; the others look at all elements at once."""


def _matches(value: Any, found_in: Callable[[str], bool]) -> bool:
    return isinstance(value, str) and found_in(value)


class Operators(Spec):
    """The operators of a filter; all that are given must hold."""

    eq: Scalar | None = None
    ne: Scalar | None = None
    in_: list[Scalar] | None = Field(default=None, alias="in", min_length=1)
    gt: Ordinal | None = None
    gte: Ordinal | None = None
    lt: Ordinal | None = None
    lte: Ordinal | None = None
    not_in: list[Scalar] | None = Field(default=None, min_length=1)
    contains: Scalar | None = None
    starts_with: str | None = None
    matches: Pattern | None = None
    exists: bool | None = None

    def given(self) -> bool:
        """Whether any operator stands there."""
        return any(getattr(self, name) is not None for name in Operators.model_fields)

    @model_validator(mode="after")
    def _some(self) -> Operators:
        if not self.given():
            names = ", ".join(name.rstrip("_") for name in type(self).model_fields if name not in {"name", "property"})
            raise ValueError(f"expected at least one operator: {names} (null is missing)")
        return self


def found(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    """What lies under the path: every element where it meets lists; nothing where it breaks off or is null."""
    if isinstance(value, list):
        for element in value:
            yield from found(element, steps)
    elif not steps:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        yield from found(value.get(steps[0]), steps[1:])


def _ends(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    """What the path ends in, a list whole; nothing where it breaks off or is null."""
    if not steps:
        if value is not None:
            yield value
    elif isinstance(value, list):
        for element in value:
            yield from _ends(element, steps)
    elif isinstance(value, dict):
        yield from _ends(value.get(steps[0]), steps[1:])


def _contains(value: Any, part: Any) -> bool:
    """A substring of a string, or an element of a list."""
    if isinstance(value, list):
        return any(equal(element, part) for element in value)
    return isinstance(value, str) and isinstance(part, str) and part in value


class Predicate:
    """Compiled operators over a dotted path."""

    __slots__ = ("_any_of", "_contains", "_exists", "_none_of", "_steps")

    def __init__(self, path: str, operators: Operators) -> None:
        self._steps = tuple(path.split("."))
        self._exists = operators.exists
        self._contains = operators.contains
        self._none_of = [*([] if operators.ne is None else [operators.ne]), *(operators.not_in or [])]
        given = {name.rstrip("_"): getattr(operators, name) for name in Operators.model_fields}
        self._any_of = [(test, given[name]) for name, test in OPERATORS.items() if given[name] is not None]
        if operators.matches is not None:
            self._any_of.append((_matches, compile_pattern(operators.matches)))

    def holds(self, root: Mapping[str, Any]) -> bool:
        """Whether every operator holds of what lies under the path in `root`."""
        top, steps = root.get(self._steps[0]), self._steps[1:]
        if self._exists is not None and any(True for _ in _ends(top, steps)) != self._exists:
            return False
        if self._contains is not None and not any(_contains(end, self._contains) for end in _ends(top, steps)):
            return False
        if not self._any_of and not self._none_of:
            return True
        values = list(found(top, steps))
        if any(equal(value, bound) for bound in self._none_of for value in values):
            return False
        return not self._any_of or any(all(test(value, bound) for test, bound in self._any_of) for value in values)
