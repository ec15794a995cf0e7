"""Stages on the shared pair and on servers of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Kafka
from tests.faults.stage import Stage
from tests.live.workers import Place
from tests.support.brokers import Broker
from tests.support.processes import Commands


@pytest.fixture
def make_stage(
    commands: Commands, namespace: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> Iterator[Callable[[str, str], Stage]]:
    """Makes the test's stage, given where Kafka and Redis are."""
    made: list[Stage] = []

    def make(servers: str, redis_url: str) -> Stage:
        commands.environment |= {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": servers, "SEGUE_REDIS_URL": redis_url}
        made.append(Stage(commands, servers, redis_url, namespace, tmp_path))
        return made[-1]

    yield make
    for stage in made:
        stage.close()
        for fault, seconds in stage.recoveries:
            record_property("recovery", f"{fault}: {seconds:.1f} s")


@pytest.fixture
def stage(make_stage: Callable[[str, str], Stage], kafka: Kafka, redis_url: str) -> Stage:
    """A stage on the shared pair, not begun yet."""
    return make_stage(kafka.bootstrap_servers, redis_url)


@pytest.fixture
def spooling_place(commands: Commands, own_kafka: Broker, redis_url: str, namespace: str, tmp_path: Path) -> Place:
    """Topics on a broker of the test's own, with definitions in them; collectors have a spool, and nobody folds."""
    commands.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"] = own_kafka.bootstrap_servers
    commands.environment["SEGUE_COLLECTOR_SPOOL_DIR"] = str(tmp_path / "spool")
    place = Place(commands, own_kafka.bootstrap_servers, redis_url, namespace, tmp_path)
    place.prepare("append")
    return place
