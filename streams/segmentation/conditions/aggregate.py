"""`aggregate`: the sum, average, least, greatest or number of different values of a property."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import tzinfo
from typing import Any

from schemas.records import Track
from streams.segmentation.canonical import meaning
from streams.segmentation.comparisons import Comparisons, check_bounds
from streams.segmentation.conditions.aggregate_spec import AggregateEvidence, AggregateSpec, wording
from streams.segmentation.conditions.distinct import DistinctUnit
from streams.segmentation.conditions.extreme import ExtremeUnit
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Past, reach
from streams.segmentation.matching import Pattern, property_of
from streams.segmentation.patterns import MAX_COUNT
from streams.segmentation.problems import Findings, join
from streams.segmentation.quantities import NANO, NEVER, nano, plainly
from streams.segmentation.units import LeafKind, Scope, Unit
from streams.segmentation.windows import (
    LARGEST,
    LONGEST_MS,
    MAX_ENTRIES,
    Cells,
    Entry,
    Since,
    drop_until,
    during,
    first_after,
    pack_total,
    unpack_total,
)


class TotalUnit(Unit):
    """`sum` and `avg` of the same values. Without a window and a start, one running total; else an entry an event."""

    def __init__(self, spec: AggregateSpec, zone: tzinfo) -> None:
        super().__init__()
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._property = spec.property
        self._values = property_of(spec.property, zone)
        self._within_ms = spec.within
        self._leaves: list[tuple[int, bool, Comparisons]] = []
        self._since = None if spec.since is None else Since(spec.since, zone, spec.include_machine)
        self._running = spec.within is None and spec.since is None
        self.timed = spec.within is not None
        self.forgets = not self._running
        self.cells = () if self._running else (Cells(spec.within or LONGEST_MS),)
        self.events = frozenset({spec.event} if spec.since is None else {spec.event, spec.since.event})

    def watch(self, bit: int, asked: AggregateSpec) -> None:
        super().watch(bit, asked)
        self._leaves.append((bit, asked.function == "avg", Comparisons(asked)))

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
        self.forget((entries, marks), now_ms)
        if at_ms <= self._start(marks, now_ms):
            return changed
        self.cells[0].add(entries, entry)
        return True

    @staticmethod
    def _add_up(entries: list[Entry], entry: Entry) -> None:
        if not entries:
            entries.append(entry)
        else:
            entries[0].count += entry.count
            entries[0].total += entry.total
            entries[0].at_ms = max(entries[0].at_ms, entry.at_ms)

    def _start(self, marks: list[int], now_ms: int) -> int:
        """Events at or before it count at no instant from `now_ms` on."""
        window_ms = -1 if self._within_ms is None else now_ms - self._within_ms
        start = None if self._since is None else self._since.start(marks)
        return window_ms if start is None else max(window_ms, start)

    def forget(self, slot: tuple[list[Entry], list[int]], now_ms: int) -> None:
        entries, marks = slot
        drop_until(entries, self._start(marks, now_ms))

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        entries, marks = contact.slots[self.index]
        nothing = self._since is not None and self._since.start(marks) is None
        inside = [] if nothing else entries[first_after(entries, self._start(marks, now_ms)) :]
        count = total = 0
        for entry in inside:
            count += entry.count
            total += entry.total
        bits = self._bits(count, total)
        if self._within_ms is None:
            return bits, NEVER
        for place, entry in enumerate(inside):
            count -= entry.count
            total -= entry.total
            together = place + 1 < len(inside) and inside[place + 1].at_ms == entry.at_ms
            if not together and self._bits(count, total) != bits:
                return bits, entry.at_ms + self._within_ms
        return bits, NEVER

    def _bits(self, count: int, total: int) -> int:
        """The leaves that hold of so many values with this sum, in billionths."""
        bits = 0
        for bit, average, comparisons in self._leaves:
            if (count > 0 and comparisons.hold(total, NANO * count)) if average else comparisons.hold(total, NANO):
                bits |= bit
        return bits

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: AggregateSpec) -> AggregateEvidence:
        entries, marks = contact.slots[self.index]
        within = reach(self._within_ms, self._since, marks, now_ms, past)
        start_ms = within.start_ms()
        inside = [] if start_ms is None else entries[first_after(entries, start_ms) :]
        count, total = sum(entry.count for entry in inside), sum(entry.total for entry in inside)
        average = asked.function == "avg"
        value = None if average and not count else total / (NANO * (count if average else 1))
        newest = past.newest(self._pattern, [entry.at_ms for entry in inside], self._takes_part)
        return AggregateEvidence(value, count, newest, within)

    def _takes_part(self, event: Track, at_ms: int) -> bool:
        return any(nano(value) is not None for value in self._values(event, at_ms))

    def keeps(self) -> tuple[str, ...]:
        most = "" if self._running else f"up to {MAX_ENTRIES:,} entries of time, "
        words = f"{self._property} of {self._pattern}: {most}count and sum{during(self._within_ms)}"
        return (words,) if self._since is None else (words, self._since.keeps())

    def largest(self) -> Any:
        entries = [LARGEST] * (1 if self._running else MAX_ENTRIES)
        return self.store((entries, [] if self._since is None else self._since.largest()))

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
                findings.add(
                    join(path, name),
                    plainly(bound),
                    f"expected at most {MAX_COUNT}: no more different values are kept",
                )


def _build(spec: Any, zone: tzinfo) -> Unit:
    if spec.function == "distinct":
        return DistinctUnit(spec, zone)
    if spec.function in {"min", "max"}:
        return ExtremeUnit(spec, zone)
    return TotalUnit(spec, zone)


def _past(spec: AggregateSpec) -> str:
    if spec.function in {"min", "max"}:
        return meaning(spec)  # what it keeps depends on the bounds
    family = "distinct" if spec.function == "distinct" else "total"
    return family + meaning(spec, without=("function", "gte", "gt", "lte", "lt", "eq"))


def _asks(spec: AggregateSpec) -> Hashable:
    return spec.function, tuple(spec.bounds().items())


AGGREGATE = LeafKind(AggregateSpec, _build, _check, wording=wording, past=_past, asks=_asks)
