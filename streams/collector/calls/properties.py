"""Properties that Segue's definitions use, worked out from those that the field's SDKs send.

What was sent stays as it is; a property that is already there is not touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from streams.collector.calls.fields import JsonObject

_PLACES = Decimal("1e-9")  # to which aggregates round, too
_NUMERAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)
_LARGEST = 10**15
"""Beyond it, nothing is a number to an aggregate."""

Number: TypeAlias = int | float


class Derived(NamedTuple):
    """A property of an event, and how it is found where an SDK does not send it."""

    name: str
    sources: str  # in words, for people
    find: Callable[[Mapping[str, Any]], Number | None]


def _number(value: object) -> Number | None:
    """A number, also where an SDK sent it as text."""
    kind = type(value)  # JSON has no subclasses, and a boolean is no number
    if kind is int or kind is float:
        return value if abs(value) <= _LARGEST else None  # type: ignore[arg-type,return-value]  # narrowed by its type
    if isinstance(value, str) and _NUMERAL.fullmatch(value):
        return _plain(Decimal(value))
    return None


def _plain(number: Decimal) -> Number:
    rounded = number.quantize(_PLACES)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def _first(*names: str) -> Callable[[Mapping[str, Any]], Number | None]:
    def find(properties: Mapping[str, Any]) -> Number | None:
        for name in names:
            number = _number(properties.get(name))
            if number is not None:
                return number
        return None

    return find


def _price_times_quantity(properties: Mapping[str, Any]) -> Number | None:
    price = _number(properties.get("price"))
    sent_quantity = properties.get("quantity", 1)
    if sent_quantity == 1 and sent_quantity is not True:
        return price
    quantity = _number(sent_quantity)
    if price is None or quantity is None:
        return None
    # Not as floats: three times 0.1 is 0.3.
    value = Decimal(repr(price)) * Decimal(repr(quantity))
    return _plain(value) if abs(value) <= _LARGEST else None


_AMOUNT = Derived("amount", "`revenue`, else `total`, else `value`", _first("revenue", "total", "value"))
_VALUE = Derived("value", "`price` × `quantity` (one, where none is sent)", _price_times_quantity)

DERIVED: dict[str, Derived] = {
    "purchase": _AMOUNT,
    "order_updated": _AMOUNT,
    "order_refunded": _AMOUNT,
    "order_cancelled": _AMOUNT,
    "checkout_start": Derived("value", "`revenue`, else `total`", _first("revenue", "total")),
    "product_view": _VALUE,
    "product_clicked": _VALUE,
    "cart_add": _VALUE,
    "cart_remove": _VALUE,
}
"""Event, by its name in records → the property that is worked out for it."""


def derive(event: str, properties: JsonObject) -> JsonObject:
    """The properties of an event, with the one that is worked out for it, where what it is made of is there."""
    derived = DERIVED.get(event)
    if derived is None or properties.get(derived.name) is not None:
        return properties
    number = derived.find(properties)
    return properties if number is None else {**properties, derived.name: number}
