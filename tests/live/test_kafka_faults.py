"""What may befall Kafka under a working worker, and that nothing of it shows in what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live import history
from tests.live.workers import Place, comparable, published
from tests.support.brokers import Broker
from tests.support.processes import Commands
from tests.support.waiting import wait_until


@pytest.fixture
def apart(commands: Commands, own_kafka: Broker, redis_url: str, namespace: str, tmp_path: Path) -> Place:
    """A place on a broker of the test's own."""
    commands.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"] = own_kafka.bootstrap_servers
    return Place(commands, own_kafka.bootstrap_servers, redis_url, namespace, tmp_path)


def test_a_broker_that_dies_and_comes_back_changes_nothing_that_comes_out(
    apart: Place, own_kafka: Broker, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    history.write(events, records=8_000, contacts=200, seed=9)
    apart.prepare("create")
    expected = comparable(apart.simulated(events))
    apart.load_history(events)
    total = sum(apart.log_ends().values())
    slow = {"SEGUE_BATCH_RECORDS_MAX": "50", "SEGUE_FETCH_PARTITION_BYTES_MAX": "65536"}
    workers = [apart.worker(**slow)]
    wait_until(lambda: apart.folded() > total // 10, 60, "a tenth of the log folded")
    own_kafka.kill()
    assert apart.folded() < total, "died amid the work"
    own_kafka.start()

    def folded() -> bool:
        # Kafka's client may stall after this; then the watchdog ends the process, and whoever runs it starts it anew.
        if workers[-1].returncode is not None:
            assert workers[-1].returncode == 75, workers[-1].stderr
            workers.append(apart.worker(**slow))
        return apart.folded() == total

    wait_until(folded, 150, "the whole log folded")
    apart.wait_until_folded()
    assert comparable(published(apart.output())) == expected
    assert workers[-1].terminate() == 0
