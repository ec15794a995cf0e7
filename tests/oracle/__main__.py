"""`make fuzz N=50000 SEED=7`: many more draws than `make test` has, round by round, with the seed of each."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time

import click

ROUND_DRAWS = 2_000
"""Draws a round: few enough that a counterexample is found again soon."""
_PLACES = ("tests/oracle", "tests/simulator", "tests/segmentation")


def _round(draws: int, seed: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SEGUE_FUZZ_DRAWS": str(draws), "SEGUE_FUZZ_SEED": str(seed)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "fuzzed"]
    return subprocess.run([*command, *_PLACES], env=environment, capture_output=True, text=True, check=False)


def _left(started: float, done: int, draws: int) -> str:
    seconds = (time.monotonic() - started) / done * (draws - done)
    return f"about {max(1, round(seconds / 60))} min left" if done < draws else "done"


@click.command()
@click.option("--draws", "-n", type=click.IntRange(min=1), default=20_000, show_default=True, help="Draws in all.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of the first round; each later one takes the next.")
def main(draws: int, seed: int | None) -> None:
    """Compare the core with the brute force over random definitions and records."""
    seed = secrets.randbelow(2**31) if seed is None else seed
    click.echo(f"{draws:,} draws in rounds of {ROUND_DRAWS:,}, seeds from {seed} on")
    started, done = time.monotonic(), 0
    for number, first in enumerate(range(0, draws, ROUND_DRAWS)):
        size = min(ROUND_DRAWS, draws - first)
        outcome = _round(size, seed + number)
        if outcome.returncode != 0:
            click.echo(outcome.stdout + outcome.stderr)
            click.echo(f"Found after {done:,} draws. Once more: make fuzz N={size} SEED={seed + number}")
            raise SystemExit(1)
        done += size
        click.echo(f"seed {seed + number}: {done:,} of {draws:,} draws agree, {_left(started, done, draws)}")


if __name__ == "__main__":
    main()
