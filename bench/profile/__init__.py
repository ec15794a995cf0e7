"""Where a worker's time goes while it catches up: a flame graph (SVG), and the functions that take most, as text.

py-spy samples the worker as it runs, from an environment of its own under `.cache/bench`, made once. The first half of
the time gives the graph, the second the table. Only samples count in which a thread held the interpreter: what is
waited for outside of it, the broker or Redis, is another process's time.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from bench.profile.environment import py_spy
from bench.profile.stacks import Stacks, read_stacks
from bench.stand import DAY_MS, START_MS, stand
from bench.tables import Table, add_json, progress, publish
from bench.traffic import Traffic
from tests.support.run_directory import CHECKOUT

_RESULTS = CHECKOUT / ".cache" / "bench" / "results" / "profile"
_START_TIMEOUT_S = 120
_MARGIN_S = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--events", type=int, default=600_000, help="in the log, which should outlast the profile")
    parser.add_argument("--contacts", type=int, default=60_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=200, help="samples a second")
    parser.add_argument("--native", action="store_true", help="also functions of C, where their names are known")
    parser.add_argument("--functions", type=int, default=40, help="lines of the table")
    parser.add_argument("--out", type=Path, default=_RESULTS, metavar="DIRECTORY")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    graph, table = arguments.out / "worker.svg", arguments.out / "worker.txt"
    raw = arguments.out / "worker.stacks"
    spy = py_spy()
    with stand() as servers, servers.place("create") as place:
        progress("writing the log")
        traffic = Traffic(place.servers, place.names.tracking, place.partitions, arguments.contacts)
        traffic.write_history(arguments.events, START_MS, max(1, 30 * DAY_MS // arguments.events))
        worker = place.commands.start("worker")
        place.fold_until(worker, 2 * place.partitions, _START_TIMEOUT_S)
        for style, target in (("flamegraph", graph), ("raw", raw)):
            progress(f"sampling for {target.name}")
            _record(spy, worker.pid, style, target, arguments)
        ended_early = place.offsets() >= place.ends()
        assert worker.terminate() == 0, worker.tail()
    found = _table(read_stacks(raw.read_text()), arguments.functions)
    table.write_text(found.text() + "\n")
    publish("profile", [found], arguments.json)
    progress(f"{graph}, {table}")
    if ended_early:
        progress("the log ended before the profile did: give more --events")


def _record(spy: Path, pid: int, style: str, target: Path, arguments: argparse.Namespace) -> None:
    seconds = max(1, arguments.seconds // 2)
    command = [str(spy), "record", "--pid", str(pid), "--duration", str(seconds), "--rate", str(arguments.rate)]
    command += ["--gil", "--format", style, "--output", str(target), *(["--native"] if arguments.native else [])]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _MARGIN_S, check=False)
    assert outcome.returncode == 0, (
        f"py-spy ended with {outcome.returncode}; it needs the right to look into another process (root, or "
        f"kernel.yama.ptrace_scope=0): {outcome.stderr}"
    )


def _table(stacks: Stacks, functions: int) -> Table:
    rows = [
        (name, 100 * own / stacks.samples, 100 * stacks.total[name] / stacks.samples)
        for name, own in stacks.own.most_common(functions)
    ]
    return Table(
        f"the worker's functions, {stacks.samples:,} samples",
        ("function", "itself, % of samples", "with what it calls, %"),
        rows,
    )
