"""`aggregate` with `min` and `max`: the least or the greatest value of a property."""

from __future__ import annotations

from bisect import bisect_left
from datetime import tzinfo
from fractions import Fraction
from itertools import pairwise
from typing import Any

from schemas.instants import LAST_INSTANT_MS
from schemas.records import Track
from streams.segmentation.comparisons import Comparisons, exactly
from streams.segmentation.conditions.aggregate_spec import AggregateEvidence, AggregateSpec
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Occurrence, Past, reach
from streams.segmentation.matching import Pattern, property_of
from streams.segmentation.quantities import NEVER, nano
from streams.segmentation.units import Unit
from streams.segmentation.windows import Since, during
from streams.segmentation.wording import number

_NONE = -1


class ExtremeUnit(Unit):
    """The bounds cut the numbers into regions, and the newest time in each region is all that can matter.

    With bounds a < b the regions are: below a, a, between, b, above b.
    """

    def __init__(self, spec: AggregateSpec, zone: tzinfo) -> None:
        super().__init__()
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._property = spec.property
        self._values = property_of(spec.property, zone)
        self._within_ms = spec.within
        self._since = None if spec.since is None else Since(spec.since, zone, spec.include_machine)
        self._bounds = sorted(set(spec.bounds().values()))
        self._choose = min if spec.function == "min" else max
        comparisons = Comparisons(spec)
        self._holds = [comparisons.hold(*value.as_integer_ratio()) for value in self._samples()]
        places = range(len(self._holds))
        self._order = list(places) if spec.function == "min" else list(reversed(places))
        self.timed = spec.within is not None
        self.forgets = self.timed or spec.since is not None
        self.events = frozenset({spec.event} if spec.since is None else {spec.event, spec.since.event})

    def _samples(self) -> list[Fraction]:
        bounds = self._bounds
        between = [(low + high) / 2 for low, high in pairwise(bounds)]
        samples = [bounds[0] - 1]
        for bound, after in zip(bounds, [*between, bounds[-1] + 1], strict=True):
            samples += [bound, after]
        return samples

    def fresh(self) -> list[list[int]]:
        return [[_NONE] * len(self._holds), []]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:  # noqa: ARG002 - late values count too
        newest, marks = contact.slots[self.index]
        changed = self._since is not None and self._since.touch(marks, event, at_ms)
        if not self._pattern.matches(event, at_ms):
            return changed
        for value in self._values(event, at_ms):
            if nano(value) is not None:
                region = self._region(value)
                if at_ms > newest[region]:
                    newest[region] = at_ms
                    changed = True
        return changed

    def _region(self, value: float) -> int:
        exact = exactly(value)
        place = bisect_left(self._bounds, exact)
        return 2 * place + (place < len(self._bounds) and self._bounds[place] == exact)

    def forget(self, slot: list[list[int]], now_ms: int) -> None:
        newest, marks = slot
        start_ms = _NONE if self._within_ms is None else now_ms - self._within_ms
        if self._since is not None:
            start_ms = max(start_ms, self._since.start(marks) or _NONE)
        newest[:] = [at_ms if at_ms > start_ms else _NONE for at_ms in newest]

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        newest, marks = contact.slots[self.index]
        start: int | None = _NONE if self._since is None else self._since.start(marks)
        if start is None:
            return 0, NEVER
        if self._within_ms is None:
            region = self._decisive(newest, start)
            return (self.mask if region is not None and self._holds[region] else 0), NEVER
        region = self._decisive(newest, max(start, now_ms - self._within_ms))
        holds = region is not None and self._holds[region]
        bits = self.mask if holds else 0
        while region is not None:
            leaves_ms = newest[region] + self._within_ms
            region = self._decisive(newest, max(start, leaves_ms - self._within_ms))
            if (region is not None and self._holds[region]) != holds:
                return bits, leaves_ms
        return bits, NEVER

    def _decisive(self, newest: list[int], start_ms: int) -> int | None:
        return next((region for region in self._order if newest[region] > start_ms), None)

    def keeps(self) -> tuple[str, ...]:
        bounds = ", ".join(map(number, self._bounds))
        words = (
            f"{self._property} of {self._pattern}: newest time at, below and above {bounds}{during(self._within_ms)}"
        )
        return (words,) if self._since is None else (words, self._since.keeps())

    def largest(self) -> list[list[int]]:
        return [[LAST_INSTANT_MS] * len(self._holds), [] if self._since is None else self._since.largest()]

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any) -> AggregateEvidence:  # noqa: ARG002 - one unit, one question
        newest, marks = contact.slots[self.index]
        within = reach(self._within_ms, self._since, marks, now_ms, past)
        start_ms = within.start_ms()
        region = None if start_ms is None else self._decisive(newest, start_ms)
        if start_ms is None or region is None:
            return AggregateEvidence(None, 0, (), within)
        place, on_bound = divmod(region, 2)
        event, value = self._replayed(past, start_ms, region)
        if value is None and on_bound:
            value = float(self._bounds[place])
        above = float(self._bounds[place - 1]) if value is None and place else None
        below = float(self._bounds[place]) if value is None and place < len(self._bounds) else None
        return AggregateEvidence(value, None, (event or Occurrence(newest[region]),), within, above=above, below=below)

    def _replayed(self, past: Past, start_ms: int, region: int) -> tuple[Occurrence | None, float | None]:
        """The value and its newest event, which the state does not keep: it knows the range."""
        if not past.knows_all(self._pattern.event):
            return None, None
        found = [
            (value, occurrence)
            for occurrence, event in past.matching(self._pattern)
            if occurrence.at_ms > start_ms
            for value in self._values(event, occurrence.at_ms)
            if nano(value) is not None
        ]
        decisive = [pair for pair in found if self._region(pair[0]) == region]
        if not decisive:
            return None, None
        value, occurrence = self._choose(reversed(decisive), key=lambda pair: pair[0])
        return occurrence, value
