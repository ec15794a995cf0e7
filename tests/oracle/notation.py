"""How a definition file and a record write durations, times and numbers."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from typing import Final

EXACT: Final = Context(prec=70)
"""Digits enough that an error of the arithmetic never reaches the 25th decimal."""
LN_2: Final = EXACT.ln(Decimal(2))

_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # naive: zones are taken off by hand
_MILLISECOND: Final = timedelta(milliseconds=1)


def duration_ms(text: str) -> int:
    """`90s`, `2h`, `7d` in milliseconds."""
    return int(text[:-1]) * _UNIT_MS[text[-1]]


def instant_ms(text: str) -> int:
    """An RFC 3339 time in milliseconds since 1970; what is less than a millisecond is cut off."""
    seconds, rest = text[:19], text[19:].upper()
    fraction, zone = "", rest
    if rest.startswith("."):
        digits = len(rest[1:]) - len(rest[1:].lstrip("0123456789"))
        fraction, zone = rest[1 : 1 + digits], rest[1 + digits :]
    instant = (datetime.fromisoformat(seconds.upper()) - _EPOCH) // _MILLISECOND + int(fraction[:3].ljust(3, "0"))
    if zone != "Z":
        ahead_ms = (int(zone[1:3]) * 60 + int(zone[4:6])) * 60_000
        instant -= ahead_ms if zone[0] == "+" else -ahead_ms
    return instant


def day_of(instant: int) -> date:
    """The UTC date of an instant."""
    return (_EPOCH + instant * _MILLISECOND).date()


def decimal_of(number: float | int) -> Decimal:
    """The number as it is written, not as its binary neighbour."""
    return Decimal(repr(number))


def half_power(elapsed_ms: int, half_life_ms: int) -> Decimal:
    """2 to the power of minus elapsed by half-life."""
    return EXACT.exp(EXACT.multiply(LN_2, EXACT.divide(Decimal(-elapsed_ms), Decimal(half_life_ms))))
