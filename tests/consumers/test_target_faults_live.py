"""Targets in trouble, and consumers that die between a delivery and its commit: the same id again, nothing skipped."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import Kafka
from tests.consumers.conftest import StartWebhooks
from tests.consumers.receiver import Receiver, Reply, Request
from tests.consumers.transitions import Made, TransitionLog, make
from tests.support.processes import StartedCommand
from tests.support.waiting import wait_until

KILLS = 8
QUICK = {"SEGUE_CONSUMER_SESSION_TIMEOUT_MS": "1000"}


def _audit(receiver: Receiver, made: list[Made]) -> None:
    """First deliveries of each contact come in order, none is missing, and one that failed is sent before the next."""
    assert set(receiver.ids) == {each.id for each in made}
    attempts: dict[str, list[str]] = {}
    for request in receiver.requests:
        attempts.setdefault(request.data["contact_id"], []).append(request.id)
    for contact, ids in attempts.items():
        wanted = [each.id for each in made if each.transition.contact_id == contact]
        assert list(dict.fromkeys(ids)) == wanted


def _wait_for_attempts(receiver: Receiver, count: int) -> None:
    wait_until(lambda: len(receiver.requests) >= count, 60, "some deliveries")


class Trouble:
    """Lets deliveries fail: every one at first, until so many attempts failed."""

    def __init__(self, reply: Callable[[], Reply], failures: int) -> None:
        self._reply = reply
        self._left = failures
        self._lock = threading.Lock()

    def __call__(self, _request: Request) -> Reply:
        with self._lock:
            self._left -= 1
            failing = self._left >= 0
        return self._reply() if failing else Reply()


@pytest.mark.parametrize("kind", ["answers 500", "resets the connection", "hangs"])
def test_a_target_in_trouble_gets_the_same_ids_again_in_order(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog, kind: str
) -> None:
    let_go = threading.Event()

    def hang() -> Reply:
        assert let_go.wait(60)
        return Reply(reset=True)

    replies = {"answers 500": lambda: Reply(500), "resets the connection": lambda: Reply(reset=True), "hangs": hang}
    receiver.answer = Trouble(replies[kind], failures=6)
    made = [make(seq, f"c{seq % 3}") for seq in range(1, 31)]
    transitions.append(made)
    consumer = start_webhooks("--from", "beginning", SEGUE_WEBHOOK_TIMEOUT_MS="500")
    wait_until(lambda: set(receiver.ids) == {each.id for each in made}, 60, "every delivery")
    wait_until(lambda: len(receiver.answered) >= len(made), 30, "the last answer")
    let_go.set()
    assert consumer.terminate() == 0
    _audit(receiver, made)
    assert len(receiver.requests) == len(made) + 6, "only what failed was sent again"


def test_a_target_that_was_down_gets_everything_when_it_is_back(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    made = [make(seq, f"c{seq % 3}") for seq in range(1, 61)]
    transitions.append(made[:30])
    consumer = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 30, 30, "the first deliveries")
    receiver.go_down()
    transitions.append(made[30:])
    consumer.wait_for_output("is paused for")
    wait_until(lambda: consumer.stderr.count("is paused for") >= 3, 30, "several attempts")
    receiver.come_back()
    wait_until(lambda: len(receiver.answered) == 60, 30, "the rest")
    assert consumer.terminate() == 0
    _audit(receiver, made)
    assert max(Counter(receiver.ids).values()) == 1, "an attempt that nobody took arrived nowhere"


@pytest.mark.parametrize("when", ["before the answer", "after the answer"])
def test_a_consumer_that_dies_between_a_delivery_and_its_commit_sends_it_again_with_its_id(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog, when: str
) -> None:
    made = [make(seq, "c1") for seq in range(1, 21)]
    consumers: list[StartedCommand] = []

    def answer(request: Request) -> Reply:
        if request.id == "p0e1s7" and len(consumers) == 1:
            if when == "before the answer":
                consumers[0].kill()
            else:
                consumers[0].pause()  # what is answered now it never reads
        return Reply()

    receiver.answer = answer
    consumers.append(start_webhooks("--from", "beginning", **QUICK))
    transitions.append(made)
    wait_until(lambda: "p0e1s7" in receiver.ids, 30, "the delivery")
    if when == "after the answer":
        wait_until(lambda: "p0e1s7" in [request.id for request in receiver.answered], 30, "its answer")
        consumers[0].signal(signal.SIGKILL)
    consumers.append(start_webhooks(**QUICK))
    wait_until(lambda: "p0e1s20" in receiver.ids, 30, "the rest")
    assert consumers[1].terminate() == 0
    _audit(receiver, made)
    again = {webhook_id: count for webhook_id, count in Counter(receiver.ids).items() if count > 1}
    assert again["p0e1s7"] == 2
    assert again.keys() <= {"p0e1s6", "p0e1s7"}, "the commit may be one behind"


def test_consumers_killed_at_any_instant_skip_nothing_and_keep_each_contacts_order(
    kafka: Kafka, namespace: str, start_webhooks: StartWebhooks, receiver: Receiver
) -> None:
    transitions = TransitionLog(kafka.bootstrap_servers, namespace, partitions=2)
    chance = random.Random(87)
    made = [
        make(seq, f"c{partition}-{chance.randrange(11)}", partition=partition)
        for seq in range(1, 601)
        for partition in (0, 1)
    ]
    transitions.append(made)
    start = ["--from", "beginning"]
    for _ in range(KILLS):
        target = len(receiver.requests) + chance.randrange(1, 90)
        consumer = start_webhooks(*start, **QUICK)
        _wait_for_attempts(receiver, target)
        consumer.kill()
        start = []
    assert set(receiver.ids) < {each.id for each in made}, "killed amid the work"
    last = start_webhooks(**QUICK)
    wait_until(lambda: set(receiver.ids) == {each.id for each in made}, 60, "every delivery")
    assert last.terminate() == 0
    _audit(receiver, made)
    assert len(receiver.requests) - len(made) <= KILLS * 8, "four under way each time, and as many just answered"
