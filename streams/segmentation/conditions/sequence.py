"""`sequence`: events one strictly after the other, within a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import Field

from schemas.instants import LAST_INSTANT_MS
from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Evidence, Occurrence, Past
from streams.segmentation.matching import Pattern
from streams.segmentation.patterns import INCLUDE_MACHINE, EventSpec
from streams.segmentation.problems import Spec
from streams.segmentation.quantities import NEVER, Duration
from streams.segmentation.units import LeafKind, Unit
from streams.segmentation.windows import MAX_ENTRIES, during, keep_newest, newest
from streams.segmentation.wording import event as event_words

MAX_STEPS = 20


class SequenceSpec(Spec):
    """Events, each strictly after the one before, within a time."""

    steps: Annotated[list[EventSpec], Field(min_length=1, max_length=MAX_STEPS)] = Field(
        description="The events, each strictly after the one before.",
        examples=[[{"event": "product_view"}, {"event": "cart_add"}]],
    )
    within: Duration = Field(description="From the first step to the last at most.", examples=["1h"])
    in_last: Duration | None = Field(
        default=None, description="The last step lies in this last time; without it, at any time.", examples=["30d"]
    )
    include_machine: bool = INCLUDE_MACHINE


@dataclass(frozen=True, slots=True)
class SequenceStep:
    """A step: the event that was taken for it, and the newest that might have been."""

    event: str
    taken: Occurrence | None
    newest: Occurrence | None


@dataclass(frozen=True, slots=True)
class SequenceEvidence(Evidence):
    """The events of the newest end that the others lead up to, or what is there of each step."""

    kind = "sequence"
    steps: tuple[SequenceStep, ...]
    complete: bool
    ended_too_early: bool
    """It is complete, but its end lies outside of `in_last`."""

    def found(self) -> str:
        if self.complete:
            told = ", ".join(f"{step.event} {step.taken}" for step in self.steps)
            return f"was {told}" + ", which is too long ago" * self.ended_too_early
        return "has no such order; newest: " + ", ".join(
            f"{step.event} {step.newest or 'never'}" for step in self.steps
        )


class SequenceUnit(Unit):
    """Keeps the newest 1,000 event times of each step.

    What once was complete stays so without `in_last`: then only the times that made it so are kept.
    """

    def __init__(self, spec: SequenceSpec, zone: tzinfo) -> None:
        super().__init__()
        self._steps = [Pattern(step, zone, spec.include_machine) for step in spec.steps]
        self._within_ms = spec.within
        self._in_last_ms = spec.in_last
        self.timed = self.forgets = spec.in_last is not None
        self.events = frozenset(step.event for step in spec.steps)

    def fresh(self) -> list[list[int]]:
        return [[] for _ in self._steps]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        steps: list[list[int]] = contact.slots[self.index]
        if self._in_last_ms is None and self._newest_end(steps) is not None:
            return False
        self.forget(steps, now_ms)
        changed = False
        for times, pattern in zip(steps, self._steps, strict=True):
            if at_ms > self._oldest_ms(now_ms) and pattern.matches(event, at_ms):
                keep_newest(times, at_ms, MAX_ENTRIES)
                changed = True
        last_ms = self._newest_end(steps) if changed and self._in_last_ms is None else None
        if last_ms is not None:
            steps[:] = [[taken_ms] for taken_ms in (*_latest_before(steps[:-1], last_ms), last_ms)]
        return changed

    def _oldest_ms(self, now_ms: int) -> int:
        """Events at or before it count at no instant from `now_ms` on."""
        return -1 if self._in_last_ms is None else now_ms - self._in_last_ms - self._within_ms

    def forget(self, slot: list[list[int]], now_ms: int) -> None:
        oldest_ms = self._oldest_ms(now_ms)
        for times in slot:
            if times and times[0] <= oldest_ms:
                del times[: bisect_right(times, oldest_ms)]

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        last_ms = self._newest_end(contact.slots[self.index])
        if last_ms is None:
            return 0, NEVER
        if self._in_last_ms is None:
            return self.mask, NEVER
        leaves_ms = last_ms + self._in_last_ms
        return (self.mask, leaves_ms) if now_ms < leaves_ms else (0, NEVER)

    def keeps(self) -> tuple[str, ...]:
        reach_ms = None if self._in_last_ms is None else self._in_last_ms + self._within_ms
        times = newest(MAX_ENTRIES) + during(reach_ms)
        until = "" if self._in_last_ms is not None else ", until it has happened"
        return tuple(f"step {number}, {step}: {times}{until}" for number, step in enumerate(self._steps, 1))

    def largest(self) -> list[list[int]]:
        return [[LAST_INSTANT_MS] * MAX_ENTRIES for _ in self._steps]

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any) -> SequenceEvidence:  # noqa: ARG002 - one unit, one question
        slot = contact.slots[self.index]
        last_ms = self._newest_end(slot)
        taken = [None] * len(slot) if last_ms is None else [*_latest_before(slot[:-1], last_ms), last_ms]
        steps = tuple(
            SequenceStep(
                pattern.event,
                None if at_ms is None else past.one(pattern, at_ms),
                past.one(pattern, times[-1]) if times else None,
            )
            for pattern, times, at_ms in zip(self._steps, slot, taken, strict=True)
        )
        over = last_ms is not None and self._in_last_ms is not None and now_ms >= last_ms + self._in_last_ms
        return SequenceEvidence(steps, last_ms is not None, over)

    def _newest_end(self, steps: list[list[int]]) -> int | None:
        """The newest time of a last step that the others lead up to soon enough."""
        *before, ends = steps
        place = len(ends)
        while place:
            last_ms = ends[place - 1]
            first_ms = _latest_start(before, last_ms)
            if first_ms is None:
                return None  # an earlier end has even less before it
            if last_ms - first_ms <= self._within_ms:
                return last_ms
            # What leads up to an earlier end begins no later: the ends in between are too late for it as well.
            place = bisect_right(ends, first_ms + self._within_ms, hi=place - 1)
        return None


def _latest_start(steps: list[list[int]], before_ms: int) -> int | None:
    """The time of the first step when each step is taken as late as the one after it allows."""
    for times in reversed(steps):
        place = bisect_left(times, before_ms)
        if not place:
            return None
        before_ms = times[place - 1]
    return before_ms


def _latest_before(steps: list[list[int]], before_ms: int) -> list[int]:
    """The time of each step, taken so; the caller knows that there are such times."""
    taken: list[int] = []
    for times in reversed(steps):
        before_ms = times[bisect_left(times, before_ms) - 1]
        taken.insert(0, before_ms)
    return taken


def _wording(body: Any) -> str:
    last = "" if body.get("in_last") is None else f", ended in the last {body['in_last']}"
    return f"{', then '.join(map(event_words, body['steps']))} within {body['within']}{last}"


SEQUENCE = LeafKind(SequenceSpec, SequenceUnit, wording=_wording)
