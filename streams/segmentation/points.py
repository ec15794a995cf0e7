"""A score made of points, as a unit: its sums, its reading, and when the reading passes a bound."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.courses import Course, Reach, Vanishing
from streams.segmentation.decay import Decaying, HalfLife, largest_sum
from streams.segmentation.evidence import SHOWN, Past
from streams.segmentation.matching import Pattern, property_of
from streams.segmentation.quantities import NANO, NEVER, nano, rounded
from streams.segmentation.readings import ScoreUnit, Watched
from streams.segmentation.score_evidence import Contribution, ExpiringSum, ScoreParts, WhilePoints
from streams.segmentation.scores import PointsRule, ScoreSpec
from streams.segmentation.units import Test
from streams.segmentation.windows import (
    LARGEST,
    MAX_ENTRIES,
    Cells,
    Entry,
    drop_until,
    first_after,
    pack_total,
    unpack_total,
)
from streams.segmentation.wording import duration

_NO_DECAY = HalfLife(1)


class _Rule:
    """A compiled points rule."""

    def __init__(self, spec: PointsRule, expires_after_ms: int | None, zone: tzinfo) -> None:
        self.expires_after_ms = expires_after_ms
        self.pattern = Pattern(spec, zone, spec.include_machine)
        self._points = spec.points
        self._factor = None if spec.per is None else property_of(spec.per, zone)

    def worth(self, event: Track, at_ms: int) -> int:
        """What the event contributes, in billionths."""
        if not self.pattern.matches(event, at_ms):
            return 0
        if self._factor is None:
            return self._points
        values = self._factor(event, at_ms)
        factor = nano(values[0]) if len(values) == 1 else None
        # Exact product of two decimals with 9 places, rounded half to even to 9 places again.
        return 0 if factor is None else rounded(self._points * factor, NANO)


class _Sums:
    """A contact's slot: what does not decay, what does, and what expires, by the duration after which it does."""

    __slots__ = ("decaying", "expiring", "steady")

    def __init__(self, durations: int) -> None:
        self.steady = 0
        self.decaying = Decaying()
        self.expiring: list[list[Entry]] = [[] for _ in range(durations)]


class _Course(Course):
    """What is left of the points, on top of those that neither decay nor expire and hold now."""

    def __init__(self, sums: _Sums, durations_ms: list[int], decay: HalfLife | None) -> None:
        self._vanishing = [Vanishing(*each) for each in zip(sums.expiring, durations_ms, strict=True)]
        super().__init__({edge_ms for each in self._vanishing for edge_ms in each.edges()})
        self.lasting = 0
        """Billionths that neither decay nor expire. They stand still while a search looks ahead to the next turn."""
        self._sums = sums
        self._decay = decay

    def reach(self, from_ms: int, to_ms: int) -> Reach:
        low = high = self.lasting
        for each in self._vanishing:
            less, more = each.reach(from_ms, to_ms)
            low += less
            high += more
        decaying = self._sums.decaying
        reading = (self._decay or _NO_DECAY).reading
        if decaying.weight < 0:  # it rises
            from_ms, to_ms = to_ms, from_ms
        return Reach(reading(decaying, low, to_ms), reading(decaying, high, from_ms))

    def crossing(self, bounds: list[int], from_ms: int, edge_ms: int) -> int:  # noqa: ARG002 - the caller looks at the edge
        if self._decay is None:
            return NEVER
        steady = self.lasting + sum(each.reach(from_ms, from_ms).low for each in self._vanishing)
        reading = self._decay.reading(self._sums.decaying, steady, from_ms)
        return self._decay.crossing(self._sums.decaying, steady, bounds, reading, from_ms)


class PointsUnit(ScoreUnit):
    """A score made of points."""

    def __init__(self, name: str, spec: ScoreSpec, zone: tzinfo) -> None:
        super().__init__(name, spec)
        self._rules: dict[str, list[_Rule]] = {}
        for rule in spec.points or ():
            expires_after_ms = spec.expires_after if rule.expires_after is None else rule.expires_after
            self._rules.setdefault(rule.event, []).append(_Rule(rule, expires_after_ms, zone))
        lasting = {rule.expires_after_ms for rules in self._rules.values() for rule in rules}
        self._durations_ms = sorted(duration for duration in lasting if duration is not None)
        self._decay = None if spec.half_life is None else HalfLife(spec.half_life)
        self._whiles: list[tuple[Test, int]] = []
        self._while_texts: list[str] = []
        self.forgets = bool(self._durations_ms)
        self.timed = spec.half_life is not None or self.forgets
        self.cells = tuple(map(Cells, self._durations_ms))
        self.events = frozenset(self._rules)

    def add_while(self, test: Test, reads: int, points: int, text: str) -> None:
        """Add `points` billionths while `test` holds of the contact's bits; it reads `reads`, and is written `text`."""
        self._whiles.append((test, points))
        self._while_texts.append(text)
        self.reads |= reads

    def fresh(self) -> _Sums:
        return _Sums(len(self._durations_ms))

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        sums: _Sums = contact.slots[self.index]
        changed = False
        for rule in self._rules[event.event]:
            points = rule.worth(event, at_ms)
            if points:
                changed |= self._add(sums, rule.expires_after_ms, points, at_ms, now_ms)
        return changed

    def _add(self, sums: _Sums, expires_after_ms: int | None, points: int, at_ms: int, now_ms: int) -> bool:
        if expires_after_ms is not None:
            place = self._durations_ms.index(expires_after_ms)
            entries = sums.expiring[place]
            drop_until(entries, now_ms - expires_after_ms)
            if at_ms <= now_ms - expires_after_ms:
                return False
            self.cells[place].add(entries, Entry(at_ms, 1, points))
        elif self._decay is None:
            sums.steady += points
        else:
            self._decay.add(sums.decaying, points, at_ms)
        return True

    def forget(self, slot: _Sums, now_ms: int) -> None:
        for entries, duration_ms in zip(slot.expiring, self._durations_ms, strict=True):
            drop_until(entries, now_ms - duration_ms)

    def unbounded(self, contact: Contact, now_ms: int) -> int:
        sums: _Sums = contact.slots[self.index]
        return self._read(sums, self._steady(contact, sums, now_ms)[0], now_ms)

    def _steady(self, contact: Contact, sums: _Sums, now_ms: int) -> tuple[int, int]:
        """What does not decay and has not expired, in billionths, and when the next part of it expires."""
        total, expires_ms = self._lasting(contact, sums), NEVER
        for entries, duration_ms in zip(sums.expiring, self._durations_ms, strict=True):
            place = first_after(entries, now_ms - duration_ms)
            if place < len(entries):
                expires_ms = min(expires_ms, entries[place].at_ms + duration_ms)
                total += sum(entry.total for entry in entries[place:])
        return total, expires_ms

    def _lasting(self, contact: Contact, sums: _Sums) -> int:
        """What neither decays nor expires, in billionths."""
        return sums.steady + sum(points for test, points in self._whiles if test(contact.bits))

    def _read(self, sums: _Sums, steady: int, now_ms: int) -> int:
        # A sum without decay is read like one that has not begun to.
        return (self._decay or _NO_DECAY).reading(sums.decaying, steady, now_ms)

    def look_at(self, watched: Watched, contact: Contact, now_ms: int) -> tuple[int, int]:
        if not watched.leaves:
            return 0, NEVER
        sums: _Sums = contact.slots[self.index]
        steady, expires_ms = self._steady(contact, sums, now_ms)
        unbounded = self._read(sums, steady, now_ms)
        if self._decay is None:
            return self.bits_of(watched, unbounded), expires_ms
        # Up to the next expiry the steady part stands still, and the decaying one falls alone.
        crossing_ms = self._decay.crossing(sums.decaying, steady, watched.bounds, unbounded, now_ms)
        return self.bits_of(watched, unbounded), crossing_ms if crossing_ms < expires_ms else expires_ms

    def next_turn(self, watched: Watched, contact: Contact, now_ms: int, flip_ms: int) -> int:
        if not self._durations_ms:
            return flip_ms  # there are no edges
        sums: _Sums = contact.slots[self.index]
        course = contact.courses.get(self.index)
        if course is None:
            course = contact.courses[self.index] = _Course(sums, self._durations_ms, self._decay)
        course.lasting = self._lasting(contact, sums)
        return course.next_turn(watched.bounds, now_ms)

    def parts(self, contact: Contact, now_ms: int, past: Past) -> ScoreParts:
        sums: _Sums = contact.slots[self.index]
        expiring = []
        for entries, duration_ms in zip(sums.expiring, self._durations_ms, strict=True):
            inside = entries[first_after(entries, now_ms - duration_ms) :]
            points, events = sum(entry.total for entry in inside) / NANO, sum(entry.count for entry in inside)
            next_ms = inside[0].at_ms + duration_ms if inside else None
            expiring.append(ExpiringSum(duration(duration_ms), points, events, next_ms))
        whiles = zip(self._whiles, self._while_texts, strict=True)
        return ScoreParts(
            undecayed=sums.steady / NANO,
            decaying=None if self._decay is None else self._decay.reading(sums.decaying, 0, now_ms) / 1000,
            expiring=tuple(expiring),
            whiles=tuple(WhilePoints(text, points / NANO, test(contact.bits)) for (test, points), text in whiles),
            newest=self._newest(now_ms, past),
        )

    def _newest(self, now_ms: int, past: Past) -> tuple[Contribution, ...]:
        """The newest events that count, with what each was worth."""
        found = [
            Contribution(event.event, points / NANO, occurrence)
            for rules in self._rules.values()
            for rule in rules
            for occurrence, event in past.matching(rule.pattern)
            if rule.expires_after_ms is None or occurrence.at_ms > now_ms - rule.expires_after_ms
            if (points := rule.worth(event, occurrence.at_ms))
        ]
        return tuple(sorted(found, key=lambda each: -each.at.at_ms)[:SHOWN])

    def keeps(self) -> tuple[str, ...]:
        lasting = {rule.expires_after_ms for rules in self._rules.values() for rule in rules}
        name = f"score {self.name}: "
        steady = name + (
            "sum of points"
            if self._decay is None
            else f"sum of points, halved every {duration(self._decay.duration_ms)}"
        )
        windows = [
            f"{name}up to {MAX_ENTRIES:,} entries of time, count and points in {duration(lasts_ms)}"
            for lasts_ms in self._durations_ms
        ]
        return (*([steady] if None in lasting else ()), *windows)

    def largest(self) -> Any:
        sums = _Sums(0)
        sums.steady = LARGEST.total if self._decay is None else 0
        sums.decaying = Decaying() if self._decay is None else largest_sum()
        sums.expiring = [[LARGEST] * MAX_ENTRIES for _ in self._durations_ms]
        return self.store(sums)

    def store(self, slot: _Sums) -> Any:
        decaying = slot.decaying
        expiring = [[(entry.at_ms, entry.count, pack_total(entry.total)) for entry in each] for each in slot.expiring]
        return [pack_total(slot.steady), decaying.exponent, pack_total(decaying.weight), expiring]

    def restore(self, stored: Any) -> _Sums:
        steady, exponent, weight, expiring = stored
        sums = _Sums(0)
        sums.steady = unpack_total(steady)
        sums.decaying = Decaying(unpack_total(weight), exponent)
        sums.expiring = [
            [Entry(at_ms, count, unpack_total(total)) for at_ms, count, total in entries] for entries in expiring
        ]
        return sums
