"""A process that is asked to end under load: quickly, in order, and the next one goes on at once.

The group would only notice a death after 30 s here, so what goes on before that was handed over.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import EXIT_DONE
from tests.conftest import Kafka
from tests.consumers.receiver import SECRET, Receiver
from tests.consumers.transitions import TransitionLog, make
from tests.faults.open_loop import KEYS, OpenLoop, log_ids
from tests.live import history
from tests.live.workers import Place, comparable, metric, published
from tests.support.processes import Commands, StartedCommand
from tests.support.waiting import wait_until

DRAINED_S = 5.0
SLOW_GROUP = {"SEGUE_SESSION_TIMEOUT_MS": "20000", "SEGUE_HEARTBEAT_INTERVAL_MS": "300"}
SMALL_STEPS = {"SEGUE_BATCH_RECORDS_MAX": "25", "SEGUE_TIMERS_PER_COMMIT_MAX": "7"}


@pytest.fixture
def place(commands: Commands, kafka: Kafka, redis_url: str, namespace: str, tmp_path: Path) -> Place:
    """A namespace without topics yet."""
    return Place(commands, kafka.bootstrap_servers, redis_url, namespace, tmp_path)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(60)
        yield bound


def _wait_for(manager: socket.socket, word: str) -> list[str]:
    """What is told up to the word."""
    told: list[str] = []
    while word not in told:
        told += manager.recv(4_096).decode().split("\n")
    return told


def _drain(started: StartedCommand) -> float:
    """Seconds from SIGTERM to an end in order."""
    asked_s = time.monotonic()
    assert started.terminate() == EXIT_DONE, started.tail()
    taken_s = time.monotonic() - asked_s
    assert taken_s < DRAINED_S
    return taken_s


def test_a_worker_amid_its_work_ends_in_order_and_the_other_goes_on_at_once(
    place: Place, tmp_path: Path, manager: socket.socket
) -> None:
    events = tmp_path / "events.jsonl"
    history.write(events, records=20_000, contacts=300, seed=85)
    place.prepare("create")
    expected = comparable(place.simulated(events))
    leaving, staying = place.pair(**SLOW_GROUP, **SMALL_STEPS, NOTIFY_SOCKET=manager.getsockname())
    for ready in range(1, 3):
        _wait_for(manager, "READY=1")
        assert sum(metric(worker, "segue_partitions_owned") > 0 for worker in (leaving, staying)) >= ready
    place.load_history(events)
    total = sum(place.log_ends().values())
    wait_until(lambda: place.folded() > total // 10, 60, "a tenth of the log folded")
    taken_s = _drain(leaving)
    gone_s = time.monotonic()
    wait_until(lambda: metric(staying, "segue_partitions_owned") == place.partitions, 10, "the others' partitions")
    taken_over_s = time.monotonic() - gone_s
    assert place.folded() < total, "it ended amid the work"
    place.wait_until_folded(120)
    assert metric(staying, "segue_resynchronisations_total") == 0
    assert comparable(published(place.output())) == expected
    assert "STOPPING=1" in _wait_for(manager, "STOPPING=1")
    _drain(staying)
    print(f"worker: drained in {taken_s:.2f} s, taken over after {taken_over_s:.2f} s")  # noqa: T201 - the measure


def test_a_consumer_amid_its_work_ends_in_order_and_the_next_one_goes_on_at_once(
    commands: Commands, namespace: str, kafka: Kafka, manager: socket.socket
) -> None:
    transitions = TransitionLog(kafka.bootstrap_servers, namespace, partitions=2)
    made = [make(seq, f"c{seq % 17}", partition=partition) for seq in range(1, 1_501) for partition in (0, 1)]
    transitions.append(made)
    environment = {
        "SEGUE_WEBHOOK_SECRETS": SECRET,
        "SEGUE_CONSUMER_SESSION_TIMEOUT_MS": "30000",
        "NOTIFY_SOCKET": manager.getsockname(),
    }
    with Receiver() as receiver:
        arguments = ("consumer", "webhook", "--url", receiver.url, "--allow-private", "--from", "beginning")
        leaving = commands.start(*arguments, environment=environment)
        _wait_for(manager, "READY=1")
        wait_until(lambda: len(receiver.requests) > 300, 60, "a tenth delivered")
        taken_s = _drain(leaving)
        gone_s = time.monotonic()
        came = len(receiver.requests)
        assert came < len(made), "it ended amid the work"
        staying = commands.start(*arguments, environment=environment)
        wait_until(lambda: len(receiver.requests) > came, 20, "the next delivery")
        taken_over_s = time.monotonic() - gone_s
        wait_until(lambda: len(receiver.answered) >= len(made), 60, "the rest")
        _drain(staying)
    assert sorted(receiver.ids) == sorted(each.id for each in made), "nothing twice, nothing missing"
    print(f"consumer: drained in {taken_s:.2f} s, went on after {taken_over_s:.2f} s")  # noqa: T201 - the measure


def test_a_collector_under_load_answers_what_it_took_and_ends_in_order(
    commands: Commands, place: Place, manager: socket.socket
) -> None:
    place.prepare("append")
    collector = commands.start("collector", "--port", "0", environment=KEYS | {"NOTIFY_SOCKET": manager.getsockname()})
    port = int(collector.wait_for_output(r"listens on http://127\.0\.0\.1:(\d+)\n").group(1))
    _wait_for(manager, "READY=1")
    with OpenLoop(port) as load:
        wait_until(lambda: len(load.acknowledged) > 300, 60, "events taken in")
        taken_s = _drain(collector)
    assert "STOPPING=1" in _wait_for(manager, "STOPPING=1")
    assert set(load.statuses) == {200}, "what came in was answered, nothing else was taken"
    assert load.acknowledged <= log_ids(place.servers, place.names.tracking, place.partitions).keys()
    print(f"collector: drained in {taken_s:.2f} s")  # noqa: T201 - the measure
