"""Real Kafka and real Redis for every test that asks for them, alike with and without pytest-xdist.

* `kafka`, `redis_url`: shared by the whole run; each test keeps to its own `namespace`.
* `own_kafka`, `own_redis`: a test's own, to be killed, restarted and set back.
* `commands`: starts `segue …` against the shared pair in the test's namespace.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, settings

from schemas.kafka_connection import KafkaConnection
from tests.support.brokers import QUICK_RETURN, Broker, start_broker
from tests.support.processes import Commands, Zygotes, base_environment
from tests.support.redis_cluster import LocalCluster, clients_of, start_shared_cluster
from tests.support.redis_servers import LocalRedis, start_shared_redis
from tests.support.run_directory import Run, RunDirectory, UnavailableServiceError

# Brokers and workers share the cores with the tests, so how long an example took says nothing.
settings.register_profile("segue", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("segue")

_LONGEST_FIRST = (
    "tests/bench/test_regression.py",
    "tests/compiled",
    "tests/mutants",
    "tests/faults",
    "tests/clients",
    "tests/live",
    "tests/demo",
    "tests/consumers",
    "tests/collector",
)
"""What takes longest, as measured: begun late, it would be waited for alone in the end."""

_RUN = pytest.StashKey[Run]()
_DIRECTORY = pytest.StashKey[RunDirectory]()


def pytest_configure(config: pytest.Config) -> None:
    """Pytest's main process makes the run's directory; xdist's workers are told of it."""
    told: dict[str, str] | None = getattr(config, "workerinput", None)
    if told is not None:
        config.stash[_DIRECTORY] = RunDirectory(Path(told["segue_run_directory"]))
        return
    run = Run()
    config.stash[_RUN] = run
    config.stash[_DIRECTORY] = run.directory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first; all else stays in its order."""

    def place(item: pytest.Item) -> int:
        found = (number for number, start in enumerate(_LONGEST_FIRST) if item.nodeid.startswith(start))
        return next(found, len(_LONGEST_FIRST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called by xdist for each of its workers."""
    node.workerinput["segue_run_directory"] = str(node.config.stash[_DIRECTORY].path)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End everything that the run started."""
    run = config.stash.get(_RUN, None)
    if run is not None:
        run.end()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how long it took to recover from each fault."""
    reports = [report for found in terminalreporter.stats.values() for report in found if hasattr(report, "when")]
    told = [
        text
        for report in reports
        if report.when == "teardown"
        for name, text in report.user_properties
        if name == "recovery"
    ]
    if told:
        terminalreporter.section("recovery from faults")
        for text in sorted(told):
            terminalreporter.write_line(text)


@dataclass(frozen=True, slots=True)
class Kafka:
    """The broker that the whole run shares."""

    bootstrap_servers: str

    @property
    def connection(self) -> KafkaConnection:
        """For clients."""
        return KafkaConnection(self.bootstrap_servers)


@pytest.fixture(scope="session")
def run_directory(pytestconfig: pytest.Config) -> RunDirectory:
    """Where this run keeps its servers' files."""
    return pytestconfig.stash[_DIRECTORY]


def _once(run: RunDirectory, name: str, start: Callable[[], str]) -> str:
    """The address that the first xdist worker to come got from `start`; its failure is everybody's."""
    with run.lock(name) as path:
        if path.exists():
            outcome: dict[str, str] = json.loads(path.read_text())
        else:
            try:
                outcome = {"address": start()}
            except UnavailableServiceError as error:
                outcome = {"error": str(error)}
            path.write_text(json.dumps(outcome))
    if "error" in outcome:
        pytest.fail(outcome["error"], pytrace=False)
    return outcome["address"]


@pytest.fixture(scope="session")
def kafka(run_directory: RunDirectory) -> Kafka:
    """A real Apache Kafka: SEGUE_TEST_KAFKA, else a container, else Java."""
    given = os.environ.get("SEGUE_TEST_KAFKA")
    return Kafka(given or _once(run_directory, "kafka", lambda: start_broker(run_directory).bootstrap_servers))


@pytest.fixture(scope="session")
def redis_url(run_directory: RunDirectory) -> str:
    """A real Redis: SEGUE_TEST_REDIS, else a container, else a `redis-server`."""
    given = os.environ.get("SEGUE_TEST_REDIS")
    return given or _once(run_directory, "redis", lambda: start_shared_redis(run_directory))


@pytest.fixture(scope="session")
def cluster_url(run_directory: RunDirectory) -> str:
    """A real Redis Cluster of three masters."""
    return _once(run_directory, "cluster", lambda: start_shared_cluster(run_directory))


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace that no other test has; its topics and keys are removed afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}"
    wanted = request.fixturenames
    kafka = request.getfixturevalue("kafka") if "kafka" in wanted else None
    urls = [request.getfixturevalue(one) for one in ("redis_url", "cluster_url") if one in wanted]
    yield name
    if kafka is not None:
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        topics = [topic for topic in admin.list_topics(timeout=10).topics if topic.startswith(f"{name}.")]
        for deleted in admin.delete_topics(topics).values() if topics else ():
            deleted.result(10)
    for url in urls:
        with clients_of(url) as clients:
            for client in clients:
                for key in client.scan_iter(match=f"{name}:*", count=1000):
                    client.delete(key)


@pytest.fixture
def segue_environment(kafka: Kafka, redis_url: str, namespace: str) -> dict[str, str]:
    """The environment of a `segue …` command that works on the shared pair in the test's namespace."""
    return base_environment(
        SEGUE_KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers, SEGUE_REDIS_URL=redis_url, SEGUE_NAMESPACE=namespace
    )


@pytest.fixture(scope="session")
def zygotes(run_directory: RunDirectory) -> Zygotes:
    """What commands are forked from, so that not each imports anew what it needs."""
    return Zygotes(run_directory)


@pytest.fixture
def commands(run_directory: RunDirectory, segue_environment: dict[str, str], zygotes: Zygotes) -> Iterator[Commands]:
    """Starts `segue …` commands; all are ended with the test, before its topics are removed."""
    started = Commands(run_directory, segue_environment, zygotes)
    yield started
    started.end()


@pytest.fixture
def own_redis(run_directory: RunDirectory) -> Iterator[LocalRedis]:
    """A started Redis of the test's own, to be killed, restarted and rolled back."""
    server = LocalRedis(run_directory)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_cluster(run_directory: RunDirectory) -> Iterator[LocalCluster]:
    """A started Redis Cluster of the test's own, whose masters may be killed and whose slots may move."""
    cluster = LocalCluster(run_directory)
    cluster.start()
    yield cluster
    cluster.kill()


@pytest.fixture
def own_kafka(run_directory: RunDirectory) -> Iterator[Broker]:
    """A started broker of the test's own, to be stopped, killed and started again (it takes some seconds)."""
    broker = start_broker(run_directory, QUICK_RETURN)
    yield broker
    broker.kill()
