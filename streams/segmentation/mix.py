"""A score mixed of recency, frequency and monetary value, as a unit."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left, bisect_right
from datetime import tzinfo
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any, Literal

from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Past
from streams.segmentation.patterns import Pattern, property_of
from streams.segmentation.quantities import NANO, NEVER, nano
from streams.segmentation.readings import ScoreUnit, Watched
from streams.segmentation.score_evidence import MixedPart, ScoreParts
from streams.segmentation.scores import FrequencySpec, MixPart, MonetarySpec, RecencySpec, ScoreSpec
from streams.segmentation.windows import (
    LARGEST,
    MAX_ENTRIES,
    Cells,
    Entry,
    drop_until,
    during,
    first_after,
    newest,
    pack_total,
    unpack_total,
)

_CONTEXT = Context(prec=50)
_SNAP = Fraction(1, 10**25)
"""A logarithm is known to so many digits; a sum that is nearer than this to the middle counts as the middle."""


class _Part:
    """One part: between 0 and 1 at an instant, moving in a straight line up to the next of its edges."""

    measure: Literal["recency", "frequency", "monetary"]

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern

    @abstractmethod
    def add(self, entries: list[Entry], event: Track, at_ms: int, now_ms: int) -> bool:
        """Fold a matching event; whether anything changed."""

    @abstractmethod
    def value(self, entries: list[Entry], now_ms: int) -> Fraction:
        """The part at `now_ms`."""

    @abstractmethod
    def edge(self, entries: list[Entry], now_ms: int) -> int:
        """The next instant at which its course breaks, or `NEVER`."""

    @abstractmethod
    def forget(self, entries: list[Entry], now_ms: int) -> None:
        """Drop what is worth nothing from `now_ms` on."""

    @abstractmethod
    def keeps(self) -> str:
        """What it keeps of a contact, in words."""

    @abstractmethod
    def largest(self) -> list[Entry]:
        """The entries at their greatest."""

    def times(self, entries: list[Entry], now_ms: int) -> list[int]:  # noqa: ARG002 - all times but those of windows
        """Times of the events that count, rising."""
        return [entry.at_ms for entry in entries]

    def takes_part(self, event: Track, at_ms: int) -> bool:  # noqa: ARG002 - all events but those that must have a value
        """Whether a matching event counts."""
        return True


class _Recency(_Part):
    measure = "recency"

    def __init__(self, spec: RecencySpec, zone: tzinfo) -> None:
        super().__init__(Pattern(spec, zone, include_machine=False))
        self._over_ms = spec.over

    def add(self, entries: list[Entry], event: Track, at_ms: int, now_ms: int) -> bool:  # noqa: ARG002 - newest alone
        if entries and entries[0].at_ms >= at_ms:
            return False
        entries[:] = [Entry(at_ms)]
        return True

    def forget(self, entries: list[Entry], now_ms: int) -> None:
        drop_until(entries, now_ms - self._over_ms)

    def keeps(self) -> str:
        return f"{self.pattern}: {newest(1)}{during(self._over_ms)}"

    def largest(self) -> list[Entry]:
        return [LARGEST]

    def value(self, entries: list[Entry], now_ms: int) -> Fraction:
        if not entries:
            return Fraction(0)
        return max(Fraction(0), 1 - Fraction(now_ms - entries[0].at_ms, self._over_ms))

    def edge(self, entries: list[Entry], now_ms: int) -> int:
        end_ms = entries[0].at_ms + self._over_ms if entries else NEVER
        return end_ms if end_ms > now_ms else NEVER


class _Measure(_Part):
    """Frequency, or monetary value where a property is summed."""

    def __init__(self, spec: FrequencySpec, zone: tzinfo) -> None:
        super().__init__(Pattern(spec, zone, include_machine=False))
        self._within_ms = spec.within
        self._full = spec.full
        self._logarithmic = spec.scale == "log"
        self._property = f"{spec.property} of " if isinstance(spec, MonetarySpec) else ""
        self._values = property_of(spec.property, zone) if isinstance(spec, MonetarySpec) else None
        self.measure = "frequency" if self._values is None else "monetary"
        self.cells = Cells(spec.within)
        self._kept: int | None = None
        """Events that are worth 1 together: more of them are worth no more."""
        if self._values is None and spec.full < MAX_ENTRIES:
            self._kept = ceil(spec.full)

    def add(self, entries: list[Entry], event: Track, at_ms: int, now_ms: int) -> bool:
        values = self._numbers(event, at_ms)
        if not values:
            return False
        worth = sum(values)
        self.forget(entries, now_ms)
        if at_ms <= now_ms - self._within_ms:
            return False
        self.cells.add(entries, Entry(at_ms, 1, worth))
        if self._kept is not None:
            del entries[: -self._kept]
        return True

    def forget(self, entries: list[Entry], now_ms: int) -> None:
        drop_until(entries, now_ms - self._within_ms)

    def keeps(self) -> str:
        window = during(self._within_ms)
        if self._kept is not None:
            return f"{self.pattern}: {newest(self._kept)}{window}"
        return f"{self._property}{self.pattern}: up to {MAX_ENTRIES:,} entries of time, count and sum{window}"

    def largest(self) -> list[Entry]:
        return [LARGEST] * (self._kept or MAX_ENTRIES)

    def value(self, entries: list[Entry], now_ms: int) -> Fraction:
        inside = entries[first_after(entries, now_ms - self._within_ms) :]
        amount = max(Fraction(0), Fraction(sum(entry.total for entry in inside), NANO))
        if amount >= self._full:
            return Fraction(1)
        return _logarithm(amount) / _logarithm(self._full) if self._logarithmic else amount / self._full

    def edge(self, entries: list[Entry], now_ms: int) -> int:
        place = first_after(entries, now_ms - self._within_ms)
        return entries[place].at_ms + self._within_ms if place < len(entries) else NEVER

    def _numbers(self, event: Track, at_ms: int) -> list[int]:
        if self._values is None:
            return [NANO]
        return [value for value in map(nano, self._values(event, at_ms)) if value is not None]

    def times(self, entries: list[Entry], now_ms: int) -> list[int]:
        return [entry.at_ms for entry in entries[first_after(entries, now_ms - self._within_ms) :]]

    def takes_part(self, event: Track, at_ms: int) -> bool:
        return bool(self._numbers(event, at_ms))


@lru_cache(maxsize=4096)
def _logarithm(amount: Fraction) -> Fraction:
    """ln(1 + amount), to fifty digits, the same on every machine."""
    sum_ = 1 + amount
    return Fraction(_CONTEXT.ln(_CONTEXT.divide(Decimal(sum_.numerator), Decimal(sum_.denominator))))


def _compile(part: MixPart, zone: tzinfo) -> _Part:
    if part.recency is not None:
        return _Recency(part.recency, zone)
    measure = part.monetary or part.frequency
    assert measure is not None, "a part is one of three"
    return _Measure(measure, zone)


class MixUnit(ScoreUnit):
    """A weighted sum of parts. Its slot has the entries of each part."""

    def __init__(self, name: str, spec: ScoreSpec, zone: tzinfo) -> None:
        super().__init__(name, spec)
        self._parts = [(Fraction(part.weight, NANO), _compile(part, zone)) for part in spec.mix or ()]
        self.events = frozenset(part.pattern.event for _, part in self._parts)
        self.timed = self.forgets = True
        self.cells = tuple(part.cells for _, part in self._parts if isinstance(part, _Measure))

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
        return int((1000 * total + Fraction(1, 2) + _SNAP) // 1)

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
        return self.bits_of(watched, unbounded), self._crossing(watched.bounds, contact, unbounded, now_ms, edge_ms)

    def _crossing(self, bounds: list[int], contact: Contact, reading: int, now_ms: int, edge_ms: int) -> int:
        """The first instant up to the next edge at which the reading has passed a bound; the edge if none."""
        # Between two edges the sum moves in a straight line, so the reading moves one way.
        place = bisect_right(bounds, reading)

        def passed(instant_ms: int) -> bool:
            return bisect_right(bounds, self.unbounded(contact, instant_ms)) != place

        return now_ms + 1 + bisect_left(range(now_ms + 1, edge_ms), True, key=passed)

    def keeps(self) -> tuple[str, ...]:
        return tuple(part.keeps() for _, part in self._parts)

    def largest(self) -> Any:
        return self.store([part.largest() for _, part in self._parts])

    def store(self, slot: Any) -> Any:
        return [[(entry.at_ms, entry.count, pack_total(entry.total)) for entry in entries] for entries in slot]

    def restore(self, stored: Any) -> Any:
        return [[Entry(at_ms, count, unpack_total(total)) for at_ms, count, total in entries] for entries in stored]
