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
}
"""Operators that hold if one element satisfies them; `ne` and `exists` look at all elements at once."""


class Operators(Spec):
    """The operators of a filter; all that are given must hold."""

    eq: Scalar | None = None
    ne: Scalar | None = None
    in_: list[Scalar] | None = Field(default=None, alias="in", min_length=1)
    gt: Ordinal | None = None
    gte: Ordinal | None = None
    lt: Ordinal | None = None
    lte: Ordinal | None = None
    exists: bool | None = None

    @model_validator(mode="after")
    def _some(self) -> Operators:
        if not any(getattr(self, name) is not None for name in Operators.model_fields):
            raise ValueError("expected at least one operator: eq, ne, in, gt, gte, lt, lte, exists (null is missing)")
        return self


def _found(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    """What lies under the path: every element where it meets lists; nothing where it breaks off or is null."""
    if isinstance(value, list):
        for element in value:
            yield from _found(element, steps)
    elif not steps:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        yield from _found(value.get(steps[0]), steps[1:])


def _exists(value: Any, steps: tuple[str, ...]) -> bool:
    """Whether the path ends in something; a list that it ends in is something, even an empty one."""
    if not steps:
        return value is not None
    if isinstance(value, list):
        return any(_exists(element, steps) for element in value)
    return isinstance(value, dict) and _exists(value.get(steps[0]), steps[1:])


class Predicate:
    """Compiled operators over a dotted path."""

    __slots__ = ("_any_of", "_exists", "_none_of", "_steps")

    def __init__(self, path: str, operators: Operators) -> None:
        self._steps = tuple(path.split("."))
        self._exists = operators.exists
        self._none_of = [] if operators.ne is None else [operators.ne]
        given = {name.rstrip("_"): getattr(operators, name) for name in Operators.model_fields}
        self._any_of = [(test, given[name]) for name, test in OPERATORS.items() if given[name] is not None]

    def holds(self, root: Mapping[str, Any]) -> bool:
        """Whether every operator holds of what lies under the path in `root`."""
        steps = self._steps
        top = root.get(steps[0])
        if self._exists is not None and _exists(top, steps[1:]) != self._exists:
            return False
        if not self._any_of and not self._none_of:
            return True
        found = list(_found(top, steps[1:]))
        if any(equal(value, bound) for bound in self._none_of for value in found):
            return False
        return not self._any_of or any(all(test(value, bound) for test, bound in self._any_of) for value in found)
