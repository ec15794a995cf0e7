"""Local dates and hours, from the pinned time zone database and never from the machine's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib import resources
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=64)
def load_zone(name: str) -> tzinfo:
    """The time zone `name`. Raises `ValueError` with what was expected."""
    *folders, file = name.split("/")
    package = ".".join(["tzdata.zoneinfo", *folders])
    expected = f"expected the name of a time zone, like Europe/Paris, not {name}"
    if not all(part.replace("_", "a").replace("-", "a").replace("+", "a").isalnum() for part in [*folders, file]):
        raise ValueError(expected)
    try:
        with resources.files(package).joinpath(file).open("rb") as stream:
            return ZoneInfo.from_file(stream, key=name)
    except (ModuleNotFoundError, FileNotFoundError, IsADirectoryError, ValueError):
        raise ValueError(expected) from None


def local(instant_ms: int, zone: tzinfo) -> datetime:
    """The local time of an instant."""
    return (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone)


def first_instant(day: date, zone: tzinfo) -> int:
    """The first instant, in ms, at which the local date is `day` or later."""
    # Midnight may come twice or not at all: the answer lies within a day and a half of UTC's midnight.
    low = (day.toordinal() - _EPOCH.toordinal()) * 86_400_000 - 36 * 3_600_000
    high = low + 72 * 3_600_000
    while low < high:
        middle = (low + high) // 2
        if local(middle, zone).date() < day:
            low = middle + 1
        else:
            high = middle
    return low


def _zone(value: object) -> tzinfo:
    if isinstance(value, str):
        return load_zone(value)
    raise ValueError("expected the name of a time zone, like Europe/Paris")


Zone = Annotated[tzinfo, BeforeValidator(_zone), WithJsonSchema({"type": "string"})]
"""The name of a time zone outside, the zone inside."""
