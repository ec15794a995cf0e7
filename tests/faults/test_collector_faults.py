"""The collector amid faults: whatever it acknowledged lies in the log, and it comes back by itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from schemas.errors import EXIT_DONE
from tests.faults.open_loop import KEYS, OpenLoop, log_ids
from tests.live.workers import Place
from tests.support.brokers import Broker
from tests.support.processes import Commands, StartedCommand
from tests.support.run_directory import free_port
from tests.support.waiting import wait_until

KILLS = 5


@pytest.fixture
def place(commands: Commands, own_kafka: Broker, redis_url: str, namespace: str, tmp_path: Path) -> Place:
    """Topics on a broker of the test's own, with definitions in them; nobody folds them."""
    commands.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"] = own_kafka.bootstrap_servers
    place = Place(commands, own_kafka.bootstrap_servers, redis_url, namespace, tmp_path)
    place.prepare("append")
    return place


def _start(place: Place, port: int) -> StartedCommand:
    collector = place.commands.start("collector", "--port", str(port), environment=KEYS)
    collector.wait_for_output("collector listens on")
    return collector


def _audit(place: Place, load: OpenLoop) -> None:
    """Each event that was acknowledged lies in the log; one that was sent again may lie there twice."""
    lies = log_ids(place.servers, place.names.tracking, place.partitions)
    assert load.acknowledged <= lies.keys()
    again = sum(count - 1 for count in lies.values())
    refused = load.unanswered + sum(count for status, count in load.statuses.items() if status != 200)
    assert again <= refused, "only what was not acknowledged is sent again"
    print(  # noqa: T201 - the measure
        f"{len(load.acknowledged)} acknowledged, answers {dict(load.statuses)}, {load.unanswered} without one; "
        f"{sum(lies.values())} in the log, {again} of them twice"
    )


def test_what_a_collector_acknowledged_lies_in_the_log_though_it_is_killed_at_any_instant(place: Place) -> None:
    chance, port = random.Random(86), free_port()
    collector = _start(place, port)
    with OpenLoop(port) as load:
        for _ in range(KILLS):
            load.wait_for_more(chance.randrange(50, 250))
            collector.kill()
            collector = _start(place, port)
        load.wait_for_more(200)
    assert set(load.statuses) <= {200, 503}, "503 until the topics were looked at"
    assert collector.terminate() == EXIT_DONE
    _audit(place, load)


def test_a_collector_outlives_the_death_of_its_broker_and_acknowledges_nothing_that_is_lost(
    place: Place, own_kafka: Broker
) -> None:
    port = free_port()
    collector = _start(place, port)
    with OpenLoop(port) as load:
        load.wait_for_more(300)
        own_kafka.kill()
        own_kafka.start()
        load.wait_for_more(300)
        # Away for longer than a record may wait for its acknowledgement: calls are answered 503 in between.
        own_kafka.kill()
        wait_until(lambda: load.statuses[503] >= 20, 30, "calls refused while there is no broker")
        taken = len(load.acknowledged)
        own_kafka.start()
        wait_until(lambda: len(load.acknowledged) > taken, 60, "the collector to come back by itself")
        load.wait_for_more(300)
    assert collector.returncode is None, "it was never started again"
    assert set(load.statuses) <= {200, 503}
    assert collector.terminate() == EXIT_DONE
    _audit(place, load)
