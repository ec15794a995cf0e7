"""`aggregate`: the sum, average, least, greatest or number of different values of a property."""

from __future__ import annotations

from datetime import tzinfo
from fractions import Fraction
from typing import Any

from schemas.records import Track
from streams.segmentation.comparisons import Comparisons, check_bounds
from streams.segmentation.conditions.aggregate_spec import AggregateSpec
from streams.segmentation.conditions.distinct import DistinctUnit
from streams.segmentation.conditions.extreme import ExtremeUnit
from streams.segmentation.contact import Contact
from streams.segmentation.patterns import Pattern, property_of
from streams.segmentation.problems import Findings, join
from streams.segmentation.quantities import NANO, NEVER, nano
from streams.segmentation.units import LeafKind, Scope, Unit
from streams.segmentation.windows import (
    LONGEST_MS,
    MAX_COUNT,
    Entry,
    Since,
    add_entry,
    drop_until,
    first_after,
    pack_total,
    unpack_total,
)


class TotalUnit(Unit):
    """`sum` and `avg`. Without a window and a start, one running total; else an entry an event."""

    def __init__(self, spec: AggregateSpec, zone: tzinfo) -> None:
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._values = property_of(spec.property, zone)
        self._average = spec.function == "avg"
        self._within_ms = spec.within
        self._comparisons = Comparisons(spec)
        self._since = None if spec.since is None else Since(spec.since, zone, spec.include_machine)
        self._running = spec.within is None and spec.since is None
        self.events = frozenset({spec.event} if spec.since is None else {spec.event, spec.since.event})

    def fresh(self) -> tuple[list[Entry], list[int]]:
        return [], []

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        entries, marks = contact.slots[self.index]
        changed = self._since is not None and self._since.touch(marks, event, at_ms)
        if not self._pattern.matches(event, at_ms):
            return changed
        values = [value for value in map(nano, self._values(event, at_ms)) if value is not None]
        if not values:
            return changed
        entry = Entry(at_ms, len(values), sum(values))
        if self._running:
            self._add_up(entries, entry)
            return True
        if self._within_ms is not None:
            drop_until(entries, now_ms - self._within_ms)
            if at_ms <= now_ms - self._within_ms:
                return changed
        add_entry(entries, entry, self._within_ms or LONGEST_MS)
        return True

    @staticmethod
    def _add_up(entries: list[Entry], entry: Entry) -> None:
        if not entries:
            entries.append(entry)
        else:
            entries[0].count += entry.count
            entries[0].total += entry.total
            entries[0].at_ms = max(entries[0].at_ms, entry.at_ms)

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        entries, marks = contact.slots[self.index]
        place = 0
        if self._within_ms is not None:
            place = first_after(entries, now_ms - self._within_ms)
        if self._since is not None:
            start = self._since.start(marks)
            place = len(entries) if start is None else max(place, first_after(entries, start))
        count = total = 0
        for entry in entries[place:]:
            count += entry.count
            total += entry.total
        holds = self._hold(count, total)
        flip_ms = NEVER
        if self._within_ms is not None:
            flip_ms = self._leaving(entries[place:], count, total, holds) + self._within_ms
        return (self.mask if holds else 0), min(flip_ms, NEVER)

    def _leaving(self, entries: list[Entry], count: int, total: int, holds: bool) -> int:
        """The time of the entry whose leaving flips the condition, or `NEVER`."""
        for place, entry in enumerate(entries):
            count -= entry.count
            total -= entry.total
            together = place + 1 < len(entries) and entries[place + 1].at_ms == entry.at_ms
            if not together and self._hold(count, total) != holds:
                return entry.at_ms
        return NEVER

    def _hold(self, count: int, total: int) -> bool:
        if self._average:
            return count > 0 and self._comparisons.hold(total, NANO * count)
        return self._comparisons.hold(total, NANO)

    def store(self, slot: Any) -> Any:
        entries, marks = slot
        return [[(entry.at_ms, entry.count, pack_total(entry.total)) for entry in entries], marks]

    def restore(self, stored: Any) -> Any:
        entries, marks = stored
        return [Entry(at_ms, count, unpack_total(total)) for at_ms, count, total in entries], marks


def _check(spec: AggregateSpec, _scope: Scope, path: str, findings: Findings) -> None:
    check_bounds(spec, path, findings)
    if spec.function == "distinct":
        for name, bound in spec.bounds().items():
            if bound > MAX_COUNT:
                findings.add(join(path, name), float(bound), f"expected at most {MAX_COUNT} different values")


def _build(spec: Any, zone: tzinfo) -> Unit:
    if spec.function == "distinct":
        greatest: Fraction = max(spec.bounds().values())
        return DistinctUnit(spec, zone, max(0, int(greatest)) + 1)
    if spec.function in {"min", "max"}:
        return ExtremeUnit(spec, zone)
    return TotalUnit(spec, zone)


AGGREGATE = LeafKind(AggregateSpec, _build, _check)
