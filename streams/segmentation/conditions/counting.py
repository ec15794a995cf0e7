"""Counts of events, as a unit that all conditions share which count the same ones."""

from __future__ import annotations

from bisect import bisect_right, insort
from datetime import tzinfo
from typing import TYPE_CHECKING, NamedTuple

from schemas.instants import LAST_INSTANT_MS
from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import CountEvidence, Past, reach
from streams.segmentation.matching import Pattern
from streams.segmentation.quantities import NEVER
from streams.segmentation.units import Unit
from streams.segmentation.windows import Since, during, newest

if TYPE_CHECKING:
    from streams.segmentation.conditions.performed import NotPerformedSpec

UNBOUNDED = 1 << 30


class _Leaf(NamedTuple):
    """A condition on a number of events: so many in the window, or ever where that is None."""

    bit: int
    within_ms: int | None
    least: int
    greatest: int

    @property
    def needed(self) -> tuple[int, int]:
        """In how long a window, and how many newest times decide: one more than the greatest count, or the least."""
        kept = self.least if self.greatest == UNBOUNDED else self.greatest + 1
        return self.within_ms or NEVER, kept


class CountUnit(Unit):
    """Keeps event times for all conditions that count the same events: those that one of them may still ask for.

    With `since`, it also keeps the newest times of those events, and counts from the nth of them on.
    """

    def __init__(self, spec: NotPerformedSpec, zone: tzinfo) -> None:
        super().__init__()
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._leaves: list[_Leaf] = []
        self._leaves_wanted: dict[int, list[_Leaf]] = {}
        self._needs: list[tuple[int, int]] = []
        self._longest_ms = 0
        self.events = frozenset({spec.event})
        self._since: Since | None = None
        if spec.since is not None:
            self._since = Since(spec.since, zone, spec.include_machine)
            self.events |= {spec.since.event}

    def watch(self, bit: int, asked: NotPerformedSpec) -> None:
        super().watch(bit, asked)
        self._leaves.append(_Leaf(bit, asked.within, *asked.span()))
        self._leaves_wanted.clear()
        # The longest window first: mostly the oldest time is kept for it.
        self._needs = _without_lesser(sorted({leaf.needed for leaf in self._leaves}, reverse=True))
        self._longest_ms = self._needs[0][0]
        self.timed = self.forgets = any(leaf.within_ms is not None for leaf in self._leaves)

    def fresh(self) -> list[list[int]]:
        return [[], []]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        times, marks = contact.slots[self.index]
        changed = self._since is not None and self._since.touch(marks, event, at_ms)
        if at_ms <= now_ms - self._longest_ms or not self._pattern.matches(event, at_ms):
            return changed
        insort(times, at_ms)
        self._drop(times, now_ms)
        return True

    def _drop(self, times: list[int], now_ms: int) -> None:
        """Drop the oldest times while no condition asks for them."""
        if times[0] > now_ms - self._longest_ms and len(times) <= self._needs[0][1]:
            return  # as it mostly is
        while times:
            count, oldest_ms = len(times), times[0]
            for within_ms, kept in self._needs:
                if count <= kept and oldest_ms > now_ms - within_ms:
                    return
            del times[0]

    def forget(self, slot: list[list[int]], now_ms: int) -> None:
        if slot[0]:
            self._drop(slot[0], now_ms)

    def look_for(self, wanted: int, contact: Contact, now_ms: int) -> tuple[int, int]:
        leaves = self._leaves_wanted.get(wanted)
        if leaves is None:
            leaves = self._leaves_wanted[wanted] = [leaf for leaf in self._leaves if leaf.bit & wanted]
        return self.look(contact, now_ms, leaves)

    def look(self, contact: Contact, now_ms: int, leaves: list[_Leaf] | None = None) -> tuple[int, int]:
        times, marks = contact.slots[self.index]
        before = 0
        if self._since is not None:
            start = self._since.start(marks)
            before = len(times) if start is None else bisect_right(times, start)
        bits, flip_ms = 0, NEVER
        for bit, within_ms, least, greatest in self._leaves if leaves is None else leaves:
            if within_ms is None:
                if least <= len(times) - before <= greatest:
                    bits |= bit
                continue
            outside = bisect_right(times, now_ms - within_ms)
            count = len(times) - (outside if outside > before else before)
            if count < least:
                continue
            if count <= greatest:
                bits |= bit
                leaving = least
            else:
                leaving = greatest + 1
            # The condition flips when so many newest are no longer inside.
            if leaving and times[-leaving] + within_ms < flip_ms:
                flip_ms = times[-leaving] + within_ms
        return bits, flip_ms

    def keeps(self) -> tuple[str, ...]:
        times = [
            newest(kept) + during(None if within_ms == NEVER else within_ms)
            for within_ms, kept in reversed(self._needs)
        ]
        words = f"{self._pattern}: {', '.join(times)}"
        return (words,) if self._since is None else (words, self._since.keeps())

    def largest(self) -> list[list[int]]:
        times = [LAST_INSTANT_MS] * max(kept for _, kept in self._needs)
        return [times, [] if self._since is None else self._since.largest()]

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: NotPerformedSpec) -> CountEvidence:
        times, marks = contact.slots[self.index]
        within = reach(asked.within, self._since, marks, now_ms, past)
        start_ms = within.start_ms()
        inside = [] if start_ms is None else times[bisect_right(times, start_ms) :]
        window_ms = asked.within or NEVER
        kept = max(kept for longer_ms, kept in self._needs if longer_ms >= window_ms)
        or_more = len(inside) == len(times) and len(inside) >= kept
        if or_more and start_ms is not None and (known := past.times(self._pattern, start_ms)) is not None:
            inside, or_more = known, False
        return CountEvidence(len(inside), or_more, past.newest(self._pattern, inside), within)


def _without_lesser(needs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The needs, longest window first, without those that another one covers."""
    kept: list[tuple[int, int]] = []
    for within_ms, count in needs:
        if not kept or count > kept[-1][1]:
            kept.append((within_ms, count))
    return kept
