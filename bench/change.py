"""What a change of definitions costs those who serve: while it is planned, and while it is made.

In turn, a worker folds as much of a log alone and beside a `segue plan` that builds with its default bound on the rate.
The last table is of `segue apply`: how long each part takes, and how long partitions stand still.
"""

from __future__ import annotations

import argparse
import statistics
import time

from bench.stand import DAY_MS, START_MS, Place, cpu_s, stand
from bench.tables import Cell, Table, add_json, progress, publish
from bench.traffic import DEFINITIONS, Traffic
from streams.cli.planning import DEFAULT_RATE
from tests.support.waiting import wait_until

_TIMEOUT_S = 1_800
_SPAN_MS = 30 * DAY_MS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--events", type=int, default=100_000, help="folded in each measurement")
    parser.add_argument("--history", type=int, default=400_000, help="that lie in the log before")
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records-per-second", type=int, default=DEFAULT_RATE, help="of the plan")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    with stand() as servers, servers.place("create") as place:
        measured = _Measured(place, arguments)
        tables = [measured.beside_a_plan(), measured.apply()]
    publish("change", tables, arguments.json)


class _Measured:
    """One log, which grows with every measurement."""

    def __init__(self, place: Place, arguments: argparse.Namespace) -> None:
        self._place = place
        self._arguments = arguments
        self._traffic = Traffic(place.servers, place.names.tracking, place.partitions, arguments.contacts)
        self._step_ms = max(1, _SPAN_MS // (arguments.history + 2 * arguments.rounds * arguments.events))
        self._now_ms = START_MS
        self._changed = place.directory / "changed.yaml"
        changed = DEFINITIONS.replace("at_least: 5", "at_least: 6")
        assert changed != DEFINITIONS, "there is something to change"
        self._changed.write_text(changed)

    def beside_a_plan(self) -> Table:
        """Folding alone, and beside a plan."""
        self._write(self._arguments.history)
        self._fold("what was there before")
        alone, beside = [], []
        for number in range(self._arguments.rounds):
            self._write(self._arguments.events)
            alone.append(self._fold(f"round {number + 1}, alone"))
            self._write(self._arguments.events)
            beside.append(self._fold_beside_a_plan(f"round {number + 1}, beside a plan"))
        ratios = [with_plan / without for with_plan, without in zip(beside, alone, strict=True)]
        rows: list[tuple[Cell, ...]] = [
            ("alone", statistics.median(alone), 1.0),
            ("beside a plan", statistics.median(beside), statistics.median(ratios)),
        ]
        return Table(
            f"folding {self._arguments.events:,} events beside a plan of {self._arguments.records_per_second:,} "
            f"records a second, {self._arguments.rounds} rounds",
            ("what", "events/s", "of alone"),
            rows,
            [f"ratios {min(ratios):.2f} to {max(ratios):.2f}; the worker is never at rest: it catches up"],
        )

    def apply(self) -> Table:
        """A plan as fast as it goes, then the change."""
        place = self._place
        worker = place.commands.start("worker")
        records = place.ends()
        progress("plan")
        planned_s = self._timed("plan", str(self._changed), "--records-per-second", "0", "--json")
        progress("apply")
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._now_ms / 1000 + 1))
        applied_s = self._timed("apply", str(self._changed), "--yes", "--json", "--at", at)
        assert worker.terminate() == 0, worker.tail()
        rows: list[tuple[Cell, ...]] = [
            ("segue plan, as fast as it goes", planned_s, records / planned_s),
            ("segue apply after it, until all workers have made the change", applied_s, None),
        ]
        return Table(f"a change, {records:,} records", ("what", "s", "records/s"), rows)

    def _timed(self, *arguments: str) -> float:
        begun = time.monotonic()
        outcome = self._place.commands.run(*arguments, timeout_s=_TIMEOUT_S)
        assert outcome.returncode == 0, outcome.tail()
        return time.monotonic() - begun

    def _write(self, events: int) -> None:
        self._traffic.write_history(events, self._now_ms, self._step_ms)
        self._now_ms += events * self._step_ms

    def _fold(self, what: str) -> float:
        """Fold what was written; events a second from a tenth of it on."""
        progress(what)
        place, folded, total = self._place, self._place.offsets(), self._place.ends()
        worker = place.commands.start("worker")
        place.fold_until(worker, folded + (total - folded) // 10, _TIMEOUT_S)
        begun, before = time.monotonic(), place.offsets()
        place.fold_until(worker, total, _TIMEOUT_S)
        rate = (total - before) / (time.monotonic() - begun)
        assert worker.terminate() == 0, worker.tail()
        return rate

    def _fold_beside_a_plan(self, what: str) -> float:
        rate = str(self._arguments.records_per_second)
        discarded = self._place.commands.run("plan", "--discard", timeout_s=_TIMEOUT_S)
        assert discarded.returncode == 0, discarded.tail()
        plan = self._place.commands.start("plan", str(self._changed), "--json", "--records-per-second", rate)
        wait_until(lambda: cpu_s(plan.pid) > 1.5 or plan.returncode is not None, 60, "the plan builds")
        folded = self._fold(what)
        assert plan.returncode is None, f"the plan was over before: give it more history\n{plan.tail()}"
        plan.kill()
        return folded
