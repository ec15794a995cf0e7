"""Types of form fields: from what a browser sends to the value that a record carries."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, get_args

from streams.collector.forms.form_schema import FieldType, FormField
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

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")

Reader: TypeAlias = Callable[[FormField, str], Any]


def field_value(field: FormField, values: Sequence[str]) -> Any:
    """What the values sent under one name mean; None where nothing was filled in.

    Raises `ValueError` with what was expected.
    """
    filled = [value for value in values if value.strip()]
    if field.type == "choices":
        chosen = [_choice(field, value) for value in filled]
        return list(dict.fromkeys(chosen)) or None
    if len(filled) > 1:
        raise ValueError("expected one value")
    return _READERS[field.type](field, filled[0]) if filled else None


def ticked(values: Sequence[str]) -> bool:
    """Whether a box was ticked: browsers send it with a value, or not at all. Raises `ValueError`."""
    return any(truth(value) for value in values)


def _text(field: FormField, text: str) -> str:
    return plain_text(text, field.characters_max)


def _long_text(field: FormField, text: str) -> str:
    """Of several lines, each as `plain_text` has it."""
    lines = [plain_text(line, field.characters_max) if line.strip() else "" for line in text.strip().splitlines()]
    joined = "\n".join(lines)
    if len(joined) > field.characters_max:
        raise ValueError(f"expected 1 to {field.characters_max} characters")
    return joined


def _integer(field: FormField, text: str) -> float | int:
    if not _INTEGER.fullmatch(text.strip()) or abs(int(text)) > INTEGER_MAX:
        raise ValueError("expected a whole number")
    return _within(field, int(text))


def _within(field: FormField, number: float) -> float | int:
    least = -math.inf if field.least is None else field.least
    most = math.inf if field.most is None else field.most
    if not least <= number <= most:
        bounds = [f"at least {field.least:g}"] if field.least is not None else []
        bounds += [f"at most {field.most:g}"] if field.most is not None else []
        raise ValueError(f"expected {' and '.join(bounds)}")
    return number


def _choice(field: FormField, text: str) -> str:
    if text.strip() not in field.choices:
        raise ValueError("expected one of the choices")
    return text.strip()


_READERS: dict[str, Reader] = {
    "text": _text,
    "long_text": _long_text,
    "name": _text,
    "email": lambda _field, text: email_address(text),
    "phone": lambda field, text: phone_number(text, field.country),
    "country": lambda _field, text: country_code(text),
    "number": lambda field, text: _within(field, decimal_number(text)),
    "integer": _integer,
    "boolean": lambda _field, text: truth(text),
    "date": lambda _field, text: calendar_date(text),
    "choice": _choice,
    "id": lambda _field, text: known_contact(text),
}
"""Type → reader. A new type is one function and one line here."""
assert {*_READERS, "choices"} == set(get_args(FieldType))
