"""`segue …` in this process, which spares each test the start of another one; and the embedded broker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import pytest
from confluent_kafka import Producer

from streams.cli import main
from tests.conftest import Kafka


class Outcome(NamedTuple):
    """How a command ended, and what it wrote."""

    returncode: object
    stdout: str
    stderr: str


class Segue(Protocol):
    """Runs `segue ARGUMENTS` in the test's namespace; `environment` adds to the test's."""

    def __call__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Outcome: ...


@pytest.fixture
def segue(
    kafka: Kafka,
    redis_url: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Segue:
    """The command line, on the shared pair."""
    monkeypatch.setenv("SEGUE_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("SEGUE_REDIS_URL", redis_url)
    monkeypatch.setenv("SEGUE_NAMESPACE", namespace)

    def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Outcome:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
        written = capsys.readouterr()
        return Outcome(ended.value.code, written.out, written.err)

    return run


@pytest.fixture
def embedded_servers() -> Iterator[str]:
    """The broker inside librdkafka, for as long as its producer lives."""
    broker = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 0})
    found = broker.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in found)
    broker.flush(10)
