"""Instants: integers of milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339.

Records carry instants as text, all code carries them as `int`.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

DAY_MS = 86_400_000
MIN_INSTANT_MS = 0
"""1970-01-01T00:00:00Z."""
MAX_INSTANT_MS = 7_258_118_400_000 - 1
"""The last millisecond of the year 2199."""
LAST_INSTANT_MS = 253_402_300_800_000 - 1
"""The last millisecond of the year 9999: no later one can be written."""

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=4096)
def _day_ms(text: str) -> int:
    return (date.fromisoformat(text).toordinal() - _EPOCH_DAY) * DAY_MS


@lru_cache(maxsize=4096)
def _minute_ms(text: str) -> int:
    """Milliseconds up to a minute written `2026-11-21T10:00:`, the common form, in UTC."""
    return in_range(parse_any_instant(f"{text}00Z"))


_SECONDS_MS = {f"{second:02d}": second * 1000 for second in range(60)}
_MILLIS = {f"{milli:03d}": milli for milli in range(1000)}


def parse_instant(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time with seconds and a zone.

    Fractions of a millisecond are cut off, not rounded. Raises `ValueError` with what was expected when
    `text` is not such a time, or lies outside the years 1970 to 2199 (UTC).
    """
    if len(text) == 24 and text[23] == "Z" and text[19] == ".":  # 2026-11-21T10:00:00.123Z
        second_ms, milli = _SECONDS_MS.get(text[17:19]), _MILLIS.get(text[20:23])
        if second_ms is not None and milli is not None:
            return _minute_ms(text[:17]) + second_ms + milli
    return in_range(parse_any_instant(text))


def in_range(instant_ms: int) -> int:
    """The instant, if a record may say it: from 1970 to 2199. Raises `ValueError` with what was expected."""
    if not MIN_INSTANT_MS <= instant_ms <= MAX_INSTANT_MS:
        raise ValueError("expected a time from 1970 to 2199")
    return instant_ms


def parse_any_instant(text: str) -> int:
    """As `parse_instant`, for the years 0001 to 9999: a birthday may lie before 1970."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("expected an RFC 3339 time with seconds and a zone, like 2026-11-21T10:00:00.123Z")
    day, hour_text, minute_text, second_text, fraction, sign, zone_hour, zone_minute = match.groups()
    hour, minute, second = int(hour_text), int(minute_text), int(second_text)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("expected a time of day between 00:00:00 and 23:59:59")
    try:
        instant = _day_ms(day) + hour * 3_600_000 + minute * 60_000 + second * 1000
    except ValueError:
        raise ValueError(f"expected a date that exists, not {day}") from None
    if fraction:
        instant += int(fraction[:3].ljust(3, "0"))
    if sign:
        if int(zone_hour) > 23 or int(zone_minute) > 59:
            raise ValueError("expected a zone between -23:59 and +23:59")
        offset = int(zone_hour) * 3_600_000 + int(zone_minute) * 60_000
        instant += offset if sign == "-" else -offset
    return instant


@lru_cache(maxsize=16_384)
def _day_text(day: int) -> str:
    return f"{date.fromordinal(_EPOCH_DAY + day).isoformat()}T"


_MINUTE_TEXTS = tuple(f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECOND_TEXTS = tuple(f"{second:02d}." for second in range(60))
_MILLI_TEXTS = tuple(f"{milli:03d}Z" for milli in range(1000))


def format_instant(instant_ms: int) -> str:
    """RFC 3339 in UTC with three decimals: `2026-11-21T10:00:00.000Z`, for the years 0001 to 9999."""
    second, milli = divmod(instant_ms, 1000)
    day, second = divmod(second, 86_400)
    return _day_text(day) + _MINUTE_TEXTS[second // 60] + _SECOND_TEXTS[second % 60] + _MILLI_TEXTS[milli]
