"""Durations and numbers of the definition file, as types that check themselves."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from schemas.records import EVENT_NAME_PATTERN

NEVER = 1 << 62
"""An instant after all others: nothing flips by time alone."""

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MAX_DURATION_MS = 3650 * _UNITS_MS["d"]
_DURATION = re.compile(r"([1-9][0-9]*)([smhdw])")
NANO = 10**9
MILLI = 1000
MAX_MAGNITUDE = 10**15
"""A number beyond this is not taken as numeric."""


def parse_duration(value: object) -> int:
    """Milliseconds of `90s`, `15m`, `48h`, `7d` or `2w`. Raises `ValueError` with what was expected."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a duration: a positive whole number and one unit of s, m, h, d, w, like 7d")
    if len(match[1]) > 12 or (duration := int(match[1]) * _UNITS_MS[match[2]]) > _MAX_DURATION_MS:
        raise ValueError("expected a duration of at most 3650d")
    return duration


def nano(value: object) -> int | None:
    """A number as a whole count of 1e-9, rounded half to even; None if it is no number in range.

    Sums of such counts are exact, so no order of arrival can show in them.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE:
        return None
    if isinstance(value, int):
        return value * NANO
    return int((Decimal(repr(value)) * NANO).to_integral_value(ROUND_HALF_EVEN))


def rounded(numerator: int, denominator: int) -> int:
    """The quotient of two whole numbers, the second positive, rounded half to even."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def _points(value: object) -> int:
    counted = nano(value)
    if counted is None:
        raise ValueError("expected a number of at most 1e15")
    return counted


def _milli(value: object) -> int:
    counted = nano(value)
    if counted is None or counted % (NANO // MILLI):
        raise ValueError("expected a number with at most 3 decimals")
    return counted // (NANO // MILLI)


def is_number(value: object) -> bool:
    """Booleans are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(value: object) -> Any:
    if isinstance(value, str | bool) or is_number(value):
        return value
    raise ValueError("expected a string, a number, true or false")


def _ordinal(value: object) -> Any:
    if isinstance(value, str) or is_number(value):
        return value
    raise ValueError("expected a number or a string")


_NUMBER_SCHEMA = WithJsonSchema({"type": "number"})
Duration = Annotated[
    int, BeforeValidator(parse_duration), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]*[smhdw]$"})
]
"""Text outside, milliseconds inside."""
Points = Annotated[int, BeforeValidator(_points), _NUMBER_SCHEMA]
"""A number outside, a count of 1e-9 inside."""
Bound = Annotated[int, BeforeValidator(_milli), _NUMBER_SCHEMA]
"""A number with at most 3 decimals outside, thousandths inside."""
Scalar = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Ordinal = Annotated[Any, BeforeValidator(_ordinal), WithJsonSchema({"type": ["string", "number"]})]
Event = Annotated[str, StringConstraints(pattern=EVENT_NAME_PATTERN)]
