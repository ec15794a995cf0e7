"""The way that a score goes if nothing happens but that time passes, prepared once for all searches of a step.

A score whose parts vanish one by one has an edge at each of them, up to thousands, and most of them turn nothing.
To stop at each of them and add up all that is left took seconds. So a search asks first how far the reading can lie
over many edges together, and looks more closely only where it may pass a bound: exactly, and in few looks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from mypy_extensions import mypyc_attr

from streams.segmentation.quantities import NEVER
from streams.segmentation.windows import Entry


class Reach(NamedTuple):
    """Where a number lies over some time: no lower and no higher, though it need not get there."""

    low: int
    high: int


class Vanishing:
    """The sum of entries of which each vanishes `window_ms` after its time."""

    __slots__ = ("_gained", "_lost", "_times", "_window_ms")

    def __init__(self, entries: Sequence[Entry], window_ms: int) -> None:
        self._times = [entry.at_ms for entry in entries]
        self._window_ms = window_ms
        self._gained = [0, *accumulate(max(0, entry.total) for entry in entries)]
        self._lost = [0, *accumulate(min(0, entry.total) for entry in entries)]

    def edges(self) -> list[int]:
        """When entries vanish."""
        return [at_ms + self._window_ms for at_ms in self._times]

    def reach(self, from_ms: int, to_ms: int) -> Reach:
        """Where the sum lies from one instant to another: what is above 0 only falls, what is below only rises."""
        first = bisect_right(self._times, from_ms - self._window_ms)
        last = first if to_ms == from_ms else bisect_right(self._times, to_ms - self._window_ms)
        gained, lost = self._gained, self._lost
        return Reach(
            gained[-1] - gained[last] + lost[-1] - lost[first], gained[-1] - gained[first] + lost[-1] - lost[last]
        )


@mypyc_attr(allow_interpreted_subclasses=True)
class Course(ABC):
    """The reading of a score from now on, without cap and floor."""

    def __init__(self, edges: set[int]) -> None:
        """Between two of the edges the reading moves one way, and after the last one too."""
        self._edges = sorted(edges)

    @abstractmethod
    def reach(self, from_ms: int, to_ms: int) -> Reach:
        """Where the reading lies from one instant to another, both included; exactly at a single one."""

    @abstractmethod
    def crossing(self, bounds: list[int], from_ms: int, edge_ms: int) -> int:
        """The first instant after `from_ms` at which a bound is passed, if that is before the next edge."""

    def next_turn(self, bounds: list[int], now_ms: int) -> int:
        """The first instant after `now_ms` at which the reading lies between other bounds than now, or `NEVER`."""
        starts = [now_ms, *self._edges[bisect_right(self._edges, now_ms) :]]
        place = bisect_right(bounds, self.reach(now_ms, now_ms).low)

        def stays(from_ms: int, to_ms: int) -> bool:
            low, high = self.reach(from_ms, to_ms)
            return bisect_right(bounds, low) == place == bisect_right(bounds, high)

        waiting = [(0, len(starts) - 1)]
        while waiting:
            first, last = waiting.pop()
            if first == last or stays(starts[first], starts[last] - 1):
                continue
            if last - first > 1:
                middle = (first + last) // 2
                waiting += [(middle, last), (first, middle)]
                continue
            if not stays(starts[first], starts[first]):
                return starts[first]
            crossing_ms = self.crossing(bounds, starts[first], starts[last])
            if crossing_ms < starts[last]:
                return crossing_ms
        if not stays(starts[-1], starts[-1]):
            return starts[-1]
        return self.crossing(bounds, starts[-1], NEVER)
