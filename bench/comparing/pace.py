"""How fast a contender was, read from the broker's stamps on what it published.

Start-up counts for nobody. Every transition that an event causes at once names that event by its contact and instant,
and an event counts as folded when all that it and those before it in its partition caused was taken in. The
measurement begins soon after a tenth of the events was folded, and ends with the last; the rate is the events folded
between. That is exact for those too that work in large batches and publish each in any order: it is then the
time from the end of one batch to the end of another.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from bench.work.events import PARTITIONS, START_MS, Work
from bench.work.expected import Published

BEGINS_AT = 0.1
"""Share of the events that a contender has to get warm."""
_BURST_MS = 250
"""What is published within so long of the tenth may be the rest of one batch, and is left out with it."""
_LATEST = 0.7
"""A rate over less than the rest of the events would say little,"""
_SHORTEST_MS = 500
"""and so would one over less time."""


class Pace(NamedTuple):
    """Events folded between two moments of the wall clock."""

    begin_ms: int
    end_ms: int
    events: int

    @property
    def per_second(self) -> float:
        """Events a second."""
        return self.events * 1000 / (self.end_ms - self.begin_ms)


class Places:
    """Where each event of a work lies in its partition."""

    def __init__(self, work: Work) -> None:
        self.events = work.taken
        self._partitions = work.partitions
        self._places: dict[int, int] = {}
        lengths = [0] * PARTITIONS
        for contact, at_ms, _ in work.drawn():
            partition = work.partitions[contact]
            lengths[partition] += 1
            self._places[contact << 40 | at_ms - START_MS] = lengths[partition]

    def pace(self, published: Sequence[Published]) -> Pace | None:
        """The pace of what a contender published; None where too little was published to tell."""
        steps = self._steps(published)
        if len(steps) < 2:
            return None
        least = self.events * BEGINS_AT
        tenth_ms = next((at_ms for at_ms, folded in steps if folded >= least), steps[-1][0])
        begin_ms, begin = steps[bisect_right(steps, tenth_ms + _BURST_MS, key=itemgetter(0)) - 1]
        end_ms, end = steps[-1]
        if begin > self.events * _LATEST or end_ms - begin_ms < _SHORTEST_MS:
            return None
        return Pace(begin_ms, end_ms, end - begin)

    def _steps(self, published: Sequence[Published]) -> list[tuple[int, int]]:
        """By the millisecond: of how many events, from the first on, all that they caused was taken in by then."""
        ready: list[tuple[int, int, int]] = []
        latest_ms = [0] * PARTITIONS
        for place, partition, appended_ms in sorted(self._caused(published)):
            latest_ms[partition] = max(latest_ms[partition], appended_ms)
            ready.append((latest_ms[partition], partition, place))
        folded = [0] * PARTITIONS
        steps: list[tuple[int, int]] = []
        for at_ms, partition, place in sorted(ready):
            folded[partition] = place
            if steps and steps[-1][0] == at_ms:
                steps.pop()
            steps.append((at_ms, sum(folded)))
        return steps

    def _caused(self, published: Sequence[Published]) -> Iterator[tuple[int, int, int]]:
        """Place, partition and stamp of all that an event caused at once."""
        for change, _, appended_ms in published:
            place = self._places.get(change.contact << 40 | change.effective_at - START_MS)
            if place is not None:
                yield place, self._partitions[change.contact], appended_ms
