"""`ratio`: the quotient of two counts, each in a window of its own."""

from __future__ import annotations

from datetime import tzinfo
from typing import Annotated, Any

from pydantic import Field

from schemas.records import Track
from streams.segmentation.comparisons import Comparisons, RatioBounds, check_bounds
from streams.segmentation.contact import Contact
from streams.segmentation.patterns import CountedSpec, Pattern
from streams.segmentation.problems import Findings, join
from streams.segmentation.quantities import NEVER, Duration
from streams.segmentation.units import LeafKind, Scope, Unit
from streams.segmentation.windows import Entry, add_entry, drop_until, first_after

_DECIMALS = 10**6


class CountSpec(CountedSpec):
    """A count, in a window that may lie some time ago."""

    within: Duration | None = None
    ago: Duration | None = None


class RatioSpec(RatioBounds):
    """Two counts, how many the second must be at least, and bounds on the first by the second."""

    of: CountSpec
    to: CountSpec
    min: Annotated[int, Field(ge=1)] = 1


class _Window:
    """One of the two counts. Without a window it is a running count, kept as one entry."""

    def __init__(self, spec: CountSpec, zone: tzinfo) -> None:
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._within_ms = spec.within
        self._ago_ms = spec.ago or 0

    def touch(self, entries: list[Entry], event: Track, at_ms: int, now_ms: int) -> bool:
        if not self._pattern.matches(event, at_ms):
            return False
        if self._within_ms is None:
            if entries:
                entries[0].count += 1
            else:
                entries.append(Entry(at_ms))
            return True
        oldest_ms = now_ms - self._ago_ms - self._within_ms
        drop_until(entries, oldest_ms)
        if at_ms <= oldest_ms:
            return False
        add_entry(entries, Entry(at_ms), self._within_ms)
        return True

    def count(self, entries: list[Entry], now_ms: int) -> int:
        if self._within_ms is None:
            return entries[0].count if entries else 0
        end_ms = now_ms - self._ago_ms
        inside = entries[first_after(entries, end_ms - self._within_ms) : first_after(entries, end_ms)]
        return sum(entry.count for entry in inside)

    def edges(self, entries: list[Entry], now_ms: int) -> list[int]:
        """When events will come into the window or leave it, after `now_ms`."""
        if self._within_ms is None:
            return []
        found = [entry.at_ms + self._ago_ms for entry in entries] if self._ago_ms else []
        found += [entry.at_ms + self._ago_ms + self._within_ms for entry in entries]
        return [edge for edge in found if edge > now_ms]


class RatioUnit(Unit):
    """Keeps the entries of both counts."""

    def __init__(self, spec: RatioSpec, zone: tzinfo) -> None:
        self._of = _Window(spec.of, zone)
        self._to = _Window(spec.to, zone)
        self._least = spec.min
        self._comparisons = Comparisons(spec)
        self.events = frozenset({spec.of.event, spec.to.event})

    def fresh(self) -> list[list[Entry]]:
        return [[], []]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        of, to = contact.slots[self.index]
        changed = self._of.touch(of, event, at_ms, now_ms)
        return self._to.touch(to, event, at_ms, now_ms) or changed

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        of, to = contact.slots[self.index]
        holds = self._holds(of, to, now_ms)
        for edge in sorted({*self._of.edges(of, now_ms), *self._to.edges(to, now_ms)}):
            if self._holds(of, to, edge) != holds:
                return (self.mask if holds else 0), edge
        return (self.mask if holds else 0), NEVER

    def _holds(self, of: list[Entry], to: list[Entry], now_ms: int) -> bool:
        below = self._to.count(to, now_ms)
        return below >= self._least and self._comparisons.hold(self._of.count(of, now_ms), below)

    def store(self, slot: Any) -> Any:
        return [[(entry.at_ms, entry.count) for entry in entries] for entries in slot]

    def restore(self, stored: Any) -> Any:
        return [[Entry(at_ms, count) for at_ms, count in entries] for entries in stored]


def _check(spec: RatioSpec, _scope: Scope, path: str, findings: Findings) -> None:
    check_bounds(spec, path, findings)
    for name, bound in spec.bounds().items():
        if (bound * _DECIMALS).denominator != 1:
            findings.add(join(path, name), float(bound), "expected a number with at most 6 decimals")
    for name, count in (("of", spec.of), ("to", spec.to)):
        if count.ago is not None and count.within is None:
            findings.add(join(path, name, "ago"), count.ago, "expected `within` beside it: a window lies some time ago")


RATIO = LeafKind(RatioSpec, RatioUnit, _check)
