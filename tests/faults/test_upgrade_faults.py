"""Versions of Segue that follow each other, each with a format of its own, and what befalls them as they take over."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

import pytest

from tests.conftest import Kafka
from tests.faults.failpoints import Trap
from tests.faults.stage import Stage
from tests.live.workers import metric
from tests.support.redis_servers import LocalRedis
from tests.support.waiting import wait_until

CALLS = ("begin.sent", "build_commit.sent", "members.asked", "settle.sent", "take_over.sent", "drop.sent")
"""Points of what an upgrade calls, in the order in which it comes to them; `tests/engine` has all calls."""
QUICK = {"SEGUE_SESSION_TIMEOUT_MS": "1000"}


def _is_sprung(stage: Stage, point: str, before: int) -> bool:
    return stage.crew.sprung.count((point, "kill")) > before


def _is_right(stage: Stage) -> None:
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > 50


def test_a_worker_killed_at_call_after_call_of_an_upgrade_loses_and_doubles_nothing(stage: Stage) -> None:
    stage.begin(environment=QUICK, rate_per_s=20)
    for version, point in enumerate(CALLS, 1):
        if version % 3 == 1:
            stage.change()  # the workers that are to make it may never come to do so
        sprung = stage.crew.sprung.count((point, "kill"))
        stage.crew.upgrade(version, Trap(point, "kill", passing=1))
        wait_until(partial(_is_sprung, stage, point, sprung), 60, f"a death at {point}")
        stage.fold_on(60)
    stage.recovered("kill -9 at the last point of an upgrade", 60)
    _is_right(stage)


@pytest.mark.parametrize("point", ["build_commit.asked", "take_over.asked"])
def test_a_worker_that_hung_amid_an_upgrade_wakes_as_a_zombie_of_which_nothing_is_seen(
    stage: Stage, point: str
) -> None:
    stage.zombies = True
    stage.begin(environment=QUICK, rate_per_s=40)
    stage.crew.upgrade(1)
    stage.fold_on(60)
    stage.crew.upgrade(2, Trap(point, "stop", passing=1))
    stage.crew.wait_sprung(point, "stop")
    stage.crew.replace(1)  # it may hang as well
    zombie, other = stage.crew.members
    wait_until(lambda: metric(other.process, "segue_partitions_owned") == stage.partitions, 30, "all taken over")
    stage.recovered(f"SIGSTOP at {point} of an upgrade", 60)
    zombie.process.resume()
    stage.recovered(f"SIGCONT at {point} of an upgrade", 60)
    assert set(zombie.ends) == {-signal.SIGKILL}, "it was ended for each upgrade only"
    _is_right(stage)


def test_a_redis_set_back_to_before_an_upgrade_and_emptied_amid_one_mends_itself(
    make_stage: Callable[[str, str], Stage], kafka: Kafka, own_redis: LocalRedis
) -> None:
    stage = make_stage(kafka.bootstrap_servers, own_redis.url)
    stage.begin(environment=QUICK, rate_per_s=40)
    before = own_redis.snapshot()
    stage.crew.upgrade(1)
    stage.fold_on(60)
    own_redis.roll_back(before)
    stage.recovered("Redis set back to before an upgrade", 60)
    stage.crew.upgrade(2, Trap("settle.asked", "stop", passing=1))
    stage.crew.wait_sprung("settle.asked", "stop")
    own_redis.client().flushall()
    stage.crew.resume_all()
    stage.recovered("FLUSHALL amid an upgrade", 60)
    _is_right(stage)
