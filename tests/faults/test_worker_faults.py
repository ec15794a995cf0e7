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
