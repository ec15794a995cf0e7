"""Whatever befalls it, what comes out is what the log says: some hundred seeds, each a run with a dozen faults.

`make simulate SEEDS=10000` runs more of them; `python -m tests.simulation --from SEED --trace` tells one run's story.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.simulation.run import Plan, run

SEEDS = int(os.environ.get("SEGUE_SIMULATION_SEEDS", "500"))
_IN_ONE_TEST = 10
SMALL = Plan(partitions=1, contacts=4, workers=1, records=25, faults=0, changes=0)
"""A run of one worker that nothing disturbs."""
CHANGING = replace(SMALL, records=12, changes=2)
"""Such a run, in which definitions change."""
_EVERY = 8
"""`make simulate` lets the worker die at every single await; here it does at each eighth."""


@pytest.mark.parametrize("first", range(1, SEEDS + 1, _IN_ONE_TEST))
def test_nothing_is_lost_and_nothing_comes_twice_whatever_breaks(first: int) -> None:
    for seed in range(first, min(first + _IN_ONE_TEST, SEEDS + 1)):
        outcome = run(seed)
        assert not outcome.problems, f"seed {seed}: {outcome.problems}"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_worker_may_die_at_any_await(seed: int) -> None:
    undisturbed = run(seed, SMALL)
    assert not undisturbed.problems
    assert undisturbed.first_worker_steps > 1_000
    for step in range(seed, undisturbed.first_worker_steps, _EVERY):
        outcome = run(seed, replace(SMALL, first_worker_dies_at_step=step))
        assert not outcome.problems, f"dead at await {step}: {outcome.problems}"
        assert outcome.met["killed"] == 1
        assert outcome.transitions >= undisturbed.transitions


@pytest.mark.parametrize("seed", [5, 9])
def test_a_worker_may_die_at_any_await_of_a_change_of_definitions(seed: int) -> None:
    undisturbed = run(seed, CHANGING)
    assert not undisturbed.problems
    assert undisturbed.met["changes of definitions"] == 2
    for step in range(seed, undisturbed.first_worker_steps, _EVERY):
        outcome = run(seed, replace(CHANGING, first_worker_dies_at_step=step))
        assert not outcome.problems, f"dead at await {step}: {outcome.problems}"
        assert outcome.met["killed"] == 1


def test_a_seed_tells_the_same_story_every_time() -> None:
    stories = {run(4711).digest for _ in range(3)}
    assert len(stories) == 1
    assert run(4712).digest not in stories


def test_the_faults_do_befall_the_runs() -> None:
    outcomes = [run(seed) for seed in range(1, 26)]
    met = sum((outcome.met for outcome in outcomes), start=outcomes[0].met - outcomes[0].met)
    for what in (
        "killed",
        "consumer killed",
        "former owners turned away",
        "calls whose fate was: request lost",
        "calls whose fate was: reply lost",
        "calls whose fate was: late",
        "requests that never arrived",
        "produces refused",
        "changes of definitions",
        "builds by others",
        "builds by others cut short",
    ):
        assert met[what] > 0, what
    assert len(set().union(*(outcome.faults for outcome in outcomes))) > 12
    assert sum(outcome.transitions for outcome in outcomes) > 400
