"""The conditions on traits, and on the dates and instants that traits name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.filters import elements, ends, satisfies
from tests.oracle.notation import duration_ms, instant_ms
from tests.oracle.view import View, leaf

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)


def moment_of(value: Any) -> int | None:
    """The instant that a trait's value names: an RFC 3339 time, or a date's midnight in UTC."""
    if not isinstance(value, str) or _DATE.match(value) is None:
        return None
    if len(value) > len("2026-11-21") and _TIME.fullmatch(value[10:]) is None:
        return None
    try:
        return instant_ms(value if len(value) > len("2026-11-21") else f"{value}T00:00:00Z")
    except ValueError:  # a date that does not exist
        return None


_TIME_OPERATORS = ("older_than", "newer_than", "within_next")


def _trait_values(of: dict[str, Any], view: View) -> list[Any]:
    name, *rest = (of["name"] if "name" in of else of["trait"]).split(".")
    return elements(ends(view.history.trait(name), rest))


def _trait_looks(of: dict[str, Any], view: View) -> Iterator[int]:
    widths = [duration_ms(of[name]) for name in _TIME_OPERATORS if name in of]
    for value in _trait_values(of, view) if widths else []:
        moment = moment_of(value)
        if moment is not None:
            yield moment
            yield from (moment + sign * width for width in widths for sign in (1, -1))


def _in_time(of: dict[str, Any], moment: int | None, now: int) -> bool:
    if moment is None:
        return False
    tests = {
        "older_than": lambda width: now >= moment + width,
        "newer_than": lambda width: now < moment + width,
        "within_next": lambda width: moment - width <= now < moment,
    }
    return all(tests[name](duration_ms(of[name])) for name in _TIME_OPERATORS if name in of)


@leaf("trait", _trait_looks)
def trait(of: dict[str, Any], view: View) -> bool:
    """The trait satisfies every operator."""
    if any(name in of for name in _TIME_OPERATORS) and not any(
        _in_time(of, moment_of(value), view.now) for value in _trait_values(of, view)
    ):
        return False
    name = of["name"].split(".")[0]
    operators = {key: bound for key, bound in of.items() if key != "name" and key not in _TIME_OPERATORS}
    return satisfies({name: view.history.trait(name)}, of["name"], operators)


# Dates


def _zone(of: dict[str, Any], view: View) -> ZoneInfo:
    return ZoneInfo(of.get("zone", view.file.get("zone", "UTC")))


def _local_date(instant: int, zone: ZoneInfo) -> date | None:
    """The date there; None outside of the calendar, which ends with the years 1 and 9999."""
    try:
        return datetime.fromtimestamp(instant // 1000, UTC).astimezone(zone).date()
    except (ValueError, OverflowError):
        return None


def _today(view: View, zone: ZoneInfo) -> date:
    today = _local_date(view.now, zone)
    assert today is not None, "clocks lie between 1970 and 2199"
    return today


def _first_instant(day: date, zone: ZoneInfo) -> int:
    """The first millisecond of a local date: offsets are looked for from the day before on, by halving."""
    middle = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    before, after = middle - 2 * 86_400_000, middle + 2 * 86_400_000
    while after - before > 1:
        between = (before + after) // 2
        date_there = _local_date(between, zone)  # None past the last of all days
        before, after = (before, between) if date_there is None or date_there >= day else (between, after)
    return after


def _born(of: dict[str, Any], view: View, zone: ZoneInfo) -> list[date]:
    found = [
        date.fromisoformat(value) if len(value) == len("2026-11-21") else _local_date(moment, zone)
        for value in _trait_values(of, view)
        if (moment := moment_of(value)) is not None
    ]
    return [day for day in found if day is not None]


def _shifted(day: date, days: int) -> date:
    """Some days later; the calendar ends with the years 1 and 9999."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))


def _is_anniversary(day: date, born: date) -> bool:
    if day < born:
        return False
    leapling = (born.month, born.day) == (2, 29)
    kept_early = leapling and _shifted(day, 1).day == 1 and day.day == 28
    return (day.month, day.day) == (born.month, born.day) or (kept_early and day.month == 2)


def _kept_in(born: date, year: int) -> date:
    """About the day on which it is kept in that year."""
    return date(year, born.month, min(born.day, 28))


def _anniversary_on(of: dict[str, Any], day: date, born: date) -> bool:
    begins = [day.toordinal() - passed + of.get("days_before", 0) for passed in range(of.get("days", 1))]
    return any(_is_anniversary(date.fromordinal(kept), born) for kept in begins if 1 <= kept <= date.max.toordinal())


def _anniversary_looks(of: dict[str, Any], view: View) -> Iterable[int]:
    zone = _zone(of, view)
    today = _today(view, zone)
    for born in _born(of, view, zone):
        flips = [
            day
            for year in [*range(today.year - 2, min(today.year + 10, date.max.year + 1)), max(today.year, born.year)]
            for shift in range(-1, 4)
            for begins in [_shifted(_kept_in(born, year), shift - of.get("days_before", 0))]
            for day in (begins, _shifted(begins, of.get("days", 1)))
            if day > today and _anniversary_on(of, day, born) != _anniversary_on(of, _shifted(day, -1), born)
        ]
        if flips:
            yield _first_instant(min(flips), zone)


@leaf("anniversary", _anniversary_looks)
def anniversary(of: dict[str, Any], view: View) -> bool:
    """The local date is one of the days around an anniversary."""
    zone = _zone(of, view)
    return any(_anniversary_on(of, _today(view, zone), born) for born in _born(of, view, zone))


@leaf("known_for", lambda of, view: [view.history.known_since + duration_ms(of)])
def known_for(of: str, view: View) -> bool:
    """The first record came in long enough ago."""
    return view.history.known_since + duration_ms(of) <= view.now
