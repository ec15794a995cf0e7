"""`aggregate` with `distinct`: how many different values a property has had."""

from __future__ import annotations

import hashlib
from datetime import tzinfo
from typing import Any

from schemas.records import Track
from streams.segmentation.comparisons import Comparisons
from streams.segmentation.conditions.aggregate_spec import AggregateSpec
from streams.segmentation.contact import Contact
from streams.segmentation.patterns import Pattern, property_of
from streams.segmentation.quantities import NEVER, is_number
from streams.segmentation.units import Unit
from streams.segmentation.values import equal
from streams.segmentation.windows import Since

_LONGEST_TEXT = 128


def _told_apart(value: Any) -> Any:
    """The value, or a hash of it where it is long: it only has to differ from others."""
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return hashlib.blake2b(value.encode(), digest_size=16).digest()
    return value


class DistinctUnit(Unit):
    """Keeps the newest values by their latest time: one more than the greatest bound asks for."""

    def __init__(self, spec: AggregateSpec, zone: tzinfo, kept: int) -> None:
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._values = property_of(spec.property, zone)
        self._within_ms = spec.within
        self._kept = kept
        self._comparisons = Comparisons(spec)
        self._since = None if spec.since is None else Since(spec.since, zone, spec.include_machine)
        self.events = frozenset({spec.event} if spec.since is None else {spec.event, spec.since.event})

    def fresh(self) -> list[Any]:
        return [[], []]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:  # noqa: ARG002 - late values count too
        latest, marks = contact.slots[self.index]
        changed = self._since is not None and self._since.touch(marks, event, at_ms)
        if not self._pattern.matches(event, at_ms):
            return changed
        for value in self._values(event, at_ms):
            if isinstance(value, str | bool) or is_number(value):
                changed |= self._see(latest, _told_apart(value), at_ms)
        return changed

    def _see(self, latest: list[list[Any]], value: Any, at_ms: int) -> bool:
        known = next((pair for pair in latest if equal(pair[1], value)), None)
        if known is not None:
            if at_ms <= known[0]:
                return False
            known[0] = at_ms
        else:
            latest.append([at_ms, value])
        latest.sort(key=lambda pair: pair[0])
        del latest[: -self._kept]
        return True

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        latest, marks = contact.slots[self.index]
        start = self._since.start(marks) if self._since is not None else -1
        times = [] if start is None else [at_ms for at_ms, _ in latest if at_ms > start]
        if self._within_ms is None:
            return (self.mask if self._comparisons.hold(len(times)) else 0), NEVER
        times = [at_ms for at_ms in times if at_ms > now_ms - self._within_ms]
        holds = self._comparisons.hold(len(times))
        bits = self.mask if holds else 0
        for left, at_ms in enumerate(times, 1):
            together = left < len(times) and times[left] == at_ms
            if not together and self._comparisons.hold(len(times) - left) != holds:
                return bits, at_ms + self._within_ms
        return bits, NEVER
