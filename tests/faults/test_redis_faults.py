"""What may befall Redis under two workers: stall or replay, and never a wrong result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Kafka
from tests.faults.line import Line
from tests.faults.stage import Stage
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import RunDirectory
from tests.support.waiting import wait_until


@pytest.fixture
def line(own_redis: LocalRedis) -> Iterator[Line]:
    """Between the workers and a Redis of the test's own."""
    line = Line(own_redis.port)
    yield line
    line.close()


@pytest.fixture
def apart(make_stage: Callable[[str, str], Stage], kafka: Kafka, line: Line) -> Stage:
    """A stage on that Redis, with everything on its way."""
    stage = make_stage(kafka.bootstrap_servers, line.url)
    stage.begin()
    return stage


def _is_right(stage: Stage, transitions: int = 100) -> None:
    verdict = stage.settle()
    assert verdict.problems == []
    assert verdict.transitions > transitions


def _wait_for_losses(line: Line, losses: int) -> None:
    wait_until(lambda: line.lost == losses, 20, "a loss on the line")


@pytest.mark.parametrize("fsync", ["everysec", "always"])
def test_killed_and_started_again(apart: Stage, own_redis: LocalRedis, fsync: str) -> None:
    own_redis.client().config_set("appendfsync", fsync)
    for _ in range(3):
        own_redis.restart()
        apart.recovered(f"kill -9 of Redis, {fsync}")
    assert apart.counted("segue_replays_total") == 0, "what it had answered was in its file"
    _is_right(apart)


def test_hanging_for_ten_seconds(apart: Stage, own_redis: LocalRedis) -> None:
    own_redis.pause()
    with pytest.raises(AssertionError):
        apart.fold_on(10)
    own_redis.resume()
    apart.recovered("a Redis that hung for 10 s")
    assert apart.crew.members[0].ends == [], "it was waited for"
    _is_right(apart)


def test_connections_that_break_amid_requests_and_before_replies(apart: Stage, line: Line) -> None:
    for wanted in range(1, 21):
        (line.lose_replies if wanted % 2 else line.lose_requests)()
        _wait_for_losses(line, wanted)
    for _ in range(20):
        line.cut()
        apart.fold_on()
    apart.recovered("a connection that was cut")
    _is_right(apart)


def test_scripts_forgotten_again_and_again(apart: Stage, own_redis: LocalRedis) -> None:
    client = own_redis.client()
    for _ in range(30):
        client.script_flush()
        apart.fold_on()
    apart.recovered("SCRIPT FLUSH")
    client.close()
    assert apart.counted("segue_resynchronisations_total") == 0
    _is_right(apart)


def test_memory_that_is_used_up_and_granted_again(apart: Stage, own_redis: LocalRedis) -> None:
    client = own_redis.client()
    client.config_set("maxmemory", 1)
    with pytest.raises(AssertionError):
        apart.fold_on(4)
    client.config_set("maxmemory", 0)
    client.close()
    apart.recovered("a Redis without memory")
    assert "OOM" in apart.crew.members[0].process.stderr
    _is_right(apart)


def _is_told_of_replays(stage: Stage) -> None:
    assert stage.counted("segue_replays_total") >= 1
    assert any("Redis was set back from record" in member.process.stderr for member in stage.crew.members)


def test_a_failover_to_a_replica_that_lags(
    apart: Stage, own_redis: LocalRedis, line: Line, run_directory: RunDirectory
) -> None:
    link, replica = Line(own_redis.port), LocalRedis(run_directory)
    replica.start()
    client = replica.client()
    client.replicaof("127.0.0.1", str(link.port))
    wait_until(lambda: client.info("replication")["master_link_status"] == "up", 30, "the replica in step")
    link.hold()
    apart.fold_on()
    own_redis.kill()
    link.cut()
    client.replicaof("NO", "ONE")
    line.lead_to(replica.port)
    apart.recovered("failover to a lagging replica")
    _is_told_of_replays(apart)
    _is_right(apart)
    client.close()
    replica.kill()
    link.close()


def test_older_data_restored_while_workers_run(apart: Stage, own_redis: LocalRedis) -> None:
    older = own_redis.snapshot()
    apart.fold_on()
    apart.fold_on()
    own_redis.roll_back(older)
    apart.recovered("older data restored")
    _is_told_of_replays(apart)
    _is_right(apart)


def test_emptied_again_and_again(apart: Stage, own_redis: LocalRedis) -> None:
    client = own_redis.client()
    for _ in range(5):
        client.flushall()
        apart.recovered("FLUSHALL")
    client.close()
    _is_told_of_replays(apart)
    _is_right(apart)
