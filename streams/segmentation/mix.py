"""A score mixed of recency, frequency and monetary value, as a unit."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import tzinfo
from fractions import Fraction
from typing import Any

from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.courses import Course, Reach
from streams.segmentation.evidence import Past
from streams.segmentation.mix_parts import Measure, PartCourse, compile_part
from streams.segmentation.quantities import NANO, NEVER
from streams.segmentation.readings import ScoreUnit, Watched
from streams.segmentation.score_evidence import MixedPart, ScoreParts
from streams.segmentation.scores import ScoreSpec
from streams.segmentation.windows import Entry, pack_total, unpack_total

_SNAP = Fraction(1, 10**25)
"""A logarithm is known to so many digits; a sum that is nearer than this to the middle counts as the middle."""


class _Course(Course):
    """The weighted sum of the courses of the parts."""

    def __init__(self, parts: list[tuple[Fraction, PartCourse]]) -> None:
        super().__init__({edge_ms for _, part in parts for edge_ms in part.edges})
        self._parts = parts

    def reach(self, from_ms: int, to_ms: int) -> Reach:
        low = high = Fraction(0)
        for weight, part in self._parts:
            less, more = part.reach(from_ms, to_ms)
            low += weight * (less if weight > 0 else more)
            high += weight * (more if weight > 0 else less)
        return Reach(_thousandths(low), _thousandths(high))

    def crossing(self, bounds: list[int], from_ms: int, edge_ms: int) -> int:
        if edge_ms == NEVER:
            return NEVER  # nothing is left that could move
        return _crossing(bounds, from_ms, edge_ms, lambda instant_ms: self.reach(instant_ms, instant_ms).low)


def _crossing(bounds: list[int], from_ms: int, edge_ms: int, reading: Callable[[int], int]) -> int:
    """The first instant up to the next edge at which the reading has passed a bound; the edge if none."""
    # Between two edges the sum moves in a straight line, so the reading moves one way.
    place = bisect_right(bounds, reading(from_ms))

    def passed(instant_ms: int) -> bool:
        return bisect_right(bounds, reading(instant_ms)) != place

    return from_ms + 1 + bisect_left(range(from_ms + 1, edge_ms), True, key=passed)


def _thousandths(sum_: Fraction) -> int:
    """The sum as it is read."""
    return int((1000 * sum_ + Fraction(1, 2) + _SNAP) // 1)


class MixUnit(ScoreUnit):
    """A weighted sum of parts. Its slot has the entries of each part."""

    def __init__(self, name: str, spec: ScoreSpec, zone: tzinfo) -> None:
        super().__init__(name, spec)
        self._parts = [(Fraction(part.weight, NANO), compile_part(part, zone)) for part in spec.mix or ()]
        self.events = frozenset(part.pattern.event for _, part in self._parts)
        self.timed = self.forgets = True
        self.cells = tuple(part.cells for _, part in self._parts if isinstance(part, Measure))

    def fresh(self) -> list[list[Entry]]:
        return [[] for _ in self._parts]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        changed = False
        for (_, part), entries in zip(self._parts, contact.slots[self.index], strict=True):
            if part.pattern.matches(event, at_ms):
                changed |= part.add(entries, event, at_ms, now_ms)
        return changed

    def forget(self, slot: list[list[Entry]], now_ms: int) -> None:
        for (_, part), entries in zip(self._parts, slot, strict=True):
            part.forget(entries, now_ms)

    def unbounded(self, contact: Contact, now_ms: int) -> int:
        pairs = zip(self._parts, contact.slots[self.index], strict=True)
        total = sum((weight * part.value(entries, now_ms) for (weight, part), entries in pairs), Fraction(0))
        return _thousandths(total)

    def next_turn(self, watched: Watched, contact: Contact, now_ms: int, flip_ms: int) -> int:  # noqa: ARG002 - mostly an edge
        course = contact.courses.get(self.index)
        if course is None:
            pairs = zip(self._parts, contact.slots[self.index], strict=True)
            course = contact.courses[self.index] = _Course(
                [(weight, part.course(each)) for (weight, part), each in pairs]
            )
        return course.next_turn(watched.bounds, now_ms)

    def parts(self, contact: Contact, now_ms: int, past: Past) -> ScoreParts:
        mixed = []
        for (weight, part), entries in zip(self._parts, contact.slots[self.index], strict=True):
            value = part.value(entries, now_ms)
            newest = past.newest(part.pattern, part.times(entries, now_ms), part.takes_part)
            mixed.append(
                MixedPart(part.measure, part.pattern.event, float(weight), float(value), float(weight * value), newest)
            )
        return ScoreParts(mix=tuple(mixed))

    def look_at(self, watched: Watched, contact: Contact, now_ms: int) -> tuple[int, int]:
        if not watched.leaves:
            return 0, NEVER
        unbounded = self.unbounded(contact, now_ms)
        pairs = zip(self._parts, contact.slots[self.index], strict=True)
        edge_ms = min(part.edge(entries, now_ms) for (_, part), entries in pairs)
        if edge_ms == NEVER:
            return self.bits_of(watched, unbounded), NEVER
        return self.bits_of(watched, unbounded), _crossing(
            watched.bounds, now_ms, edge_ms, lambda instant_ms: self.unbounded(contact, instant_ms)
        )

    def keeps(self) -> tuple[str, ...]:
        return tuple(part.keeps() for _, part in self._parts)

    def largest(self) -> Any:
        return self.store([part.largest() for _, part in self._parts])

    def store(self, slot: Any) -> Any:
        return [[(entry.at_ms, entry.count, pack_total(entry.total)) for entry in entries] for entries in slot]

    def restore(self, stored: Any) -> Any:
        return [[Entry(at_ms, count, unpack_total(total)) for at_ms, count, total in entries] for entries in stored]
