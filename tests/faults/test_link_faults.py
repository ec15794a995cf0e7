"""What linked contacts send to other partitions, and what may befall it on the way."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.conftest import Kafka
from tests.faults.failpoints import Trap
from tests.faults.stage import Stage
from tests.live.workers import metric
from tests.support.redis_servers import LocalRedis
from tests.support.waiting import wait_until


@pytest.mark.parametrize("point", ["records.answered", "forward.sent"])
def test_a_worker_that_hung_with_forwards_in_its_hands_wakes_and_sends_what_nobody_takes_twice(
    stage: Stage, point: str
) -> None:
    stage.zombies = True
    stage.begin(environment={"SEGUE_SESSION_TIMEOUT_MS": "1000"})
    zombie = stage.crew.replace(0, Trap(point, "stop", passing=2))
    wait_until(lambda: stage.crew.sprung, 30, f"hanging at {point}")
    (other,) = (member for member in stage.crew.members if member is not zombie)
    wait_until(lambda: metric(other.process, "segue_partitions_owned") == stage.partitions, 30, "all taken over")
    stage.recovered(f"SIGSTOP at {point}")
    zombie.process.resume()
    stage.recovered(f"SIGCONT at {point}")
    verdict = stage.settle()
    assert zombie.ends == [-signal.SIGKILL], "it was never started again"
    assert verdict.problems == []


def test_a_redis_set_back_and_emptied_sends_all_of_it_again_and_nothing_counts_twice(
    make_stage: Callable[[str, str], Stage], kafka: Kafka, own_redis: LocalRedis
) -> None:
    stage = make_stage(kafka.bootstrap_servers, own_redis.url)
    stage.begin()
    before = own_redis.snapshot()
    stage.fold_on()
    stage.fold_on()
    own_redis.roll_back(before)
    stage.recovered("set back")
    own_redis.client().flushall()
    stage.recovered("FLUSHALL")
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > 100
