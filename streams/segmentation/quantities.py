"""Numbers, names and plain values of the definition file, as types that check themselves."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from schemas.event_names import STANDARD_NAMES
from schemas.expectations import EVENT_NAME_PATTERN
from streams.segmentation.durations import Duration, parse_duration
from streams.segmentation.names import snake_case
from streams.segmentation.refusals import wrong

__all__ = [
    "EVENT_SCHEMA", "MAX_MAGNITUDE", "MILLI", "NANO", "NEVER", "NUMBER_SCHEMA", "Bound", "Duration", "Event", "Ordinal",
    "Points", "Scalar", "check_number", "is_number", "nano", "number_in", "parse_duration", "plainly", "rounded",
]  # fmt: skip

NEVER = 1 << 62
"""An instant after all others: nothing flips by time alone."""

NANO = 10**9
MILLI = 1000
MAX_MAGNITUDE = 10**15
"""A number beyond this is not taken as numeric."""


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


def check_number(value: object, expected: str) -> None:
    """Raises `ValueError` with what was expected where `value` is no number in range."""
    if nano(value) is None:
        raise wrong(f"{expected}, from -1e15 to 1e15" if is_number(value) else expected, number_in(value))


def plainly(number: Fraction | float) -> int | float:
    """The number as people write it: whole where it is whole."""
    return int(number) if number == int(number) else float(number)


def number_in(value: object) -> str:
    """The number that stands in a text, as it may have been meant; "" if none does."""
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) < 20 and re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text) else ""


def _points(value: object) -> int:
    check_number(value, "expected a number, like 5 or 2.5")
    return nano(value) or 0


def _milli(value: object) -> int:
    expected = "expected a number with at most 3 decimals, like 70 or 0.5"
    check_number(value, expected)
    counted, rest = divmod(nano(value) or 0, NANO // MILLI)
    if rest:
        raise wrong(expected, f"{rounded(nano(value) or 0, NANO // MILLI) / 1000:g}")
    return counted


def is_number(value: object) -> bool:
    """Booleans are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(value: object) -> Any:
    if isinstance(value, str | bool) or is_number(value):
        return value
    raise wrong("expected a text, a number, true or false")


def _ordinal(value: object) -> Any:
    if isinstance(value, str) or is_number(value):
        return value
    raise wrong("expected a number, or a text such as a date")


def _event(value: object) -> str:
    if isinstance(value, str) and _EVENT.fullmatch(value):
        return value
    near = snake_case(value) if isinstance(value, str) else ""
    near = STANDARD_NAMES.get(near, near)
    raise wrong(
        "expected the name of an event: at most 64 small letters, digits and _, a letter first, like email_open",
        near if _EVENT.fullmatch(near) else "",
    )


_EVENT = re.compile(EVENT_NAME_PATTERN)
NUMBER_SCHEMA = WithJsonSchema({"type": "number", "minimum": -MAX_MAGNITUDE, "maximum": MAX_MAGNITUDE})
Points = Annotated[int, BeforeValidator(_points), NUMBER_SCHEMA]
"""A number outside, a count of 1e-9 inside."""
Bound = Annotated[int, BeforeValidator(_milli), NUMBER_SCHEMA]
"""A number with at most 3 decimals outside, thousandths inside."""
Scalar = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Ordinal = Annotated[Any, BeforeValidator(_ordinal), WithJsonSchema({"type": ["string", "number"]})]
EVENT_SCHEMA: dict[str, Any] = {"type": "string", "pattern": EVENT_NAME_PATTERN}
Event = Annotated[str, BeforeValidator(_event), WithJsonSchema(EVENT_SCHEMA)]
