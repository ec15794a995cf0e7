"""Workers that die, hang and err, at every point of their way and at any instant."""

from __future__ import annotations

import random
import signal
import time

import pytest

from schemas.errors import EXIT_BUG
from tests.faults.crew import Member
from tests.faults.failpoints import ALWAYS_PASSED, Trap
from tests.faults.stage import Stage
from tests.live.workers import metric
from tests.support.waiting import wait_until


def _wait_for_instant(instant_s: float) -> None:
    wait_until(lambda: time.monotonic() > instant_s, 10, "the next instant")


def _wait_for_end(member: Member, code: int) -> None:
    wait_until(lambda: member.ends[-1:] == [code], 40, f"an end with {code}")


def test_workers_killed_at_random_instants_lose_and_double_nothing(stage: Stage) -> None:
    stage.begin()
    chance = random.Random(1)
    for _ in range(4):
        stage.crew.kill(chance.randrange(2))
        stage.recovered("kill -9 of a worker")
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > 200
    assert verdict.dead_letters > 0


@pytest.mark.parametrize("part", [0, 1])
def test_a_worker_killed_at_every_point_of_its_way_in_turn_loses_and_doubles_nothing(stage: Stage, part: int) -> None:
    stage.begin(environment={"SEGUE_SESSION_TIMEOUT_MS": "1000"}, rate_per_s=50)
    for number, point in enumerate(ALWAYS_PASSED[part::2]):
        stage.crew.replace(number % 2, Trap(point, "kill", passing=2))
        stage.crew.wait_sprung(point, "kill")
    stage.recovered("kill -9 at the last of all points")
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > 500
    assert verdict.dead_letters > 5


@pytest.mark.parametrize("point", ["commit.asked", "publish.asked", "trim.asked"])
def test_a_worker_that_hung_past_its_session_wakes_as_a_zombie_of_which_nothing_is_seen(
    stage: Stage, point: str
) -> None:
    stage.zombies = True
    stage.begin()
    zombie = stage.crew.replace(0, Trap(point, "stop", passing=20))
    wait_until(lambda: stage.crew.sprung, 30, f"hanging at {point}")
    stage.recovered(f"SIGSTOP at {point}")
    (other,) = (member for member in stage.crew.members if member is not zombie)
    wait_until(lambda: metric(other.process, "segue_partitions_owned") == stage.partitions, 30, "all taken over")
    zombie.process.resume()
    if point == "commit.asked":
        wait_until(lambda: metric(zombie.process, "segue_fence_losses_total") >= 1, 30, "its first write refused")
    wait_until(
        lambda: metric(zombie.process, "segue_partitions_owned") == stage.partitions / 2, 30, "half of them again"
    )
    stage.recovered(f"SIGCONT at {point}")
    verdict = stage.settle()
    assert zombie.ends == [-signal.SIGKILL], "it was never started again"
    assert verdict.problems == []


def test_a_storm_of_rebalances_changes_nothing_that_comes_out(stage: Stage) -> None:
    stage.begin(workers=3)
    began = time.monotonic()
    for number in range(7):
        stage.crew.replace(number % 3, by=signal.SIGTERM if number % 2 else signal.SIGKILL)
        _wait_for_instant(began + 3 * (number + 1))
    stage.recovered("a storm of rebalances")
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > 200


def test_a_bug_anywhere_ends_the_worker_with_its_own_code_and_the_next_one_goes_on(stage: Stage) -> None:
    stage.begin()
    for point in ("commit.answered", "publish.sent", "tick.asked", "trim.asked", "load.answered"):
        member = stage.crew.replace(0, Trap(point, "bug", passing=3))
        _wait_for_end(member, EXIT_BUG)
    stage.recovered("a bug")
    verdict = stage.settle()
    assert verdict.problems == []


def test_ports_that_are_away_at_every_fiftieth_call_delay_and_change_nothing(stage: Stage) -> None:
    stage.begin()
    calls = ("take", "load", "commit", "trim", "outbox", "tail", "dead_letter_tail")
    flaky = tuple(Trap(point, "away", chance=0.02) for point in ALWAYS_PASSED if point.split(".")[0] in calls)
    for number in range(2):
        stage.crew.replace(number, *flaky)
    wait_until(lambda: len(stage.crew.sprung) > 100, 60, "a hundred errors")
    stage.recovered("errors at every fiftieth call")
    assert {point for point, _ in stage.crew.sprung} >= {"commit.asked", "commit.sent", "commit.answered"}
    verdict = stage.settle()
    assert [member.ends for member in stage.crew.members] == [[-signal.SIGKILL]] * 2, "none of them ended"
    assert verdict.problems == []
