"""Times of a scenario: RFC 3339, or so long after its start, each with a little more or less: `+7d-1ms`."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

from pydantic import PlainValidator

from schemas.instants import format_instant, in_range, parse_instant
from streams.segmentation.refusals import wrong

_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_SHIFT = r"(?:[+-](?:[0-9]{1,12}(?:ms|[wdhms]))+)"
_MOMENT = re.compile(rf"(?P<anchor>start|[0-9]{{4}}-.*?(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}}))?(?P<shifts>{_SHIFT}*)")
_RUN = re.compile(r"([+-])((?:[0-9]+(?:ms|[wdhms]))+)")
_TERM = re.compile(r"([0-9]+)(ms|[wdhms])")
_JUST_SHORT_MS = 10
_EXPECTED = "expected a time like 2026-03-02T09:00:00Z, or one after the start, like +1d2h or +7d-1ms"


class Moment(NamedTuple):
    """A time as a scenario has it."""

    anchor_ms: int | None
    """The instant that it counts from; None stands for the start of the scenario."""
    shift_ms: int

    def resolve(self, start_ms: int | None) -> int:
        """The instant in milliseconds since the epoch. Raises `ValueError` with what was expected."""
        anchor_ms = self.anchor_ms if self.anchor_ms is not None else start_ms
        if anchor_ms is None:
            raise ValueError("expected a `start` in the scenario or at the top of the file for this time to count from")
        return in_range(anchor_ms + self.shift_ms)


def parse_moment(value: object) -> Moment:
    """A time in text; 0 is the start. Raises `ValueError` with what was expected."""
    if value == 0 and not isinstance(value, bool | float):
        return Moment(None, 0)
    match = _MOMENT.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(_EXPECTED)
    anchor = match["anchor"]
    shift_ms = sum(
        (-1 if sign == "-" else 1) * int(number) * _UNITS_MS[unit]
        for sign, terms in _RUN.findall(match["shifts"])
        for number, unit in _TERM.findall(terms)
    )
    if anchor is None or anchor == "start":
        return Moment(None, shift_ms)
    return Moment(parse_instant(anchor), shift_ms)


def _moment(value: Any) -> Moment:
    try:
        return parse_moment(value)
    except ValueError as error:
        raise wrong(str(error), _meant(value)) from None


def _meant(value: Any) -> str:
    """The time that may have been meant where a sign or a zone is missing."""
    for meant in (f"+{value}", f"{value}Z", f"{value}T00:00:00Z"):
        if _is_moment(meant):
            return meant
    return ""


def _is_moment(text: str) -> bool:
    try:
        parse_moment(text)
    except ValueError:
        return False
    return True


MomentField = Annotated[Moment, PlainValidator(_moment)]
"""Text outside, a `Moment` inside."""


def span_text(span_ms: int) -> str:
    """A length of time as people write it: `1d2h`, `44s375ms`, and `7d-1ms` for what is just short of something."""
    short_ms = -span_ms % 1000
    if 0 < short_ms <= _JUST_SHORT_MS and span_ms > 1000:
        return f"{_plain(span_ms + short_ms)}-{short_ms}ms"
    return _plain(span_ms) or "0ms"


def _plain(span_ms: int) -> str:
    text = ""
    for unit in ("d", "h", "m", "s", "ms"):
        count, span_ms = divmod(span_ms, _UNITS_MS[unit])
        text += f"{count}{unit}" if count else ""
    return text


class Calendar:
    """Writes instants for people: RFC 3339, and how long after the start of the scenario."""

    def __init__(self, start_ms: int | None) -> None:
        self._start_ms = start_ms

    def text(self, instant_ms: int) -> str:
        """`2026-03-02T10:00:00.000Z (+1h)`; without a start, the instant alone."""
        after = self.after_start(instant_ms)
        return f"{format_instant(instant_ms)} ({after})" if after else format_instant(instant_ms)

    def after_start(self, instant_ms: int) -> str:
        """`+1h`, as it may stand in a scenario; empty without a start."""
        if self._start_ms is None:
            return ""
        if instant_ms < self._start_ms:
            return f"-{_plain(self._start_ms - instant_ms)}"
        return "start" if instant_ms == self._start_ms else f"+{span_text(instant_ms - self._start_ms)}"
