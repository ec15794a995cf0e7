"""Durations as people write them: `90s`, `15m`, `48h`, `7d`, `2w`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from streams.segmentation.refusals import wrong

UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
MAX_DAYS = 3650
MAX_HORIZON_DAYS = 30
_DURATION = re.compile(r"([1-9][0-9]*)([smhdw])")
_SLIP = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([A-Za-z]+)\s*")
_DAY = UNITS_MS["d"]
_WORDS = {
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "w": "w wk wks week weeks",
}
_UNIT_OF_WORD = {word: unit for unit, words in _WORDS.items() for word in words.split()}
_DAYS_OF_WORD = {"mo": 30, "month": 30, "months": 30, "y": 365, "yr": 365, "year": 365, "years": 365}
_EXPECTED = "expected a duration: a positive whole number and one unit of s, m, h, d, w, like 7d"


def parse_duration(value: object, most_days: int = MAX_DAYS) -> int:
    """Milliseconds of `90s`, `15m`, `48h`, `7d` or `2w`. Raises `ValueError` with what was expected."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        zero = (isinstance(value, str) and re.fullmatch(r"0+\s*[A-Za-z]*", value)) or value == 0
        raise wrong(_EXPECTED + ("; a window of 0 holds nothing" if zero else ""), _meant(value, most_days))
    if len(match[1]) > 12 or (duration := int(match[1]) * UNITS_MS[match[2]]) > most_days * _DAY:
        raise wrong(f"expected a duration of at most {most_days}d")
    return duration


def _meant(value: object, most_days: int) -> str:
    """The duration that `7 days`, `7D` or `1.5h` stands for, or ""."""
    match = _SLIP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return ""
    word = match[2].lower()
    if word in _DAYS_OF_WORD:
        unit, duration = "d", Fraction(match[1]) * _DAYS_OF_WORD[word] * _DAY
    elif word in _UNIT_OF_WORD:
        unit = _UNIT_OF_WORD[word]
        duration = Fraction(match[1]) * UNITS_MS[unit]
    else:
        return ""
    for each in (unit, *reversed(UNITS_MS)):
        count = duration / UNITS_MS[each]
        if count.denominator == 1 and 0 < duration <= most_days * _DAY:
            return f"{count}{each}"
    return ""


def up_to(most: int) -> str:
    """A regular expression for the whole numbers from 1 to `most`, written without leading zeros."""
    digits = str(most)
    shorter = f"[1-9][0-9]{{0,{len(digits) - 2}}}" if len(digits) > 1 else ""
    parts = [shorter] if shorter else []
    for place, digit in enumerate(digits):
        low = 0 if place else 1
        if int(digit) > low:
            rest = len(digits) - place - 1
            parts.append(f"{digits[:place]}[{low}-{int(digit) - 1}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    return "|".join([*parts, digits])


def duration_pattern(most_days: int) -> str:
    """A regular expression for the durations of at most so many days."""
    return "^(" + "|".join(f"({up_to(most_days * _DAY // ms)}){unit}" for unit, ms in UNITS_MS.items()) + ")$"


def duration_schema(most_days: int) -> dict[str, Any]:
    """The JSON Schema of a duration of at most so many days."""
    return {"type": "string", "pattern": duration_pattern(most_days)}


def _horizon(value: object) -> int:
    return parse_duration(value, MAX_HORIZON_DAYS)


Duration = Annotated[int, BeforeValidator(parse_duration), WithJsonSchema(duration_schema(MAX_DAYS))]
"""Text outside, milliseconds inside."""
Horizon = Annotated[int, BeforeValidator(_horizon), WithJsonSchema(duration_schema(MAX_HORIZON_DAYS))]
"""As `Duration`, for how long ids of records are remembered."""
