"""`sequence`: events one strictly after the other, within a time."""

from __future__ import annotations

from bisect import bisect_left
from datetime import tzinfo
from typing import Annotated

from pydantic import Field

from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.patterns import EventSpec, Pattern
from streams.segmentation.problems import Spec
from streams.segmentation.quantities import NEVER, Duration
from streams.segmentation.units import LeafKind, Unit
from streams.segmentation.windows import MAX_ENTRIES, keep_newest

MAX_STEPS = 20


class SequenceSpec(Spec):
    """Steps, how long they may take together, and how lately the last must lie."""

    steps: Annotated[list[EventSpec], Field(min_length=1, max_length=MAX_STEPS)]
    within: Duration
    in_last: Duration | None = None
    include_machine: bool = False


class SequenceUnit(Unit):
    """Keeps the newest 1,000 event times of each step."""

    def __init__(self, spec: SequenceSpec, zone: tzinfo) -> None:
        self._steps = [Pattern(step, zone, spec.include_machine) for step in spec.steps]
        self._within_ms = spec.within
        self._in_last_ms = spec.in_last
        self.events = frozenset(step.event for step in spec.steps)

    def fresh(self) -> list[list[int]]:
        return [[] for _ in self._steps]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        oldest_ms = now_ms - self._in_last_ms - self._within_ms if self._in_last_ms is not None else -1
        changed = False
        for times, pattern in zip(contact.slots[self.index], self._steps, strict=True):
            if at_ms > oldest_ms and pattern.matches(event, at_ms):
                while times and times[0] <= oldest_ms:
                    del times[0]
                keep_newest(times, at_ms, MAX_ENTRIES)
                changed = True
        return changed

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        last_ms = self._newest_end(contact.slots[self.index])
        if last_ms is None:
            return 0, NEVER
        if self._in_last_ms is None:
            return self.mask, NEVER
        leaves_ms = last_ms + self._in_last_ms
        return (self.mask, leaves_ms) if now_ms < leaves_ms else (0, NEVER)

    def _newest_end(self, steps: list[list[int]]) -> int | None:
        """The newest time of a last step that the others lead up to soon enough."""
        for last_ms in reversed(steps[-1]):
            first_ms = _latest_start(steps[:-1], last_ms)
            if first_ms is None:
                return None  # an earlier end has even less before it
            if last_ms - first_ms <= self._within_ms:
                return last_ms
        return None


def _latest_start(steps: list[list[int]], before_ms: int) -> int | None:
    """The time of the first step when each step is taken as late as the one after it allows."""
    for times in reversed(steps):
        place = bisect_left(times, before_ms)
        if not place:
            return None
        before_ms = times[place - 1]
    return before_ms


SEQUENCE = LeafKind(SequenceSpec, SequenceUnit)
