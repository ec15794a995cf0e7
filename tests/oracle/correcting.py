"""Corrections: what was said of an event's origin is taken back in its history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.oracle import history
from tests.oracle.history import History
from tests.oracle.language import File
from tests.oracle.notation import duration_ms

_DEFAULT_MS = 15 * 60_000


class Correction:
    """Corrects histories as a file has it."""

    def __init__(self, file: File, deduplicate_ms: int) -> None:
        written = file.get("correct", {})
        self._deduplicate_ms = deduplicate_ms
        self._within_ms = min(_DEFAULT_MS, deduplicate_ms)
        if "within" in written:
            self._within_ms = duration_ms(written["within"])
        self._names = looked_at(file) & set(written.get("events", ("email_open", "email_click")))

    def take(self, body: dict[str, Any], told: History, clock: int) -> str:
        """Apply a correction; what became of it."""
        corrects, mark = body["corrects"], body["machine"]
        places = told.correctable(corrects, clock - self._within_ms, self._names)
        if places:
            told.mark(places, mark)
            return "applied"
        applied = told.latest(corrects, clock, self._deduplicate_ms)
        if applied is not None:
            return "too_late" if clock - applied > self._within_ms else "uncorrectable"
        told.awaited = [each for each in told.awaited if each[0] != corrects and clock - each[2] <= self._within_ms]
        told.awaited = [*told.awaited, (corrects, mark, clock)][-history.RECENT :]
        return "unknown"

    def awaited(self, body: dict[str, Any], told: History, clock: int) -> dict[str, Any]:
        """A record as it is applied: an event with the mark that was told of it before."""
        if body["type"] != "track" or body["event"] not in self._names:
            return body
        for each in told.awaited:
            if each[0] == body["event_id"] and clock - each[2] <= self._within_ms:
                told.awaited.remove(each)
                return {**body, "machine": each[1]}
        return body


def looked_at(file: File) -> set[str]:
    """Names of all events that conditions and scores look at."""
    return set(_events([file.get("scores", {}), [_said(each) for each in file["segments"].values()]]))


def _said(segment: dict[str, Any]) -> list[Any]:
    return [segment[key] for key in ("when", "exit_when") if key in segment]


def _events(value: Any) -> Iterator[str]:
    """Names of all events that are named somewhere within."""
    if isinstance(value, dict):
        if isinstance(value.get("event"), str):
            yield value["event"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _events(each)
