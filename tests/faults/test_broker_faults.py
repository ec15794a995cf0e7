"""What may befall the broker under the collector and two workers: nothing acknowledged is lost, all come back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException

from schemas.errors import EXIT_UNAVAILABLE
from schemas.instants import parse_instant
from tests.faults.auditing import read_topic
from tests.faults.calls import Calls
from tests.faults.stage import RECOVERY_S, Stage
from tests.live.workers import Place, published
from tests.support.brokers import QUICK_RETURN, Broker, start_broker
from tests.support.processes import Commands
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import RunDirectory
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def broker(run_directory: RunDirectory) -> Iterator[Broker]:
    """One for the tests of this module: each leaves it running."""
    broker = start_broker(run_directory, QUICK_RETURN)
    yield broker
    broker.kill()


def _restart(broker: Broker) -> None:
    broker.stop()
    broker.start()


def _kill(broker: Broker) -> None:
    broker.kill()
    broker.start()


def _be_away(broker: Broker) -> None:
    broker.kill()
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 30, 40, "30 s without a broker")
    broker.start()


def _hang(broker: Broker) -> None:
    broker.pause()
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 10, 20, "10 s with a broker that hangs")
    broker.resume()


def _run_full(broker: Broker) -> None:
    broker.fill_disk()
    broker.start()


@pytest.mark.parametrize("fault", [_restart, _kill, _be_away, _hang, _run_full])
def test_what_was_acknowledged_stays_and_everybody_comes_back(
    make_stage: Callable[[str, str], Stage],
    broker: Broker,
    redis_url: str,
    commands: Commands,
    fault: Callable[[Broker], None],
) -> None:
    stage = make_stage(broker.bootstrap_servers, redis_url)
    stage.begin()
    calls = Calls(commands)
    calls.start()
    calls.goes_on(10)
    fault(broker)
    stage.recovered(f"broker: {fault.__name__.strip('_')}")
    calls.goes_on(RECOVERY_S)
    calls.stop()
    verdict = stage.settle()
    assert verdict.problems == []
    assert {code for member in stage.crew.members for code in member.ends} <= {EXIT_UNAVAILABLE}
    assert len(calls.answered) > 3
    assert calls.missing(read_topic(broker.bootstrap_servers, stage.names.tracking, stage.partitions)) == []


def test_a_timer_that_falls_due_while_everything_is_down_fires_once_on_return_with_its_true_instant(
    broker: Broker, own_redis: LocalRedis, commands: Commands, namespace: str, tmp_path: Path
) -> None:
    commands.environment |= {
        "SEGUE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "SEGUE_REDIS_URL": own_redis.url,
    }
    place = Place(commands, broker.bootstrap_servers, own_redis.url, namespace, tmp_path)
    place.prepare("append", "{version: 1, segments: {active: {when: {performed: {event: page_view, within: 4s}}}}}")
    worker = place.worker()
    worker.wait_for_output("serving from offset")
    place.command("track", "c1", "page_view")
    sent_ms = time.time_ns() // 1_000_000
    wait_until(lambda: len(place.output()) == 1, 30, "entered")
    worker.kill()
    own_redis.kill()
    broker.kill()
    wait_until(lambda: time.time_ns() // 1_000_000 > sent_ms + 5_000, 20, "the instant passed")
    broker.start()
    own_redis.start()
    worker = place.worker()
    wait_until(lambda: _published(place) == 2, 30, "exited")
    assert worker.terminate() == 0
    (tracked,) = (body for body in _bodies(place) if body["type"] == "track")
    _, exited = published(place.output())
    assert (exited["type"], exited["cause"]["kind"]) == ("segment.exited", "timer")
    assert parse_instant(exited["effective_at"]) == parse_instant(tracked["occurred_at"]) + 4_000
    assert parse_instant(exited["detected_at"]) > parse_instant(exited["effective_at"]) + 1_000


def _published(place: Place) -> int:
    """Transitions, or -1 where a broker that has just come back does not know yet that it leads."""
    try:
        return len(place.output())
    except KafkaException:
        return -1


def _bodies(place: Place) -> list[Any]:
    logs = read_topic(place.servers, place.names.tracking, place.partitions)
    return [json.loads(message.value or b"") for log in logs for message in log]
