"""Reads fields of providers' JSON: what must be there says what was expected, what may be there is taken or left."""

from __future__ import annotations

from decimal import Decimal
from email.utils import parseaddr
from typing import Any

from schemas.instants import MAX_INSTANT_MS, MIN_INSTANT_MS, parse_instant
from streams.collector.calls.payloads import PayloadError, Problem


class Fields:
    """One JSON object, and where it lies in the event."""

    def __init__(self, value: object, path: str = "") -> None:
        """Raises `PayloadError` where the value is no object."""
        self._path = path
        if not isinstance(value, dict):
            raise PayloadError([Problem(path, "expected a JSON object")])
        self._body: dict[str, Any] = value

    def problem(self, name: str, expected: str) -> PayloadError:
        """An error to raise about one of the fields."""
        return PayloadError([Problem(self._path + name, f"expected {expected}")])

    def part(self, name: str) -> Fields:
        """The object under a name; an empty one where there is none."""
        return Fields(self.mapping(name), f"{self._path}{name}.")

    def mapping(self, name: str) -> dict[str, Any]:
        """What stands under a name if it is an object, else an empty one."""
        value = self._body.get(name)
        return value if isinstance(value, dict) else {}

    def sequence(self, name: str) -> list[Any]:
        """What stands under a name if it is a list, else an empty one."""
        value = self._body.get(name)
        return value if isinstance(value, list) else []

    def get(self, name: str) -> object:
        """The value as it stands; None where there is none."""
        return self._body.get(name)

    def others(self, known: frozenset[str]) -> dict[str, Any]:
        """The fields that are none of these."""
        return {name: value for name, value in self._body.items() if name not in known}

    def text(self, name: str, characters_max: int = 512) -> str:
        """A text that must be there. Raises `PayloadError`."""
        value = self._body.get(name)
        if isinstance(value, str) and 1 <= len(value) <= characters_max:
            return value
        raise self.problem(name, f"a string of 1 to {characters_max} characters")

    def optional(self, name: str, characters_max: int = 512) -> str | None:
        """A text or a whole number that may be there, cut off where it is longer."""
        value = self._body.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return value[:characters_max] if isinstance(value, str) and value else None

    def instant(self, name: str) -> int:
        """Milliseconds of a time in RFC 3339. Raises `PayloadError`."""
        try:
            return parse_instant(self.text(name))
        except ValueError as error:
            raise PayloadError([Problem(self._path + name, str(error))]) from None

    def seconds(self, name: str) -> int:
        """Milliseconds of a time in seconds since 1970; what is finer is cut off. Raises `PayloadError`."""
        value = self._body.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
            instant_ms = int(Decimal(str(value)) * 1000)  # a float times 1,000 would be a millisecond off at times
            if MIN_INSTANT_MS <= instant_ms <= MAX_INSTANT_MS:
                return instant_ms
        raise self.problem(name, "seconds since 1970, up to the year 2199")


def address_of(value: object) -> str | None:
    """The address in `Name <address>` or alone, in lower case; None where there is none."""
    if not isinstance(value, str):
        return None
    address = parseaddr(value)[1].strip().lower()
    return address if "@" in address else None
