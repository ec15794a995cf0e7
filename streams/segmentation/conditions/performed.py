"""`performed` and `not_performed`: how many matching events lie inside a window."""

from __future__ import annotations

from bisect import bisect_right
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import Field

from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.patterns import CountedSpec, Pattern
from streams.segmentation.problems import Findings, join
from streams.segmentation.quantities import NEVER, Duration
from streams.segmentation.units import LeafKind, Scope, Unit
from streams.segmentation.windows import MAX_COUNT, Since, SinceSpec, keep_newest

Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
_UNBOUNDED = 1 << 30
_COMPARISONS = ("at_least", "at_most", "exactly", "between")


class NotPerformedSpec(CountedSpec):
    """No matching event in the window, or ever."""

    within: Duration | None = None
    since: SinceSpec | None = None

    def span(self) -> tuple[int, int]:
        """The least and the greatest count at which the condition is true."""
        return 0, 0


class PerformedSpec(NotPerformedSpec):
    """A number of matching events in the window, or ever."""

    at_least: Count | None = None
    at_most: Count | None = None
    exactly: Count | None = None
    between: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None

    def span(self) -> tuple[int, int]:
        """The least and the greatest count at which the condition is true."""
        if self.between is not None:
            return self.between[0], self.between[1]
        if self.exactly is not None:
            return self.exactly, self.exactly
        if self.at_most is not None:
            return 0, self.at_most
        return 1 if self.at_least is None else self.at_least, _UNBOUNDED


class CountUnit(Unit):
    """Keeps the newest event times that can decide: one more than the greatest count, or the least count.

    With `since`, it also keeps the newest times of those events, and counts from the nth of them on.
    """

    def __init__(self, spec: NotPerformedSpec, zone: tzinfo) -> None:
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._within_ms = spec.within
        self._least, self._greatest = spec.span()
        self._kept = self._least if self._greatest == _UNBOUNDED else self._greatest + 1
        self.events = frozenset({spec.event})
        self._since: Since | None = None
        if spec.since is not None:
            self._since = Since(spec.since, zone, spec.include_machine)
            self.events |= {spec.since.event}

    def fresh(self) -> list[list[int]]:
        return [[], []]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        times, marks = contact.slots[self.index]
        changed = self._since is not None and self._since.touch(marks, event, at_ms)
        if self._pattern.matches(event, at_ms):
            if self._within_ms is not None:
                start_ms = now_ms - self._within_ms
                if at_ms <= start_ms:
                    return changed
                if times and times[0] <= start_ms:
                    del times[: bisect_right(times, start_ms)]
            keep_newest(times, at_ms, self._kept)
            changed = True
        return changed

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        times, marks = contact.slots[self.index]
        count = len(times)
        if self._since is not None:
            start = self._since.start(marks)
            count = 0 if start is None else len(times) - bisect_right(times, start)
        if self._within_ms is None:
            return (self.mask if self._least <= count <= self._greatest else 0), NEVER
        count = min(count, len(times) - bisect_right(times, now_ms - self._within_ms))
        if count > self._greatest:
            return 0, times[-self._greatest - 1] + self._within_ms
        if count < self._least:
            return 0, NEVER
        return self.mask, times[-self._least] + self._within_ms if self._least else NEVER


def _check(spec: PerformedSpec, _scope: Scope, path: str, findings: Findings) -> None:
    given = [name for name in _COMPARISONS if getattr(spec, name) is not None]
    if len(given) > 1:
        findings.add(path, given, f"expected one comparison of {', '.join(_COMPARISONS)}, not several")
    if spec.at_least == 0:
        findings.add(join(path, "at_least"), 0, "expected at least 1: a count is never below 0, so this is always true")
    if spec.between is not None and spec.between[0] > spec.between[1]:
        findings.add(join(path, "between"), spec.between, "expected the lower bound first")


def _build(spec: Any, zone: tzinfo) -> Unit:
    return CountUnit(spec, zone)


PERFORMED = LeafKind(PerformedSpec, _build, _check)
NOT_PERFORMED = LeafKind(NotPerformedSpec, _build)
