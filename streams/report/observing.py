"""What a report remembers of the transitions of a simulation, one by one as they come.

For each contact and segment 8 bytes, for each stay that ended 8 bytes, and a few hundred intervals of time whose
width doubles as time goes on: so its memory grows with contacts and stays slowly, and with time not at all.
"""

from __future__ import annotations

import json
import math
from array import array
from collections import defaultdict
from collections.abc import Sequence

from schemas.transitions import Transition
from streams.report.durations import stay_bars
from streams.report.figures import FLAP_MS, Interval, SegmentFigures
from streams.segmentation import Definitions, Segment

INTERVALS_MAX = 240
"""Intervals of time that are told apart; twice as long ones take their place when there would be more."""
_SHORTEST_MS = 1000


class _Course:
    """One segment: counts, stays, and when each contact last came or went."""

    __slots__ = ("entries", "entries_at", "exits", "exits_at", "flapping", "last", "stays")

    def __init__(self) -> None:
        self.entries = 0
        self.exits = 0
        self.flapping = 0
        self.stays = array("q")
        self.last = array("q")
        """By contact: twice the instant of the last transition, plus 1 if the contact flaps; -1 for none."""
        self.entries_at: dict[int, int] = {}
        self.exits_at: dict[int, int] = {}

    def enter(self, contact: int, at_ms: int, interval: int) -> None:
        self.entries += 1
        self.entries_at[interval] = self.entries_at.get(interval, 0) + 1
        if contact >= len(self.last):
            self.last.extend([-1] * max(1024, contact - len(self.last) + 1))
        before = self.last[contact]
        flaps = before & 1 if before >= 0 else 0
        if before >= 0 and not flaps and at_ms - (before >> 1) <= FLAP_MS:
            flaps = 1
            self.flapping += 1
        self.last[contact] = at_ms << 1 | flaps

    def leave(self, contact: int, at_ms: int, interval: int) -> None:
        self.exits += 1
        self.exits_at[interval] = self.exits_at.get(interval, 0) + 1
        before = self.last[contact]
        self.stays.append(at_ms - (before >> 1))
        self.last[contact] = at_ms << 1 | before & 1

    def halve(self) -> None:
        """Put two intervals together to one."""
        for name in ("entries_at", "exits_at"):
            halved: dict[int, int] = {}
            for interval, count in getattr(self, name).items():
                halved[interval >> 1] = halved.get(interval >> 1, 0) + count
            setattr(self, name, halved)


class Observer:
    """Takes in transitions, and tells the figures of each segment."""

    def __init__(self, definitions: Definitions) -> None:
        self.interval_ms = _SHORTEST_MS
        """How long the intervals are by now; they begin at multiples of it."""
        self._segments: dict[str, Segment] = {}
        self._courses: dict[str, _Course] = defaultdict(_Course)
        self.know(definitions)
        self._numbers: dict[str, int] = {}
        self._first = self._last = -1

    def know(self, definitions: Definitions) -> None:
        """Know of definitions that held later. Segments that they do not have stay in the figures."""
        # Definitions have their segments in order of evaluation; the text has them as they were written.
        by_name = {segment.name: segment for segment in definitions.segments}
        written = {name: by_name[name] for name in json.loads(definitions.canonical)["segments"]}
        self._segments = written | {name: gone for name, gone in self._segments.items() if name not in written}

    def see(self, transition: Transition) -> None:
        """Take in a transition; those of one contact come in order of time."""
        at_ms = transition.effective_at
        interval = at_ms // self.interval_ms
        if not self._first <= interval <= self._last:
            interval = self._widen(at_ms)
        contact = self._numbers.setdefault(transition.contact_id, len(self._numbers))
        course = self._courses[transition.segment]
        if transition.sequence & 1:
            course.enter(contact, at_ms, interval)
        else:
            course.leave(contact, at_ms, interval)

    def _widen(self, at_ms: int) -> int:
        """Let the intervals reach to an instant, of which the number is returned."""
        interval = at_ms // self.interval_ms
        if self._first < 0:
            self._first = self._last = interval
        first, last = min(self._first, interval), max(self._last, interval)
        while last - first >= INTERVALS_MAX:
            self.interval_ms *= 2
            first, last = first >> 1, last >> 1
            for course in self._courses.values():
                course.halve()
        self._first, self._last = first, last
        return at_ms // self.interval_ms

    def figures(self) -> tuple[SegmentFigures, ...]:
        """The segments in order of the file; behind them those that are no more."""
        return tuple(self._figures(segment, self._courses[name]) for name, segment in self._segments.items())

    def _figures(self, segment: Segment, course: _Course) -> SegmentFigures:
        stays = sorted(course.stays)
        return SegmentFigures(
            segment.name,
            segment.description,
            tuple(segment.tags),
            course.entries,
            course.exits,
            course.flapping,
            percentile(stays, 50),
            percentile(stays, 90),
            stay_bars(stays),
            self._intervals(course),
        )

    def _intervals(self, course: _Course) -> tuple[Interval, ...]:
        intervals, members = [], 0
        for number in sorted(course.entries_at.keys() | course.exits_at.keys()):
            entries, exits = course.entries_at.get(number, 0), course.exits_at.get(number, 0)
            members += entries - exits
            intervals.append(Interval(number * self.interval_ms, entries, exits, members))
        return tuple(intervals)


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """The smallest value that at least `percent` of a hundred do not exceed (nearest rank); None of no value."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else None
