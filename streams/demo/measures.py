"""Numbers that a screen shows while they change: rates over the last seconds, percentiles of the last latencies."""

from __future__ import annotations

import math
from collections import deque

LATENCIES_MAX = 5_000
"""Latencies kept; the newest count."""


class Rate:
    """Occurrences a second over the last `window_s` seconds. Instants are the caller's, in seconds."""

    def __init__(self, window_s: float = 4.0) -> None:
        self._window_s = window_s
        self._counts: deque[tuple[float, int]] = deque()

    def add(self, count: int, now_s: float) -> None:
        """Count `count` more."""
        self._counts.append((now_s, count))
        self._forget(now_s)

    def per_second(self, now_s: float) -> float:
        """The rate at this instant."""
        self._forget(now_s)
        return sum(count for _, count in self._counts) / self._window_s

    def _forget(self, now_s: float) -> None:
        while self._counts and self._counts[0][0] <= now_s - self._window_s:
            self._counts.popleft()


class Latencies:
    """The last latencies, in milliseconds."""

    def __init__(self) -> None:
        self._values: deque[int] = deque(maxlen=LATENCIES_MAX)
        self.count = 0

    def add(self, latency_ms: int) -> None:
        """Count one more."""
        self._values.append(latency_ms)
        self.count += 1

    def percentile_ms(self, share: float) -> int | None:
        """The smallest latency that at least `share` of the kept ones do not exceed; None where there is none."""
        if not self._values:
            return None
        ordered = sorted(self._values)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
