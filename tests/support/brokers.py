"""A real Apache Kafka for tests: one broker in KRaft mode, from Java or from a container."""

from __future__ import annotations

import base64
import os
import resource
import signal
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.support.containers import StartedContainer, start_container
from tests.support.kafka_jars import kafka_jars
from tests.support.run_directory import RunDirectory, UnavailableServiceError, free_port
from tests.support.waiting import wait_until

_START_TIMEOUT_S = 90
_IMAGE = "apache/kafka:4.1.0"
_BROKER = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": ",".join(
        f"{name}:{name}" for name in ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    )
    + ",CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Tests that end a worker should not wait for the group's sake longer than they must.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
}
# A killed broker may register again only when its last session is over, by default after 9 s.
_SHORT_RUN = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A broker of tests is young when they end: the second compiler and more collectors cost it more than they gain."""
QUICK_RETURN = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}


def _cluster_id() -> str:
    # Kafka's form: 16 bytes in base64 without padding; a leading dash would read as an option.
    return "S" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


class Broker(Protocol):
    """A broker of one's own, which a test may end and start again; its data and address stay the same."""

    @property
    def bootstrap_servers(self) -> str: ...

    def start(self) -> None:
        """Start, or start again, and return when it answers."""

    def stop(self) -> None:
        """End it in order (SIGTERM)."""

    def kill(self) -> None:
        """End it at once (SIGKILL)."""

    def pause(self) -> None:
        """Let it hang (SIGSTOP)."""

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""

    def fill_disk(self) -> None:
        """Let the broker find its disk full, and return when it has ended of that. `start` gives it room again."""


class JavaBroker:
    """`kafka.Kafka` as a child process.

    `listeners` are ports by security protocol, beside the one in plain text; `scram_users` are made with the log;
    `java` are options of Java.
    """

    def __init__(
        self,
        run: RunDirectory,
        jars: Path,
        more: Mapping[str, str],
        listeners: Mapping[str, int] | None = None,
        scram_users: Sequence[str] = (),
        java: Sequence[str] = _SHORT_RUN,
    ) -> None:
        self._run = run
        self._directory = directory = run.subdirectory("kafka")
        self._classes = ["-cp", f"{jars}/*"]
        self._java = ["java", "-Xms256m", "-Xmx512m", *java, *self._classes]
        self._properties = directory / "server.properties"
        self._child: subprocess.Popen[bytes] | None = None
        port, controller = free_port(), free_port()
        self.bootstrap_servers = f"127.0.0.1:{port}"
        ports = {"PLAINTEXT": port, **(listeners or {})}
        addresses = ",".join(f"{name}://127.0.0.1:{number}" for name, number in ports.items())
        settings = {
            **_BROKER,
            **more,
            "listeners": f"{addresses},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": addresses,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(directory / "data"),
        }
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self._format([f"--add-scram={user}" for user in scram_users])

    def _format(self, options: Sequence[str]) -> None:
        java = ["java", *_SHORT_RUN, *self._classes]
        command = [*java, "kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(self._properties)]
        command += options
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=_START_TIMEOUT_S, check=False)
        if outcome.returncode != 0:
            raise UnavailableServiceError(f"Kafka's StorageTool failed: {outcome.stdout}{outcome.stderr}")

    @property
    def pid(self) -> int:
        """Of the Java process; the broker must be running."""
        assert self._child is not None, "the broker is not running"
        return self._child.pid

    def start(self) -> None:
        assert self._child is None, "the broker is running already"
        with (self._directory / "kafka.log").open("ab") as log:
            self._child = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._directory,
            )
        self._run.note_process(self._child.pid)
        _wait_for_broker(self.bootstrap_servers, self._still_runs)

    def _still_runs(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            log = (self._directory / "kafka.log").read_text(errors="replace")
            raise UnavailableServiceError(f"Kafka ended with code {self._child.returncode}: {log[-3000:]}")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def fill_disk(self) -> None:
        _let_no_file_grow(self.pid)
        assert self._child is not None
        self._child.wait(_START_TIMEOUT_S)
        self._child = None

    def _end(self, by: signal.Signals) -> None:
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGCONT)  # a paused one would never see the SIGTERM
            os.kill(self._child.pid, by)
            self._child.wait(_START_TIMEOUT_S)
            self._child = None


class ContainerBroker:
    """Apache Kafka's own image, its data in the container, which is kept over a stop."""

    def __init__(self, run: RunDirectory, more: Mapping[str, str]) -> None:
        self._run = run
        self._more = more
        self._port = free_port()
        self._container: StartedContainer | None = None
        self.bootstrap_servers = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        if self._container is None:
            self._container = start_container(self._run, _IMAGE, {9092: self._port}, self._environment())
        else:
            self._container.start()
        _wait_for_broker(self.bootstrap_servers, lambda: None)

    def _environment(self) -> dict[str, str]:
        settings = {
            **_BROKER,
            **self._more,
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers}",
            "controller.quorum.voters": "1@localhost:9093",
        }
        named = {f"KAFKA_{key.upper().replace('.', '_')}": value for key, value in settings.items()}
        return named | {"CLUSTER_ID": _cluster_id(), "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m"}

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop()

    def kill(self) -> None:
        if self._container is not None:
            self._container.kill()

    def pause(self) -> None:
        assert self._container is not None
        self._container.pause()

    def resume(self) -> None:
        assert self._container is not None
        self._container.unpause()

    def fill_disk(self) -> None:
        assert self._container is not None
        self._container.reload()
        _let_no_file_grow(self._container.attrs["State"]["Pid"])
        self._container.wait(timeout=_START_TIMEOUT_S)


def start_broker(run: RunDirectory, more: Mapping[str, str] | None = None, java: Sequence[str] = _SHORT_RUN) -> Broker:
    """A started broker with `more` settings. Raises `UnavailableServiceError`.

    From a container where a Docker engine answers, else from Java with the options `java`.
    """
    ways: tuple[tuple[str, Callable[[], Broker]], ...] = (
        ("testcontainers", lambda: ContainerBroker(run, more or {})),
        ("Java", lambda: JavaBroker(run, kafka_jars(), more or {}, java=java)),
    )
    reasons = []
    for name, make in ways:
        try:
            broker = make()
            broker.start()
        except UnavailableServiceError as error:
            reasons.append(f"{name}: {error}")
        else:
            return broker
    raise UnavailableServiceError(
        "the tests need Apache Kafka: set SEGUE_TEST_KAFKA=host:port, or start a Docker engine, "
        "or install Java 17 and Maven. " + "; ".join(reasons)
    )


def _let_no_file_grow(pid: int) -> None:
    """Each write beyond the first kilobyte of a file fails, as on a full disk; Java ignores the signal for it."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1_024, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _wait_for_broker(bootstrap_servers: str, check: Callable[[], None]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "reconnect.backoff.max.ms": 250, "log_level": 0})

    def answers() -> bool:
        check()
        try:
            return bool(admin.list_topics(timeout=1.0).brokers)
        except KafkaException:
            return False

    wait_until(answers, _START_TIMEOUT_S, "an answer of the Kafka broker")
