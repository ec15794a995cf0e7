"""`python -m bench compare`: Segue and what one would pick instead, on the same events, in turn and repeated.

About ten minutes a round with the default numbers. The results go to `.cache/bench/results`, or to `ops/benchmarks`.
"""

from __future__ import annotations

import argparse
import datetime
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.comparing.entrants import python_of
from bench.comparing.runs import Task, prepare, prepare_segue, run_one
from bench.comparing.servers import Servers, servers
from bench.comparing.surroundings import commit, entry, server_versions, surroundings
from bench.contenders.roster import ROSTER, SEGUE, Contender
from bench.report.markdown import table
from bench.report.results import Comparison, Result
from bench.report.writing import json_text, write
from bench.tables import progress
from bench.work.events import Work
from tests.support.run_directory import CHECKOUT, UnavailableServiceError

_RESULTS = CHECKOUT / ".cache" / "bench" / "results"
_PUBLISHED = CHECKOUT / "ops" / "benchmarks"
_NAMESPACE = "bench"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the comparison."""
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    names = [contender.name for contender in ROSTER]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--out", type=Path, metavar="DIR", default=_RESULTS, help="JSON, Markdown and charts")
    parser.add_argument("--publish", action="store_true", help="write them to ops/benchmarks")


def compare(events: int, contacts: int, rounds: int, chosen: Sequence[Contender]) -> Comparison:
    """Run all of it; every contender alone, the first of a round another each time."""
    pythons = {contender.name: python_of(contender) for contender in chosen}
    work = Work(events, contacts, events)
    results: list[Result] = []
    with servers() as stage:
        tasks = _tasks(stage, work, chosen)
        for number in range(1, rounds + 1):
            first = (number - 1) % len(chosen)
            for contender in [*chosen[first:], *chosen[:first]]:
                task = tasks[_taken(contender, work)]
                result = run_one(contender, pythons[contender.name], number, task, stage, _NAMESPACE)
                results.append(result)
                _tell(result, contender, rounds)
        main = tasks.get(events) or next(iter(tasks.values()))
        return Comparison(
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
            commit=commit(),
            command=shlex.join(["python", "-m", "bench", *sys.argv[1:]]),
            machine=surroundings(),
            servers=server_versions(bool(stage.broker_pids)),
            events=events,
            contacts=contacts,
            transitions=len(main.right.changes),
            baseline=SEGUE.name,
            entries=[entry(contender) for contender in chosen],
            results=results,
        )


def _taken(contender: Contender, work: Work) -> int:
    return min(work.taken, contender.events_max or work.taken)


def _tasks(stage: Servers, work: Work, chosen: Sequence[Contender]) -> dict[int, Task]:
    """By the number of events that they consist of."""
    if any(contender.folder is None for contender in chosen):
        prepare_segue(stage, _NAMESPACE, work)
    return {
        taken: prepare(stage, _NAMESPACE, work.prefix(taken))
        for taken in sorted({_taken(each, work) for each in chosen})
    }


def _tell(result: Result, contender: Contender, rounds: int) -> None:
    rate = f"{result.per_second:,.0f} events/s" if result.per_second and result.right else "no rate"
    progress(f"round {result.round} of {rounds}: {contender.title}: {rate}, {result.verdict}")


def run(arguments: argparse.Namespace) -> None:
    """Run the comparison, print its table, and write its files."""
    try:
        chosen = [each for each in ROSTER if arguments.only is None or each.name in arguments.only]
        comparison = compare(arguments.events, arguments.contacts, arguments.rounds, chosen)
    except UnavailableServiceError as error:
        sys.exit(f"bench: {error}")
    written = write(comparison, _PUBLISHED if arguments.publish else arguments.out)
    if arguments.json is not None:
        arguments.json.write_text(json_text(comparison))
    sys.stdout.write(table(comparison) + "\n\n" + "\n".join(map(str, written)) + "\n")
