"""Reads the fields of an event that a tracking SDK sent, and gathers everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from schemas.instants import parse_instant
from streams.collector.guarding.screening import CallScreening

JsonObject: TypeAlias = dict[str, Any]


class Problem(NamedTuple):
    """One thing that is wrong: where, and what was expected there."""

    path: str
    expected: str


class PayloadError(Exception):
    """An event cannot become a record; carries everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.expected}" for problem in problems))
        self.problems = problems


class Arrival(NamedTuple):
    """What the collector knows of a call: shared by all of its events."""

    source: str
    received_at_ms: int
    new_id: Callable[[], str]
    context: JsonObject  # of the whole batch; an event's own goes over it
    sent_at_ms: int | None = None  # of the whole batch; an event's own counts before it
    backfill: bool = False  # an import of history
    suspected: tuple[str, ...] = ()  # why a machine may have made the call
    screening: CallScreening | None = None  # None lets everything in


class Fields:
    """Reads the fields of one event and gathers the problems met on the way."""

    __slots__ = ("_body", "problems")

    def __init__(self, body: JsonObject) -> None:
        self._body = body
        self.problems: list[Problem] = []

    def problem(self, path: str, expected: str) -> None:
        """Note what is wrong with a field."""
        self.problems.append(Problem(path, expected))

    def text(self, name: str, characters_max: int) -> str | None:
        """A string that is not empty; None where there is none or it is bad."""
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, str) and 1 <= len(value) <= characters_max:
            return value
        self.problem(name, f"expected a string of 1 to {characters_max} characters")
        return None

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._body.get(name) is not None

    def mapping(self, name: str) -> JsonObject:
        """A JSON object; an empty one where there is none or it is bad."""
        value = self._body.get(name)
        if value is None or isinstance(value, dict):
            return value or {}
        self.problem(name, "expected a JSON object")
        return {}

    def instant(self, name: str) -> int | None:
        """Milliseconds of a time; None where there is none or it is bad."""
        value = self._body.get(name)
        if value is None:
            return None
        try:
            return parse_sdk_instant(value)
        except ValueError as error:
            self.problem(name, str(error))
            return None

    def get(self, name: str) -> object:
        """The field, whatever it is."""
        return self._body.get(name)


def parse_sdk_instant(value: object) -> int:
    """Milliseconds of a time in a payload. Raises `ValueError` with what was expected."""
    if isinstance(value, str):
        return parse_instant(value)
    raise ValueError("expected an RFC 3339 time as a string")
