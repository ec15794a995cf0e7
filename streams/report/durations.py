"""Durations as people say them, and the steps by which stays are told apart."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from streams.report.figures import Bar

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
_UNITS = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s"), (1, "ms"))
_STEPS = (
    ("1 m", MINUTE_MS),
    ("10 m", 10 * MINUTE_MS),
    ("1 h", HOUR_MS),
    ("6 h", 6 * HOUR_MS),
    ("1 d", DAY_MS),
    ("3 d", 3 * DAY_MS),
    ("7 d", 7 * DAY_MS),
    ("30 d", 30 * DAY_MS),
    ("90 d", 90 * DAY_MS),
    ("365 d", 365 * DAY_MS),
)
_BOUNDS_MS = [bound_ms for _, bound_ms in _STEPS]


def duration_text(duration_ms: int | None) -> str:
    """The two largest units of a duration, rest cut off: `3 d 4 h`, `45 m`, `0 ms`; a dash for None."""
    if duration_ms is None:
        return "–"
    place = next((place for place, (unit_ms, _) in enumerate(_UNITS) if duration_ms >= unit_ms), len(_UNITS) - 1)
    unit_ms, name = _UNITS[place]
    parts = [f"{duration_ms // unit_ms} {name}"]
    for lesser_ms, lesser in _UNITS[place + 1 : place + 2]:
        if duration_ms % unit_ms >= lesser_ms:
            parts.append(f"{duration_ms % unit_ms // lesser_ms} {lesser}")
    return " ".join(parts)


def stay_bars(stays_ms: Iterable[int]) -> tuple[Bar, ...]:
    """How many stays lie between one step and the next, from the first step that any has to the last."""
    counts = [0] * (len(_STEPS) + 1)
    for stay_ms in stays_ms:
        counts[bisect_right(_BOUNDS_MS, stay_ms)] += 1
    used = [place for place, count in enumerate(counts) if count]
    if not used:
        return ()
    return tuple(Bar(_label(place), counts[place]) for place in range(used[0], used[-1] + 1))


def _label(place: int) -> str:
    if place == 0:
        return f"under {_STEPS[0][0]}"
    if place == len(_STEPS):
        return f"{_STEPS[-1][0]} and more"
    return f"{_STEPS[place - 1][0]} to {_STEPS[place][0]}"
