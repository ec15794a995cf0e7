"""A long history that is caught up with at full speed, in time that its own records tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import EXIT_UNAVAILABLE
from tests.conftest import Kafka
from tests.live import history
from tests.live.workers import Place, comparable, metric, published
from tests.support.processes import Commands
from tests.support.redis_servers import LocalRedis
from tests.support.waiting import wait_until

SMALL_STEPS = {"SEGUE_BATCH_RECORDS_MAX": "50", "SEGUE_TIMERS_PER_COMMIT_MAX": "7"}


@pytest.fixture
def apart(commands: Commands, kafka: Kafka, own_redis: LocalRedis, namespace: str, tmp_path: Path) -> Place:
    """A place on a Redis of the test's own."""
    commands.environment["SEGUE_REDIS_URL"] = own_redis.url
    return Place(commands, kafka.bootstrap_servers, own_redis.url, namespace, tmp_path)


def test_a_history_comes_out_as_simulated_whatever_dies_and_is_set_back_while_it_is_folded(
    apart: Place, own_redis: LocalRedis, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    history.write(events, records=8_000, contacts=200, seed=7)
    apart.prepare("create")
    expected = comparable(apart.simulated(events))
    assert len(expected) > 2_000
    doomed, other = apart.pair(**SMALL_STEPS)
    apart.load_history(events)
    total = sum(apart.log_ends().values())

    wait_until(lambda: apart.folded() > total // 10, 60, "a tenth of the log folded")
    older = own_redis.snapshot()
    own_redis.restart()
    wait_until(lambda: apart.folded() > total // 4, 60, "a quarter of the log folded")
    own_redis.roll_back(older)
    wait_until(lambda: apart.folded() > total // 3, 60, "a third of the log folded")
    doomed.kill()
    wait_until(lambda: apart.folded() > total // 2, 60, "half of the log folded")
    own_redis.client().flushall()
    assert apart.folded() < total // 2, "emptied amid the work"
    apart.wait_until_folded()

    assert comparable(published(apart.output())) == expected
    assert metric(other, "segue_resynchronisations_total") > 0
    assert metric(other, "segue_replays_total") > 0
    assert other.terminate() == 0


def test_a_worker_that_is_behind_and_cannot_move_ends_to_be_started_anew(
    apart: Place, own_redis: LocalRedis, tmp_path: Path
) -> None:
    apart.prepare("create")
    worker = apart.worker(SEGUE_STALL_TIMEOUT_MS="3000", SEGUE_STOP_TIMEOUT_MS="1000")
    apart.wait_until_folded()
    own_redis.pause()
    events = tmp_path / "events.jsonl"
    history.write(events, records=100, contacts=10, seed=8)
    apart.load_history(events)
    assert worker.wait(60) == EXIT_UNAVAILABLE
    assert "made no progress for 3 s" in worker.stderr.splitlines()[-1]
    own_redis.resume()
    worker = apart.worker()
    apart.wait_until_folded()
    assert worker.terminate() == 0
