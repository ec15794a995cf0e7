"""Processor time and memory of processes, sampled while they run."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil


class Sample(NamedTuple):
    """What was used up to one moment."""

    at_ms: float
    """Wall clock, as the broker stamps records on this machine."""
    contender_s: float
    redis_s: float
    broker_s: float
    """Processor seconds, of all processes and threads."""


class Sampler:
    """Looks at a contender's processes, their children, and the servers."""

    def __init__(self, contender: Sequence[int], redis: Sequence[int], broker: Sequence[int]) -> None:
        self._groups = (contender, redis, broker)
        self.samples: list[Sample] = []
        self.peaks_kb: dict[int, int] = {}
        """Most memory that each of the contender's processes has had so far."""

    def sample(self) -> None:
        """Look once."""
        contender, redis, broker = self._groups
        processes = [process for pid in contender for process in _tree(pid)]
        for process in processes:
            self.peaks_kb[process.pid] = max(self.peaks_kb.get(process.pid, 0), _peak_kb(process.pid))
        used = [sum(map(_processor_s, pids)) for pids in ([each.pid for each in processes], redis, broker)]
        self.samples.append(Sample(time.time() * 1000, *used))

    @property
    def broker_is_watched(self) -> bool:
        """The broker's processes are known."""
        return bool(self._groups[2])

    @property
    def peak_mb(self) -> float:
        """Of all the contender's processes together, each at its most."""
        return sum(self.peaks_kb.values()) / 1024

    def used(self, from_ms: float, to_ms: float) -> tuple[float, float, float]:
        """Processor seconds of contender, Redis and broker between two moments."""
        begin, end = self._at(from_ms), self._at(to_ms)
        return end[0] - begin[0], end[1] - begin[1], end[2] - begin[2]

    def _at(self, at_ms: float) -> tuple[float, float, float]:
        """What was used up to a moment, on a straight line between the samples beside it."""
        samples = self.samples
        place = bisect_right(samples, at_ms, key=lambda sample: sample.at_ms)
        before, after = samples[max(0, place - 1)], samples[min(place, len(samples) - 1)]
        between = after.at_ms - before.at_ms
        share = min(1.0, max(0.0, (at_ms - before.at_ms) / between)) if between else 0.0
        first, second, third = (low + (high - low) * share for low, high in zip(before[1:], after[1:], strict=True))
        return first, second, third


def _tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _processor_s(pid: int) -> float:
    with suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


def _peak_kb(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0
