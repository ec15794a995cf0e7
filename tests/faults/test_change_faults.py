"""Definitions that change under two workers, and what may befall them, Redis and the broker meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

import pytest

from schemas.errors import EXIT_BUG
from tests.conftest import Kafka
from tests.faults.crew import Member
from tests.faults.failpoints import POINTS_OF_A_CHANGE, Trap
from tests.faults.stage import Stage
from tests.live.workers import metric
from tests.support.brokers import QUICK_RETURN, start_broker
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import RunDirectory
from tests.support.waiting import wait_until


def _is_right(stage: Stage, changes: int = 2) -> None:
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > 100
    assert stage.changes >= changes


def _is_sprung(stage: Stage, point: str) -> bool:
    return (point, "kill") in stage.crew.sprung


def _ended_by_a_bug(member: Member) -> bool:
    return member.ends[-1:] == [EXIT_BUG]


def test_a_worker_killed_at_every_call_of_a_change_in_turn_loses_and_doubles_nothing(stage: Stage) -> None:
    stage.begin(environment={"SEGUE_SESSION_TIMEOUT_MS": "1000"}, rate_per_s=20)
    calls = dict.fromkeys(point.split(".")[0] for point in POINTS_OF_A_CHANGE)
    for number, call in enumerate(calls):  # before what reads, amid what writes; `make chaos` has all the points
        point = f"{call}.sent" if f"{call}.sent" in POINTS_OF_A_CHANGE else f"{call}.asked"
        stage.crew.replace(number % 2, Trap(point, "kill", passing=1))
        stage.change_until(partial(_is_sprung, stage, point), f"a death at {point}")
    stage.recovered("kill -9 at the last point of a change", 60)
    _is_right(stage, changes=len(calls))


@pytest.mark.parametrize("point", ["build_commit.asked", "switch.asked", "members.answered"])
def test_a_worker_that_hung_amid_a_change_wakes_as_a_zombie_of_which_nothing_is_seen(stage: Stage, point: str) -> None:
    stage.zombies = True
    stage.begin(environment={"SEGUE_SESSION_TIMEOUT_MS": "1000"}, rate_per_s=40)
    zombie = stage.crew.replace(0, Trap(point, "stop", passing=1))
    stage.change_until(lambda: stage.crew.sprung, f"hanging at {point}")
    (other,) = (member for member in stage.crew.members if member is not zombie)
    wait_until(lambda: metric(other.process, "segue_partitions_owned") == stage.partitions, 30, "all taken over")
    stage.recovered(f"SIGSTOP at {point}")
    stage.change()
    zombie.process.resume()
    stage.recovered(f"SIGCONT at {point}")
    assert zombie.ends == [-signal.SIGKILL], "it was never started again"
    _is_right(stage)


def test_bugs_and_rebalances_amid_changes_change_nothing_that_comes_out(stage: Stage) -> None:
    stage.begin(rate_per_s=40)
    for number, point in enumerate(("history.answered", "drop.asked", "settle.answered")):
        member = stage.crew.replace(number % 2, Trap(point, "bug", passing=1))
        stage.change_until(partial(_ended_by_a_bug, member), f"an end by the bug at {point}")
        stage.crew.replace((number + 1) % 2, by=signal.SIGTERM)
        stage.change()
    stage.recovered("a bug amid a change", 60)
    _is_right(stage, changes=6)


def test_a_redis_set_back_and_emptied_around_changes_mends_itself(
    make_stage: Callable[[str, str], Stage], kafka: Kafka, own_redis: LocalRedis
) -> None:
    stage = make_stage(kafka.bootstrap_servers, own_redis.url)
    stage.begin(rate_per_s=40)
    client = own_redis.client()
    before = own_redis.snapshot()
    stage.change()
    amid = own_redis.snapshot()
    stage.fold_on()
    own_redis.roll_back(amid)
    stage.recovered("set back to amid a change")
    own_redis.roll_back(before)
    stage.recovered("set back to before a change")
    stage.change()
    own_redis.client().flushall()
    stage.recovered("FLUSHALL amid a change")
    stage.change()
    own_redis.restart()
    stage.recovered("kill -9 of Redis amid a change")
    client.close()
    assert stage.counted("segue_replays_total") >= 1
    _is_right(stage, changes=3)


def test_a_broker_that_is_restarted_while_its_past_is_read_delays_and_changes_nothing(
    make_stage: Callable[[str, str], Stage], run_directory: RunDirectory, redis_url: str
) -> None:
    broker = start_broker(run_directory, QUICK_RETURN)
    stage = make_stage(broker.bootstrap_servers, redis_url)
    stage.begin(rate_per_s=40)
    for number in range(2):
        stage.crew.replace(number, Trap("history.asked", "stop", passing=2))
    stage.change_until(lambda: stage.crew.sprung, "a worker that reads the past")
    broker.stop()
    stage.crew.resume_all()
    broker.start()
    for number in range(2):
        stage.crew.replace(number)  # the other one may have come to hang meanwhile
    stage.recovered("a broker restarted while its past was read", 60)
    _is_right(stage, changes=1)
    broker.kill()
