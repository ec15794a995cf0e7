"""The parts of which a mixed score is made: recency, frequency and monetary value, each between 0 and 1."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from datetime import tzinfo
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Literal, NamedTuple

from schemas.records import Track
from streams.segmentation.courses import Vanishing
from streams.segmentation.matching import Pattern, property_of
from streams.segmentation.quantities import NANO, NEVER, nano
from streams.segmentation.scores import FrequencySpec, MixPart, MonetarySpec, RecencySpec
from streams.segmentation.windows import LARGEST, MAX_ENTRIES, Cells, Entry, drop_until, during, first_after, newest

_CONTEXT = Context(prec=50)


class Part:
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
    def course(self, entries: list[Entry]) -> PartCourse:
        """How it goes from here on."""

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


class PartCourse(NamedTuple):
    """How a part goes from here on: its edges, and where it lies from one instant to another."""

    edges: list[int]
    reach: Callable[[int, int], tuple[Fraction, Fraction]]


class _Recency(Part):
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

    def course(self, entries: list[Entry]) -> PartCourse:
        edges = [entry.at_ms + self._over_ms for entry in entries]
        return PartCourse(edges, lambda from_ms, to_ms: (self.value(entries, to_ms), self.value(entries, from_ms)))

    def edge(self, entries: list[Entry], now_ms: int) -> int:
        end_ms = entries[0].at_ms + self._over_ms if entries else NEVER
        return end_ms if end_ms > now_ms else NEVER


class Measure(Part):
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
        return self._worth(sum(entry.total for entry in inside))

    def _worth(self, total: int) -> Fraction:
        """What a sum of billionths is worth. It grows with the sum, if it does not stand still."""
        amount = max(Fraction(0), Fraction(total, NANO))
        if amount >= self._full:
            return Fraction(1)
        return _logarithm(amount) / _logarithm(self._full) if self._logarithmic else amount / self._full

    def course(self, entries: list[Entry]) -> PartCourse:
        sum_ = Vanishing(entries, self._within_ms)

        def reach(from_ms: int, to_ms: int) -> tuple[Fraction, Fraction]:
            low, high = sum_.reach(from_ms, to_ms)
            return self._worth(low), self._worth(high)

        return PartCourse(sum_.edges(), reach)

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


def compile_part(part: MixPart, zone: tzinfo) -> Part:
    if part.recency is not None:
        return _Recency(part.recency, zone)
    measure = part.monetary or part.frequency
    assert measure is not None, "a part is one of three"
    return Measure(measure, zone)
