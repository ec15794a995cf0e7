"""Workers that die, hang and err, at every point of their way and at any instant."""

from __future__ import annotations

import random

from tests.faults.failpoints import ALWAYS_PASSED, Trap
from tests.faults.stage import Stage
from tests.support.waiting import wait_until


def test_workers_killed_at_random_instants_lose_and_double_nothing(stage: Stage) -> None:
    stage.begin()
    chance = random.Random(1)
    for _ in range(4):
        stage.crew.kill(chance.randrange(2))
        stage.recovered("kill -9 of a worker")
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > 300
    assert verdict.dead_letters > 0


def test_a_worker_killed_at_every_point_of_its_way_in_turn_loses_and_doubles_nothing(stage: Stage) -> None:
    stage.begin()
    for number, point in enumerate(ALWAYS_PASSED):
        stage.crew.replace(number % 2, Trap(point, "kill", passing=2))
        wait_until(lambda at=point: (at, "kill") in stage.crew.sprung, 30, f"a death at {point}")
    stage.recovered("kill -9 at the last of all points")
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > 1_000
    assert verdict.dead_letters > 10
