"""`segue consumer webhook` on a real Kafka and a real Redis: what is delivered, and what answers lead to."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest

from tests.consumers.conftest import Dead, StartWebhooks
from tests.consumers.monitoring import Monitoring
from tests.consumers.receiver import SECRET, Receiver, Reply, Request
from tests.consumers.transitions import TransitionLog, make
from tests.support.waiting import wait_until


def test_transitions_arrive_once_signed_and_in_order_for_each_contact(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    made = [make(seq, f"c{seq % 7}") for seq in range(1, 101)]
    transitions.append(made[:60])
    consumer = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 60, 30, "60 deliveries")
    transitions.append(made[60:])
    wait_until(lambda: len(receiver.answered) == 100, 30, "100 deliveries")
    monitoring = Monitoring(consumer)
    wait_until(lambda: monitoring.metric("segue_consumer_lag_records", partition="0") == 0, 10, "no lag")
    assert monitoring.probe("/readyz") == (200, {"ready": True, "problems": []})
    assert monitoring.probe("/healthz") == (200, {"healthy": True, "problems": []})
    assert monitoring.metric("segue_consumer_transitions_total", outcome="delivered") == 100
    assert monitoring.metric("segue_webhook_attempts_total", answer="2xx") == 100
    assert monitoring.metric("segue_webhook_delivery_seconds_count") == 100
    assert consumer.terminate() == 0
    assert sorted(receiver.ids) == sorted(each.id for each in made)
    assert all(request.is_signed_with(SECRET) for request in receiver.requests)
    assert {request.id: request.data for request in receiver.requests} == {
        each.id: json.loads(each.value) for each in made
    }
    for contact in {each.transition.contact_id for each in made}:
        seqs = [request.data["sequence"] for request in receiver.requests if request.data["contact_id"] == contact]
        assert seqs == sorted(seqs)


def test_a_stop_finishes_what_is_under_way_and_nothing_of_it_is_repeated(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    go_on = threading.Event()

    def answer(_request: Request) -> Reply:
        assert go_on.wait(20)
        return Reply()

    receiver.answer = answer
    transitions.append([make(seq, f"c{seq}") for seq in range(1, 11)])
    consumer = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.requests) == 4, 30, "as many attempts as are allowed")
    consumer.signal(signal.SIGTERM)
    consumer.wait_for_output("stopping: what is under way is finished")
    go_on.set()
    assert consumer.wait() == 0
    assert len(receiver.answered) == 4
    second = start_webhooks()
    wait_until(lambda: len(receiver.answered) == 10, 30, "the rest")
    assert second.terminate() == 0
    assert sorted(receiver.ids) == sorted(f"p0e1s{seq}" for seq in range(1, 11))


def test_throttling_pauses_the_endpoint_for_as_long_as_it_asks(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    moments: list[float] = []

    def answer(_request: Request) -> Reply:
        moments.append(time.monotonic())
        return Reply(429, {"retry-after": "2"}) if len(moments) == 1 else Reply()

    receiver.answer = answer
    transitions.append([make(1, "a")])
    consumer = start_webhooks("--from", "beginning")
    monitoring = Monitoring(consumer)
    wait_until(lambda: monitoring.metric("segue_webhook_paused") == 1, 30, "the pause")
    transitions.append([make(2, "b"), make(3, "c")])
    wait_until(lambda: len(receiver.answered) == 4, 30, "all deliveries")
    assert moments[1] - moments[0] >= 2
    assert monitoring.metric("segue_webhook_paused") == 0
    assert monitoring.metric("segue_webhook_attempts_total", answer="429") == 1
    assert consumer.terminate() == 0
    first, *others = receiver.requests
    assert sorted(request.id for request in others) == ["p0e1s1", "p0e1s2", "p0e1s3"]
    again = next(request for request in others if request.id == first.id)
    assert again.headers["webhook-timestamp"] > first.headers["webhook-timestamp"]
    assert again.body == first.body


@pytest.mark.parametrize("status", [302, 408, 500])
def test_an_endpoint_in_trouble_gets_the_same_delivery_again(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog, status: int
) -> None:
    receiver.answer = lambda _: Reply(status if len(receiver.requests) < 3 else 200, {"location": "/elsewhere"})
    transitions.append([make(1, "a"), make(2, "a")])
    consumer = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 4, 30, "two failures and two deliveries")
    assert consumer.terminate() == 0
    assert receiver.ids == ["p0e1s1", "p0e1s1", "p0e1s1", "p0e1s2"]
    assert {request.path for request in receiver.requests} == {"/hooks?token=t0p"}


def test_a_rejected_delivery_is_listed_replayed_with_its_id_and_holds_nobody_up(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog, dead: Dead
) -> None:
    receiver.answer = lambda request: Reply(422 if request.id in ("p0e1s1", "p0e1s3") else 200, body=b"no such field")
    transitions.append([make(seq, "a") for seq in range(1, 5)])
    consumer = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 4, 30, "four attempts")
    monitoring = Monitoring(consumer)
    wait_until(lambda: monitoring.metric("segue_webhook_dead_letters") == 2, 10, "two dead letters")
    assert monitoring.metric("segue_consumer_transitions_total", outcome="dead_lettered") == 2
    assert consumer.terminate() == 0
    assert receiver.ids == [f"p0e1s{seq}" for seq in range(1, 5)]

    listed = [json.loads(line) for line in dead("list", "--json").stdout.splitlines()]
    assert [(row["transition_id"], row["status"], row["detail"]) for row in listed] == [
        ("p0e1s1", 422, "no such field"),
        ("p0e1s3", 422, "no such field"),
    ]
    assert listed[0]["transition"] == json.loads(make(1, "a").value)
    assert "p0e1s3" in dead("list").stdout

    replay = ("replay", "--url", receiver.url, "--allow-private", "--json")
    receiver.answer = lambda request: Reply(503 if request.id == "p0e1s3" else 200)
    troubled = dead(*replay, "--all")
    assert troubled.code == 75
    assert json.loads(troubled.stdout) == {"delivered": 1, "rejected": 0, "left": 1, "trouble": "it answered 503"}
    receiver.answer = lambda _: Reply(400)
    assert dead(*replay, "p0e1s3").code == 1
    receiver.answer = lambda _: Reply()
    assert dead(*replay, "p0e1s3").code == 0
    assert receiver.ids[4:] == ["p0e1s1", "p0e1s3", "p0e1s3", "p0e1s3"]
    assert receiver.requests[4].body == receiver.requests[0].body
    assert all(request.is_signed_with(SECRET) for request in receiver.requests)
    assert dead("list").stdout == "no dead letters\n"
    assert dead(*replay, "p0e1s3").code == 1


def test_dead_letters_can_be_dropped(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog, dead: Dead
) -> None:
    receiver.answer = lambda _: Reply(400)
    transitions.append([make(seq) for seq in range(1, 4)])
    consumer = start_webhooks("--name", "crm", "--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 3, 30, "three attempts")
    assert consumer.terminate() == 0
    assert dead("list", "--json").stdout == ""
    assert dead("drop").code == 2
    assert dead("drop", "p0e1s2", "--name", "crm").stdout == "dropped 1\n"
    assert json.loads(dead("drop", "--all", "--name", "crm", "--json").stdout) == {"dropped": 2}


def test_a_full_dead_letter_list_stops_the_consumer_and_loses_nothing(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog, dead: Dead
) -> None:
    receiver.answer = lambda _: Reply(400)
    transitions.append([make(seq) for seq in range(1, 5)])
    consumer = start_webhooks("--from", "beginning", SEGUE_WEBHOOK_DEAD_LETTERS_MAX="2")
    assert consumer.wait() == 1
    assert "the dead-letter list is full (2 deliveries)" in consumer.stderr
    dead("drop", "--all")
    receiver.answer = lambda _: Reply()
    second = start_webhooks()
    wait_until(lambda: receiver.ids[-1:] == ["p0e1s4"], 30, "the rest")
    assert second.terminate() == 0
    assert receiver.ids == [f"p0e1s{seq}" for seq in (1, 2, 3, 3, 4)]


def test_gone_disables_the_endpoint_until_it_is_enabled(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    receiver.answer = lambda _: Reply(410)
    transitions.append([make(seq) for seq in range(1, 3)])
    first = start_webhooks("--from", "beginning")
    assert first.wait() == 1
    assert "answered 410 Gone" in first.stderr
    assert "t0p" not in first.stderr
    second = start_webhooks()
    assert second.wait() == 1
    assert "is disabled: start with --enable" in second.stderr
    assert len(receiver.requests) == 1
    receiver.answer = lambda _: Reply()
    third = start_webhooks("--enable")
    wait_until(lambda: len(receiver.answered) == 3, 30, "both deliveries")
    assert third.terminate() == 0
    assert receiver.ids == ["p0e1s1", "p0e1s1", "p0e1s2"]


def test_a_private_address_is_refused_at_the_start(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    transitions.append([make(1)])
    consumer = start_webhooks("--from", "beginning", allow_private=False)
    assert consumer.wait() == 1
    assert "127.0.0.1, which is not a public address" in consumer.stderr
    assert receiver.requests == []


def test_what_is_no_transition_is_dead_lettered_and_kept(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog, dead: Dead
) -> None:
    transitions.append_raw(0, b"\xff\x00", make(1).headers)
    transitions.append_raw(0, b"no headers at all", [])
    transitions.append([make(2)])
    consumer = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 1, 30, "the delivery after them")
    assert consumer.terminate() == 0
    assert receiver.ids == ["p0e1s2"]
    [row] = [json.loads(line) for line in dead("list", "--json").stdout.splitlines()]
    assert (row["transition_id"], row["reason"], row["transition"]) == ("p0e1s1", "invalid", None)
    assert "offset 1: no transition, passed over" in consumer.stderr
