"""From one cell of a file to the value that a record carries, by its kind.

Cells of CSV are texts; those of JSON lines and Parquet may also be numbers, booleans, times and lists. Each function
raises `ValueError` that says what was expected.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, get_args

from schemas.instants import format_instant, parse_any_instant
from streams.importing.mapping import ConsentColumn, ContactColumn, InstantColumn, Kind, TraitColumn
from streams.normalising import (
    INTEGER_MAX,
    calendar_date,
    country_code,
    decimal_number,
    email_address,
    known_contact,
    phone_number,
    plain_text,
    truth,
)
from streams.segmentation.calendars import load_zone

TEXT_CHARACTERS_MAX = 8_192
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_country = lru_cache(maxsize=4_096)(country_code)  # of names it takes a millisecond


class Cell(NamedTuple):
    """A cell that is not empty, with what it takes to read it."""

    spec: TraitColumn
    value: Any
    row: Mapping[str, Any]
    country: str | None
    """Where phone numbers are from by the mapping as a whole."""


Reader: TypeAlias = Callable[[Cell], Any]


def is_empty(value: object) -> bool:
    """Whether a cell says nothing: null, or text of spaces alone."""
    return value is None or (isinstance(value, str) and not value.strip())


def trait_value(spec: TraitColumn, row: Mapping[str, Any], country: str | None) -> Any:
    """What a trait's cell says; None where it is empty."""
    value = row.get(spec.column)
    return None if is_empty(value) else _READERS[spec.kind](Cell(spec, value, row, country))


def contact_id(spec: ContactColumn, row: Mapping[str, Any]) -> str:
    """Who a row is about, spelt as forms and calls spell it."""
    value = row.get(spec.column)
    if is_empty(value):
        raise ValueError("expected the contact that it is about, and it is empty")
    text = as_text(value).strip()
    if spec.kind == "email":
        text = email_address(text)
    return known_contact(text)


def instant_ms(spec: InstantColumn, row: Mapping[str, Any]) -> int | None:
    """The instant in a cell; None where it is empty."""
    value = row.get(spec.column)
    if is_empty(value):
        return None
    if isinstance(value, datetime.datetime):
        return _milliseconds(value, spec.zone)
    text = as_text(value).strip()
    if spec.format is not None:
        return _milliseconds(_by_format(text, spec.format), spec.zone)
    try:
        return parse_any_instant(text)
    except ValueError:
        if spec.zone is None:
            raise
    try:
        return _milliseconds(datetime.datetime.fromisoformat(text), spec.zone)
    except ValueError:
        raise ValueError("expected a time like 2026-11-21 10:00:00 or 2026-11-21T10:00:00Z") from None


def decisions(spec: ConsentColumn, row: Mapping[str, Any]) -> dict[str, bool]:
    """What was decided, by purpose; nothing where the cell is empty."""
    value = row.get(spec.column)
    if is_empty(value):
        return {}
    if spec.purpose is not None:
        return {spec.purpose: value if isinstance(value, bool) else truth(as_text(value))}
    names = [as_text(each) for each in value] if isinstance(value, list) else as_text(value).split(spec.separator)
    return {plain_text(name, 128): True for name in names if name.strip()}


def as_text(value: object) -> str:
    """A cell as text. A whole number has no fraction, whatever type a column of numbers has."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal) and math.isfinite(value) and value % 1 == 0:
        return str(int(value))
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, datetime.date):  # a datetime is one too
        return value.isoformat()
    raise ValueError("expected a text, a number, true or false, or a time")


def _milliseconds(moment: datetime.datetime, zone: str | None) -> int:
    if moment.tzinfo is None:
        if zone is None:
            raise ValueError("expected a time with its zone, or `zone` in the mapping")
        moment = moment.replace(tzinfo=load_zone(zone))
    try:
        return (moment - _EPOCH) // _MILLISECOND
    except OverflowError:
        raise ValueError("expected a time in the years 1 to 9999") from None


def _by_format(text: str, pattern: str) -> datetime.datetime:
    try:
        return datetime.datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is the mapping's, see _milliseconds
    except ValueError:
        raise ValueError(f"expected a time written {pattern}") from None


def _number(cell: Cell) -> float | int:
    value = cell.value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError("expected a number that is finite")
        whole = value % 1 == 0 and -INTEGER_MAX <= value <= INTEGER_MAX
        return int(value) if whole else float(value)
    text = as_text(value)
    if cell.spec.decimal == ",":
        if "." in text:
            raise ValueError("expected a number like 12,5")
        text = text.replace(",", ".")
    return decimal_number(text)


def _phone(cell: Cell) -> str:
    country = cell.spec.country or cell.country
    if cell.spec.country_column is not None:
        said = cell.row.get(cell.spec.country_column)
        if not is_empty(said):
            try:
                country = _country(as_text(said))
            except ValueError as error:
                raise ValueError(f"{cell.spec.country_column}: {error}") from None
    text = as_text(cell.value)
    # Where a column of numbers lost the plus, the number cannot be told from one of the country.
    return phone_number(text, country)


def _boolean(cell: Cell) -> bool:
    return cell.value if isinstance(cell.value, bool) else truth(as_text(cell.value))


def _instant(cell: Cell) -> str:
    found = instant_ms(cell.spec, cell.row)
    assert found is not None, "an empty cell is not read"
    return format_instant(found)


def _date(cell: Cell) -> str:
    if isinstance(cell.value, datetime.datetime):
        return cell.value.date().isoformat()
    text = as_text(cell.value)
    if cell.spec.format is not None:
        return _by_format(text.strip(), cell.spec.format).date().isoformat()
    return calendar_date(text)


_READERS: Mapping[str, Reader] = {
    "text": lambda cell: plain_text(as_text(cell.value), TEXT_CHARACTERS_MAX),
    "name": lambda cell: plain_text(as_text(cell.value)),
    "email": lambda cell: email_address(as_text(cell.value)),
    "phone": _phone,
    "country": lambda cell: _country(as_text(cell.value)),
    "number": _number,
    "boolean": _boolean,
    "instant": _instant,
    "date": _date,
}
"""Kind → reader. A new kind is one function, one line here and one in `Kind`."""
assert set(_READERS) == set(get_args(Kind))
