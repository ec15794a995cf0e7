"""`segue consumer webhook` as users start it, on a real Kafka and a real Redis, to a receiver of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Kafka
from tests.consumers.receiver import SECRET, Receiver
from tests.consumers.transitions import TransitionLog, make
from tests.support.processes import Commands, StartedCommand
from tests.support.waiting import wait_until


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def transitions(kafka: Kafka, namespace: str) -> TransitionLog:
    return TransitionLog(kafka.bootstrap_servers, namespace)


def start(commands: Commands, receiver: Receiver, *arguments: str, **environment: str) -> StartedCommand:
    """The webhook consumer, with a short session so that take-overs do not take long."""
    variables = {
        "SEGUE_WEBHOOK_SECRETS": SECRET,
        "SEGUE_CONSUMER_SESSION_TIMEOUT_MS": "3000",
        "SEGUE_CONSUMER_COMMIT_INTERVAL_MS": "100",
        "SEGUE_WEBHOOK_PAUSE_STEPS_S": "0.2",
    } | environment
    return commands.start(
        "consumer", "webhook", "--url", receiver.url, "--allow-private", *arguments, environment=variables
    )


def test_transitions_arrive_signed_in_order_for_each_contact(
    commands: Commands, receiver: Receiver, transitions: TransitionLog
) -> None:
    made = [make(seq, f"c{seq % 7}") for seq in range(1, 101)]
    transitions.append(made)
    consumer = start(commands, receiver, "--from", "beginning")
    wait_until(lambda: len(receiver.requests) == 100, 30, "100 deliveries")
    assert consumer.terminate() == 0
    assert sorted(receiver.ids) == sorted(each.id for each in made)
    assert all(request.is_signed_with(SECRET) for request in receiver.requests)
    for contact in range(7):
        seqs = [
            request.data["sequence"] for request in receiver.requests if request.data["contact_id"] == f"c{contact}"
        ]
        assert seqs == sorted(seqs)
