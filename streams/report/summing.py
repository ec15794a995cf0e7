"""A report, put together when the simulation is over."""

from __future__ import annotations

from collections.abc import Sequence

from streams.report.figures import Bar, Report
from streams.report.observing import Observer
from streams.report.scoring import score_figures
from streams.simulation.simulator import Simulator, Tally


def report_of(simulator: Simulator, observer: Observer, names: tuple[str, Sequence[str]]) -> Report:
    """The report of a simulation whose transitions `observer` saw; `names` are those of its files."""
    for later in simulator.held[1:]:
        observer.know(later)
    begun_ms = simulator.tally.begun_ms
    return Report(
        definitions=names[0],
        events=tuple(names[1]),
        partitions=len(simulator.folds),
        begun_ms=simulator.clock_ms if begun_ms is None else begun_ms,
        ended_ms=simulator.clock_ms,
        interval_ms=observer.interval_ms,
        totals=_totals(simulator.tally),
        segments=observer.figures(),
        scores=score_figures(simulator),
    )


def _totals(tally: Tally) -> tuple[Bar, ...]:
    outcomes = tally.outcomes
    idle = sum(outcomes[name] for name in ("unknown", "too_late", "uncorrectable"))
    return (
        Bar("lines", tally.lines),
        Bar("records applied", outcomes["applied"]),
        Bar("duplicates", outcomes["duplicate"]),
        Bar("before an erasure", outcomes["erased"]),
        *([Bar("records that changed nothing", idle)] if idle else []),
        Bar("ticks", tally.ticks),
        *([Bar("changes of definitions", tally.changes)] if tally.changes else []),
        Bar("bad lines", tally.bad),
        Bar("late", tally.late),
        Bar("from the future", tally.future),
        Bar("contacts", tally.contacts),
        Bar("transitions", tally.transitions),
    )
