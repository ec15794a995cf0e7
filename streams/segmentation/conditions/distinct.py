"""`aggregate` with `distinct`: how many different values a property has had."""

from __future__ import annotations

import hashlib
from datetime import tzinfo
from typing import Any

from schemas.instants import LAST_INSTANT_MS
from schemas.records import Track
from streams.segmentation.comparisons import Comparisons
from streams.segmentation.conditions.aggregate_spec import AggregateEvidence, AggregateSpec
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import SHOWN, Past, reach
from streams.segmentation.matching import Pattern, property_of
from streams.segmentation.quantities import NEVER, is_number
from streams.segmentation.units import Unit
from streams.segmentation.values import equal
from streams.segmentation.windows import Since, during, newest

_LONGEST_TEXT = 128


def _told_apart(value: Any) -> Any:
    """The value, or a hash of it where it is long: it only has to differ from others."""
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        try:
            if value == float(value):
                return float(value)
        except OverflowError:
            pass  # no other number equals it
        return hashlib.blake2b(str(value).encode(), digest_size=16, person=b"number").digest()
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return hashlib.blake2b(value.encode(), digest_size=16).digest()
    return value


class DistinctUnit(Unit):
    """Keeps the newest values by their latest time: one more than the greatest bound asks for."""

    def __init__(self, spec: AggregateSpec, zone: tzinfo) -> None:
        super().__init__()
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._property = spec.property
        self._values = property_of(spec.property, zone)
        self._within_ms = spec.within
        self._kept = 1
        self._leaves: list[tuple[int, Comparisons]] = []
        self._since = None if spec.since is None else Since(spec.since, zone, spec.include_machine)
        self.timed = spec.within is not None
        self.forgets = self.timed or spec.since is not None
        self.events = frozenset({spec.event} if spec.since is None else {spec.event, spec.since.event})

    def watch(self, bit: int, asked: AggregateSpec) -> None:
        super().watch(bit, asked)
        self._leaves.append((bit, Comparisons(asked)))
        self._kept = max(self._kept, int(max(asked.bounds().values())) + 1)

    def fresh(self) -> list[Any]:
        return [[], []]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        latest, marks = contact.slots[self.index]
        changed = self._since is not None and self._since.touch(marks, event, at_ms)
        if not self._pattern.matches(event, at_ms):
            return changed
        self.forget((latest, marks), now_ms)
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

    def _start(self, marks: list[int], now_ms: int) -> int:
        """Values at or before it count at no instant from `now_ms` on."""
        window_ms = -1 if self._within_ms is None else now_ms - self._within_ms
        start = None if self._since is None else self._since.start(marks)
        return window_ms if start is None else max(window_ms, start)

    def forget(self, slot: tuple[list[list[Any]], list[int]], now_ms: int) -> None:
        latest, marks = slot
        start_ms = self._start(marks, now_ms)
        while latest and latest[0][0] <= start_ms:
            del latest[0]

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        latest, marks = contact.slots[self.index]
        nothing = self._since is not None and self._since.start(marks) is None
        start_ms = NEVER if nothing else self._start(marks, now_ms)
        times = [at_ms for at_ms, _ in latest if at_ms > start_ms]
        bits = self._bits(len(times))
        if self._within_ms is None:
            return bits, NEVER
        for left, at_ms in enumerate(times, 1):
            together = left < len(times) and times[left] == at_ms
            if not together and self._bits(len(times) - left) != bits:
                return bits, at_ms + self._within_ms
        return bits, NEVER

    def _bits(self, count: int) -> int:
        """The leaves that hold of so many different values."""
        return sum(bit for bit, comparisons in self._leaves if comparisons.hold(count))

    def keeps(self) -> tuple[str, ...]:
        values = newest(self._kept, "different value") + during(self._within_ms)
        words = f"{self._property} of {self._pattern}: {values}"
        return (words,) if self._since is None else (words, self._since.keeps())

    def largest(self) -> list[Any]:
        longest = [LAST_INSTANT_MS, "\U0010ffff" * _LONGEST_TEXT]
        return [[longest] * self._kept, [] if self._since is None else self._since.largest()]

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any) -> AggregateEvidence:  # noqa: ARG002 - one unit, one question
        latest, marks = contact.slots[self.index]
        within = reach(self._within_ms, self._since, marks, now_ms, past)
        start_ms = within.start_ms()
        inside = [] if start_ms is None else [pair for pair in latest if pair[0] > start_ms]
        newest = past.newest(self._pattern, [at_ms for at_ms, _ in inside])
        values = tuple(_shown(value) for _, value in reversed(inside[-SHOWN:]))
        return AggregateEvidence(len(inside), None, newest, within, len(inside) == self._kept, values=values)


def _shown(value: Any) -> Any:
    return f"(a long text, hash {value.hex()[:8]})" if isinstance(value, bytes) else value
