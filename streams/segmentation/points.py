"""A score made of points, as a unit: its sums, its reading, and when the reading passes a bound."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.decay import Decaying, HalfLife
from streams.segmentation.patterns import Pattern, property_of
from streams.segmentation.quantities import NANO, NEVER, nano, rounded
from streams.segmentation.scores import UNBOUNDED, PointsRule, ScoreSpec, Span
from streams.segmentation.units import Unit
from streams.segmentation.windows import Entry, add_entry, drop_until, first_after, pack_total, unpack_total

_NO_DECAY = HalfLife(1)


class _Rule:
    """A compiled points rule."""

    def __init__(self, spec: PointsRule, expires_after_ms: int | None, zone: tzinfo) -> None:
        self.expires_after_ms = expires_after_ms
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._points = spec.points
        self._factor = None if spec.per is None else property_of(spec.per, zone)

    def worth(self, event: Track, at_ms: int) -> int:
        """What the event contributes, in billionths."""
        if not self._pattern.matches(event, at_ms):
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


class ScoreUnit(Unit):
    """A score and all leaves that read it."""

    def __init__(self, name: str, spec: ScoreSpec, zone: tzinfo) -> None:
        self.name = name
        self.spec = spec
        self._rules: dict[str, list[_Rule]] = {}
        for rule in spec.points:
            expires_after_ms = spec.expires_after if rule.expires_after is None else rule.expires_after
            self._rules.setdefault(rule.event, []).append(_Rule(rule, expires_after_ms, zone))
        lasting = {rule.expires_after_ms for rules in self._rules.values() for rule in rules}
        self._durations_ms = sorted(duration for duration in lasting if duration is not None)
        self._decay = None if spec.half_life is None else HalfLife(spec.half_life)
        self._low = -UNBOUNDED if spec.floor is None else spec.floor
        self._high = UNBOUNDED if spec.cap is None else spec.cap
        self._leaves: list[tuple[int, Span]] = []
        self._bounds: list[int] = []
        self._tiers = spec.tier_spans()
        self.mask = 0
        self.events = frozenset(self._rules)

    def watch(self, bit: int, span: Span) -> None:
        """Let `bit` be true while the reading lies in `span`."""
        self._leaves.append((bit, span))
        self.mask |= bit
        # A bound outside of (floor, cap] is never passed by the bounded reading.
        passed = {bound for bound in span if self._low < bound <= self._high}
        self._bounds = sorted(passed.union(self._bounds))

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
            entries = sums.expiring[self._durations_ms.index(expires_after_ms)]
            drop_until(entries, now_ms - expires_after_ms)
            if at_ms <= now_ms - expires_after_ms:
                return False
            add_entry(entries, Entry(at_ms, 1, points), expires_after_ms)
        elif self._decay is None:
            sums.steady += points
        else:
            self._decay.add(sums.decaying, points, at_ms)
        return True

    def reading(self, contact: Contact, now_ms: int) -> int:
        """The score read at `now_ms`, in thousandths, within floor and cap."""
        sums: _Sums = contact.slots[self.index]
        return self._bounded(self._unbounded(sums, self._steady(sums, now_ms)[0], now_ms))

    def _steady(self, sums: _Sums, now_ms: int) -> tuple[int, int]:
        """What does not decay and has not expired, in billionths, and when the next part of it expires."""
        total, expires_ms = sums.steady, NEVER
        for entries, duration_ms in zip(sums.expiring, self._durations_ms, strict=True):
            place = first_after(entries, now_ms - duration_ms)
            if place < len(entries):
                expires_ms = min(expires_ms, entries[place].at_ms + duration_ms)
                total += sum(entry.total for entry in entries[place:])
        return total, expires_ms

    def _unbounded(self, sums: _Sums, steady: int, now_ms: int) -> int:
        # A sum without decay is read like one that has not begun to.
        return (self._decay or _NO_DECAY).reading(sums.decaying, steady, now_ms)

    def _bounded(self, reading: int) -> int:
        return max(self._low, min(self._high, reading))

    def tier(self, reading: int) -> str | None:
        """The tier of a reading; None below the lowest bound."""
        return next((name for name, span in self._tiers.items() if span.low <= reading < span.high), None)

    def span_of_tier(self, name: str) -> Span:
        """The readings of one tier."""
        return self._tiers[name]

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        if not self._leaves:
            return 0, NEVER
        sums: _Sums = contact.slots[self.index]
        steady, expires_ms = self._steady(sums, now_ms)
        unbounded = self._unbounded(sums, steady, now_ms)
        reading = self._bounded(unbounded)
        bits = 0
        for bit, (low, high) in self._leaves:
            if low <= reading < high:
                bits |= bit
        if self._decay is None:
            return bits, expires_ms
        # Up to the next expiry the steady part stands still, and the decaying one falls alone.
        crossing_ms = self._decay.crossing(sums.decaying, steady, self._bounds, unbounded, now_ms)
        return bits, min(crossing_ms, expires_ms)

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
