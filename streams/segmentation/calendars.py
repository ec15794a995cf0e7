"""Local dates and hours, from the pinned time zone database and never from the machine's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib import resources
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema

from streams.segmentation.names import nearest
from streams.segmentation.refusals import wrong

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """All time zones that are known."""
    return tuple(sorted(resources.files("tzdata").joinpath("zones").read_text().split()))


@lru_cache(maxsize=64)
def load_zone(name: str) -> tzinfo:
    """The time zone `name`. Raises `ValueError` with what was expected."""
    if name not in zone_names():
        raise wrong("expected the name of a time zone, like Europe/Paris", _zone_like(name))
    *folders, file = name.split("/")
    with resources.files(".".join(["tzdata.zoneinfo", *folders])).joinpath(file).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


def _zone_like(name: str) -> str:
    """The zone that a city or a misspelt name stands for, or ""."""
    city = name.strip().replace(" ", "_").lower()
    of_city = [zone for zone in zone_names() if "/" in zone and zone.rpartition("/")[2].lower() == city]
    return of_city[0] if of_city else nearest(name, zone_names())


def local(instant_ms: int, zone: tzinfo) -> datetime:
    """The local time of an instant."""
    return (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone)


def local_date(instant_ms: int, zone: tzinfo) -> date | None:
    """The local date of an instant; None where it lies outside of the calendar, in no year from 1 to 9999."""
    try:
        return local(instant_ms, zone).date()
    except OverflowError:
        return None


def later(day: date, length: timedelta) -> date:
    """A date so much later; the last of all dates where there is none."""
    return day + length if length < date.max - day else date.max


def first_instant(day: date, zone: tzinfo) -> int:
    """The first instant, in ms, at which the local date is `day` or later."""
    # Midnight may come twice or not at all: the answer lies within a day and a half of UTC's midnight.
    low = (day.toordinal() - _EPOCH.toordinal()) * 86_400_000 - 36 * 3_600_000
    high = low + 72 * 3_600_000
    while low < high:
        middle = (low + high) // 2
        there = local_date(middle, zone)
        if there is not None and there < day:
            low = middle + 1
        else:
            high = middle  # at or after the day; there is no date where the last of all days is over
    return low


def _zone(value: object) -> tzinfo:
    if isinstance(value, str):
        return load_zone(value)
    raise wrong("expected the name of a time zone, like Europe/Paris")


Zone = Annotated[tzinfo, BeforeValidator(_zone), WithJsonSchema({"type": "string", "enum": list(zone_names())})]
"""The name of a time zone outside, the zone inside."""
