"""The bound on what is kept of windows with very many events: past it, older ones are counted in cells of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class Bound:
    """How much is kept of one window of one contact."""

    entries: int = 1000
    newest: int = 500
    """Entries that stay apart when the others are merged."""
    cells: int = 256
    """Into so many the window is cut."""
    most_cells: int = 400
    """What reaches further back than its window has cells of twice the width, and twice that, until they are so few."""


BOUND = Bound()


@dataclass
class _Entry(Generic[T]):
    time: int
    parts: list[T]


def newest(times: list[int]) -> list[int]:
    """As many of the newest as are kept of a step of a sequence, in order."""
    return sorted(times)[-BOUND.entries :]


def counted_at(found: list[tuple[int, T]], window_ms: int, oldest: Callable[[T], int]) -> list[tuple[int, T]]:
    """Things told as (time, thing) in order of arrival, each with the time at which it counts.

    When a thing comes in, all that lies at or before its `oldest` is forgotten: that counts no more at any instant.
    """
    if len(found) <= BOUND.entries:
        return found
    entries: list[_Entry[T]] = []
    for time, thing in found:
        over = oldest(thing)
        entries = [entry for entry in entries if entry.time > over]
        if time > over:
            place = sum(1 for entry in entries if entry.time <= time)
            entries.insert(place, _Entry(time, [thing]))
        if len(entries) > BOUND.entries:
            entries = _merged(entries[: -BOUND.newest], -(-window_ms // BOUND.cells)) + entries[-BOUND.newest :]
    return [(entry.time, thing) for entry in entries for thing in entry.parts]


def _merged(entries: list[_Entry[T]], width_ms: int) -> list[_Entry[T]]:
    cells: dict[int, list[_Entry[T]]] = {}
    for entry in entries:
        cells.setdefault(entry.time // width_ms, []).append(entry)
    if len(cells) > BOUND.most_cells:
        return _merged(entries, 2 * width_ms)
    return [
        _Entry(max(entry.time for entry in cell), [thing for entry in cell for thing in entry.parts])
        for _, cell in sorted(cells.items())
    ]
