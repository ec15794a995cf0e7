"""What a comparison found, as it is written to JSON and read back."""

from __future__ import annotations

import statistics
from typing import NamedTuple

import msgspec


class Cost(msgspec.Struct):
    """Processor seconds a million events."""

    contender_s: float
    redis_s: float
    broker_s: float | None
    """None where the broker's processes are not known."""


class Result(msgspec.Struct):
    """One run of one contender."""

    contender: str
    round: int
    events: int
    right: bool
    verdict: str
    peak_mb: float
    """Most memory of its processes together."""
    per_second: float | None = None
    """Events a second, which count only if the run was right; None where it could not be measured."""
    cost: Cost | None = None

    @property
    def counts(self) -> bool:
        """Its figures are shown: the result was right, and the pace could be measured."""
        return self.right and self.per_second is not None


class Entry(msgspec.Struct):
    """A contender as a reader of the results has to know it."""

    name: str
    title: str
    how: str
    version: str


class Comparison(msgspec.Struct):
    """All runs of one comparison."""

    date: str
    commit: str
    command: str
    machine: dict[str, str]
    servers: dict[str, str]
    events: int
    contacts: int
    transitions: int
    baseline: str
    """The contender that the others are held against."""
    entries: list[Entry]
    results: list[Result]


class Spread(NamedTuple):
    """Least, middle and most of one figure over the rounds."""

    least: float
    middle: float
    most: float


def spread(values: list[float]) -> Spread | None:
    """None without values."""
    return Spread(min(values), statistics.median(values), max(values)) if values else None


class Line(NamedTuple):
    """What a contender's runs come to."""

    entry: Entry
    events: int
    per_second: Spread | None
    times: Spread | None
    """How many times faster the baseline was in the same round."""
    contender_s: Spread | None
    redis_s: Spread | None
    broker_s: Spread | None
    peak_mb: Spread | None
    faults: list[str]
    """Verdicts of runs that do not count."""


def lines(comparison: Comparison) -> list[Line]:
    """One for each contender, the fastest first."""
    base = {
        result.round: result.per_second
        for result in comparison.results
        if result.contender == comparison.baseline and result.right and result.per_second is not None
    }
    found = [_line(entry, comparison.results, base) for entry in comparison.entries]
    return sorted(found, key=lambda line: -(line.per_second.middle if line.per_second else 0.0))


def _line(entry: Entry, results: list[Result], base: dict[int, float]) -> Line:
    runs = [result for result in results if result.contender == entry.name]
    counted = [result for result in runs if result.counts]
    costs = [result.cost for result in counted if result.cost is not None]
    return Line(
        entry,
        runs[0].events if runs else 0,
        spread([result.per_second for result in counted if result.per_second is not None]),
        spread(
            [base[result.round] / result.per_second for result in counted if result.per_second and result.round in base]
        ),
        spread([cost.contender_s for cost in costs]),
        spread([cost.redis_s for cost in costs]),
        spread([cost.broker_s for cost in costs if cost.broker_s is not None]),
        spread([result.peak_mb for result in counted]),
        [result.verdict for result in runs if not result.counts],
    )
