"""`make simulate`: many seeds on all cores, with progress; exits 1 with the seeds that went wrong."""

from __future__ import annotations

import json
import logging
import multiprocessing
import sys
import time
from collections import Counter
from dataclasses import replace

import click

from tests.simulation.run import Outcome, Plan, run
from tests.simulation.test_simulation import SMALL


def _quiet() -> None:
    logging.disable(logging.CRITICAL)  # workers that are killed a million times have a lot to say


@click.command()
@click.option("--seeds", default=10_000, show_default=True, help="How many seeds to run.")
@click.option("--from", "first", default=1, show_default=True, help="The first of them.")
@click.option("--faults", default=Plan.faults, show_default=True, help="Faults in each run.")
@click.option("--processes", default=multiprocessing.cpu_count(), show_default=True, help="Runs at the same time.")
@click.option("--trace", is_flag=True, help="Tell the story of the first seed, and run no other.")
@click.option("--every-await", is_flag=True, help="Let a worker die at every await of a small run, for each seed.")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
def main(seeds: int, first: int, faults: int, processes: int, trace: bool, every_await: bool, as_json: bool) -> None:
    """Simulate faults, and audit what came out of each run.

    \b
    Examples:
      python -m tests.simulation --seeds 10000
      python -m tests.simulation --from 4711 --trace
      python -m tests.simulation --every-await --seeds 3
    """
    _quiet()
    if trace:
        outcome = run(first, Plan(faults=faults))
        click.echo("\n".join([*outcome.trace, *outcome.problems]))
        sys.exit(1 if outcome.problems else 0)
    plans = [(seed, Plan(faults=faults)) for seed in range(first, first + seeds)]
    if every_await:
        plans = [
            (seed, replace(SMALL, first_worker_dies_at_step=step))
            for seed, _ in plans
            for step in range(1, run(seed, SMALL).first_worker_steps)
        ]
    bad, total = _run_all(plans, processes)
    _tell(bad, total, as_json)
    sys.exit(1 if bad else 0)


def _run_one(plan: tuple[int, Plan]) -> Outcome:
    return replace(run(*plan), trace=[])


def _run_all(plans: list[tuple[int, Plan]], processes: int) -> tuple[list[Outcome], Counter[str]]:
    total: Counter[str] = Counter()
    bad: list[Outcome] = []
    started = said = time.monotonic()
    with multiprocessing.Pool(processes, initializer=_quiet) as pool:
        for count, outcome in enumerate(pool.imap_unordered(_run_one, plans, chunksize=4), start=1):
            total["runs"] += 1
            total["transitions"] += outcome.transitions
            total["faults"] += outcome.faults.total()
            total += outcome.met
            if outcome.problems:
                bad.append(outcome)
                click.echo(f"seed {outcome.seed}: {outcome.problems[0]}", err=True)
            if time.monotonic() - said > 5 or count == len(plans):
                said = time.monotonic()
                rate = count / (said - started)
                left_s = (len(plans) - count) / rate
                click.echo(f"{count} of {len(plans)} runs, {len(bad)} bad, {rate:.1f}/s, {left_s:.0f} s left", err=True)
    return bad, total


def _tell(bad: list[Outcome], total: Counter[str], as_json: bool) -> None:
    figures = dict(sorted(total.items())) | {"bad": len(bad)}
    if as_json:
        click.echo(json.dumps(figures | {"seeds": sorted(outcome.seed for outcome in bad)}))
        return
    for name, count in figures.items():
        click.echo(f"{count:12,} {name}")
    for outcome in bad:
        click.echo(f"seed {outcome.seed}: {len(outcome.problems)} problems; --from {outcome.seed} --trace")


if __name__ == "__main__":
    main()
