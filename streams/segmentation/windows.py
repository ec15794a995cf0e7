"""What aggregates share: the start after which events count, and cells for windows with very many events."""

from __future__ import annotations

from bisect import bisect_right, insort
from datetime import tzinfo

from schemas.instants import LAST_INSTANT_MS
from schemas.records import Track
from streams.segmentation.matching import Pattern
from streams.segmentation.patterns import SinceSpec
from streams.segmentation.quantities import parse_duration
from streams.segmentation.wording import duration

MAX_ENTRIES = 1000
"""Entries that a windowed aggregate keeps; past that, all but the newest half are merged into cells."""
_NEWEST = 500
_CELLS = 256
_MOST_CELLS = 400
"""A window has at most 257 cells. What reaches further back than its window gets wider ones instead of more."""
LONGEST_MS = parse_duration("3650d")


class Since:
    """Keeps the newest times of the `since` events in a list; the first of them is the start."""

    __slots__ = ("event", "nth", "pattern")

    def __init__(self, spec: SinceSpec, zone: tzinfo, include_machine: bool) -> None:
        self.event = spec.event
        self.nth = spec.nth
        self.pattern = Pattern(spec, zone, include_machine)

    def touch(self, marks: list[int], event: Track, at_ms: int) -> bool:
        """Note an event; whether it is one of these."""
        if not self.pattern.matches(event, at_ms):
            return False
        keep_newest(marks, at_ms, self.nth)
        return True

    def keeps(self) -> str:
        """What it keeps of a contact, in words."""
        return f"since {self.pattern}: {newest(self.nth)}"

    def largest(self) -> list[int]:
        """The list at its greatest."""
        return [LAST_INSTANT_MS] * self.nth

    def start(self, marks: list[int]) -> int | None:
        """Events count strictly after this instant; None: none counts, there were too few of these."""
        return marks[0] if len(marks) == self.nth else None


def newest(count: int, thing: str = "time") -> str:
    """`newest time`, `newest 1,000 times`."""
    return f"newest {thing}" if count == 1 else f"newest {count:,} {thing}s"


def during(window_ms: int | None) -> str:
    """` in 30d`, or nothing where there is no window."""
    return "" if window_ms is None else f" in {duration(window_ms)}"


def keep_newest(times: list[int], at_ms: int, most: int) -> None:
    """Insert a time in order, and forget the oldest past `most`."""
    insort(times, at_ms)
    if len(times) > most:
        del times[0]


class Entry:
    """Events that are counted together: how many, the sum of their values, the time of the latest."""

    __slots__ = ("at_ms", "count", "total")

    def __init__(self, at_ms: int, count: int = 1, total: int = 0) -> None:
        self.at_ms = at_ms
        self.count = count
        self.total = total


LARGEST = Entry(LAST_INSTANT_MS, 1 << 63, 1 << 200)
"""No entry takes more room when it is stored: more events than a log can have, each with the largest of values."""


def _time(entry: Entry) -> int:
    return entry.at_ms


def drop_until(entries: list[Entry], start_ms: int) -> None:
    """Forget entries at or before `start_ms`."""
    if entries and entries[0].at_ms <= start_ms:
        del entries[: bisect_right(entries, start_ms, key=_time)]


def first_after(entries: list[Entry], start_ms: int) -> int:
    """The place of the first entry strictly after `start_ms`."""
    return bisect_right(entries, start_ms, key=_time)


class Cells:
    """Bounds the entries of one kind of window: past 1,000, the older ones are merged into cells of a 256th of it."""

    __slots__ = ("merged", "width_ms")

    def __init__(self, window_ms: int) -> None:
        self.width_ms = -(-window_ms // _CELLS)
        self.merged = 0
        """Entries merged away so far, of all contacts. It decides on nothing."""

    def add(self, entries: list[Entry], entry: Entry) -> None:
        """Insert an entry in order of time. At most `MAX_ENTRIES` are left."""
        insort(entries, entry, key=_time)
        if len(entries) <= MAX_ENTRIES:
            return
        older, width_ms = entries[:-_NEWEST], self.width_ms
        cells = _merge(older, width_ms)
        while len(cells) > _MOST_CELLS:
            width_ms *= 2
            cells = _merge(older, width_ms)
        self.merged += len(older) - len(cells)
        entries[:-_NEWEST] = cells


def _merge(entries: list[Entry], width_ms: int) -> list[Entry]:
    """One entry for each cell of time that has some, timed at its latest event."""
    cells: dict[int, Entry] = {}
    for entry in entries:
        cell = cells.get(entry.at_ms // width_ms)
        if cell is None:
            cells[entry.at_ms // width_ms] = Entry(entry.at_ms, entry.count, entry.total)
        else:
            cell.at_ms = entry.at_ms
            cell.count += entry.count
            cell.total += entry.total
    return list(cells.values())


def pack_total(total: int) -> bytes:
    """A sum in the form that is stored: it may be larger than 64 bits."""
    return total.to_bytes(total.bit_length() // 8 + 1, "big", signed=True)


def unpack_total(packed: bytes) -> int:
    """A sum from its stored form."""
    return int.from_bytes(packed, "big", signed=True)
