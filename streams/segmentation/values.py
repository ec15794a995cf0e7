"""Typed comparison: what a filter or a trait condition says of a value found under a dotted path.

A new operator is one line in `OPERATORS` and one field of `Operators`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from streams.segmentation.comparisons import satisfiable
from streams.segmentation.problems import Spec
from streams.segmentation.quantities import Ordinal, Scalar, is_number
from streams.segmentation.refusals import keys_of, wrong
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


def _in_order(bounds: Mapping[str, Any]) -> bool:
    """Whether some number, or some text, satisfies all of `gt`, `gte`, `lt` and `lte`."""
    given = {name: bounds[name] for name in ("gt", "gte", "lt", "lte") if name in bounds}
    kinds = {isinstance(bound, str) for bound in given.values()}
    return len(kinds) < 2 and satisfiable(given)


def _matches(value: Any, found_in: Callable[[str], bool]) -> bool:
    return isinstance(value, str) and found_in(value)


class Operators(Spec):
    """The operators of a filter; all that are given must hold."""

    eq: Scalar | None = Field(default=None, description="Equal to this value.", examples=["pro"])
    ne: Scalar | None = Field(default=None, description="Not equal to this value, or missing.", examples=["free"])
    in_: Annotated[list[Scalar], Field(min_length=1)] | None = Field(
        default=None, alias="in", description="Equal to one of these values.", examples=[["pro", "team"]]
    )
    gt: Ordinal | None = Field(default=None, description="Greater than this number or text.", examples=[50])
    gte: Ordinal | None = Field(default=None, description="At least this number or text.", examples=[50])
    lt: Ordinal | None = Field(default=None, description="Less than this number or text.", examples=[50])
    lte: Ordinal | None = Field(default=None, description="At most this number or text.", examples=[50])
    not_in: Annotated[list[Scalar], Field(min_length=1)] | None = Field(
        default=None, description="Equal to none of these values, or missing.", examples=[["free", "trial"]]
    )
    contains: Scalar | None = Field(
        default=None, description="A text with this in it, or a list with this element.", examples=["shoes"]
    )
    starts_with: str | None = Field(default=None, description="A text that begins so.", examples=["/checkout"])
    matches: Pattern | None = Field(
        default=None, description="A text in which RE2 finds this pattern.", examples=["^/shoes/[0-9]+"]
    )
    exists: bool | None = Field(default=None, description="Whether there is a value at all.", examples=[True])

    def given(self) -> bool:
        """Whether any operator stands there."""
        return any(getattr(self, name) is not None for name in Operators.model_fields)

    @model_validator(mode="after")
    def _some(self) -> Operators:
        if not self.given():
            names = ", ".join(name for name in keys_of(type(self)) if name not in {"name", "property"})
            raise wrong(f"expected at least one operator, like `eq: pro`: {names}")
        if not self._can_hold():
            raise wrong("expected operators that one value can satisfy together")
        return self

    def _can_hold(self) -> bool:
        """False where no value there is satisfies all operators, or it is plain that none does."""
        single = {name: value for name in OPERATORS if (value := getattr(self, name, None)) is not None}
        if self.in_ is not None:
            single["in"] = self.in_
        if self.exists is False:
            return not single and self.contains is None and self.matches is None
        options = [self.eq] if self.eq is not None else self.in_
        if options is None:
            return _in_order(single)
        refused = [*([] if self.ne is None else [self.ne]), *(self.not_in or [])]
        return any(
            all(OPERATORS[name](option, bound) for name, bound in single.items())
            and not any(equal(option, each) for each in refused)
            for option in options
        )


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


def _identity(value: Any) -> tuple[Any, Any]:
    """What is the same of two scalars if and only if they are equal."""
    return (None if is_number(value) else type(value)), value


def _among(value: Any, identities: frozenset[tuple[Any, Any]]) -> bool:
    """Whether the value equals one of the scalars with these identities, however many they are."""
    return isinstance(value, str | bool | int | float) and _identity(value) in identities


class Predicate:
    """Compiled operators over a dotted path."""

    __slots__ = ("_any_of", "_contains", "_exists", "_none_of", "_steps")

    def __init__(self, path: str, operators: Operators) -> None:
        self._steps = tuple(path.split("."))
        self._exists = operators.exists
        self._contains = operators.contains
        none_of = [*([] if operators.ne is None else [operators.ne]), *(operators.not_in or [])]
        self._none_of = frozenset(map(_identity, none_of))
        self._any_of: list[tuple[Test, Any]] = []
        if operators.in_ is not None:
            self._any_of.append((_among, frozenset(map(_identity, operators.in_))))
        for name, test in OPERATORS.items():
            if name != "in" and getattr(operators, name) is not None:
                self._any_of.append((test, getattr(operators, name)))
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
        if self._none_of and any(_among(value, self._none_of) for value in values):
            return False
        return not self._any_of or any(all(test(value, bound) for test, bound in self._any_of) for value in values)
