"""Every program together, each as a process of its own, as the README starts them."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from jsonschema import Draft202012Validator

from schemas.documents import GENERATED
from schemas.topics import Names, partition_of
from tests.conftest import Kafka
from tests.support.processes import Commands
from tests.support.run_directory import CHECKOUT
from tests.support.waiting import wait_until

WRITE_KEY = "a-write-key-for-tests"
COLLECTOR = {"SEGUE_WRITE_KEYS": json.dumps({"tests": WRITE_KEY})}
PARTITIONS = 2
IN_THE_FUTURE = "2199-01-01T00:00:00Z"  # counts as now


@pytest.fixture
def workspace(commands: Commands) -> Commands:
    """Topics and definitions are there."""
    for arguments in (
        ("topics", "create", "--partitions", str(PARTITIONS)),
        ("apply", str(CHECKOUT / "ops" / "examples" / "shop.yaml")),
    ):
        outcome = commands.run(*arguments)
        assert outcome.returncode == 0, outcome.tail()
    return commands


def start_collector(commands: Commands) -> str:
    collector = commands.start("collector", "--port", "0", environment=COLLECTOR)
    url = collector.wait_for_output(r"listens on (http://\S+)")[1]
    wait_until(lambda: status(f"{url}/readyz") == 200, 30, "a collector that is ready")
    return url


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def track(url: str, body: dict[str, Any]) -> int:
    credentials = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/track", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=15) as answer:
        return int(answer.status)


def read_all(kafka: Kafka, topic: str, count: int) -> list[Message]:
    """The first `count` messages of a topic, over all partitions."""
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "tests", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    found: list[Message] = []

    def enough() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.append(message)
        return len(found) >= count

    wait_until(enough, 60, f"{count} messages in {topic}")
    consumer.close()
    return found


def headers_of(message: Message) -> dict[str, str]:
    headers = message.headers()
    assert isinstance(headers, list)
    return {name: raw.decode() for name, raw in headers if isinstance(raw, bytes)}


def validate(schema: str, body: object) -> None:
    Draft202012Validator(json.loads((GENERATED / f"{schema}.schema.json").read_text())).validate(body)


def test_an_event_at_the_front_door_comes_out_as_a_transition_as_documented(
    workspace: Commands, kafka: Kafka, namespace: str
) -> None:
    workspace.start("worker")
    log = workspace.start("consumer", "log", "--from", "beginning")
    url = start_collector(workspace)
    assert track(url, {"userId": "ana", "event": "Page Viewed"}) == 200
    assert track(url, {"userId": "ana", "event": "page_view"}) == 200
    line = log.wait_for_output(r'\{.*"segment":"visitors".*\}')[0]
    transition = json.loads(line)
    assert transition["type"] == "segment.entered"
    assert transition["contact_id"] == "ana"
    assert transition["cause"]["event"] == "page_view"
    (message,) = read_all(kafka, Names(namespace).transitions, 1)
    validate("transition", json.loads(message.value() or b""))
    validate("transition_headers", headers_of(message))
    assert headers_of(message)["partition"] == str(partition_of("ana", PARTITIONS)) == str(message.partition())
    assert headers_of(message)["transition_id"] == transition["transition_id"]
    assert message.key() == b"ana"


def test_what_nobody_can_read_is_a_dead_letter_as_documented_and_the_next_record_counts(
    workspace: Commands, kafka: Kafka, namespace: str
) -> None:
    names = Names(namespace)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    good = {"type": "track", "event_id": "e1", "contact_id": "ben", "occurred_at": IN_THE_FUTURE}
    bad = [
        b"\xff\x00 not JSON",
        b'{"type": ["track"]}',
        json.dumps({**good, "event": "x", "contact_id": "eve"}).encode(),
    ]
    for value in [*bad, json.dumps({**good, "event": "page_view"}).encode()]:
        producer.produce(names.tracking, value, b"ben")
    assert producer.flush(30) == 0
    workspace.start("worker")
    letters = read_all(kafka, names.dead_letter, len(bad))
    assert [letter.value() for letter in letters] == bad
    assert [letter.key() for letter in letters] == [b"ben"] * len(bad)
    for letter in letters:
        validate("dead_letter_headers", headers_of(letter))
    reasons = [headers_of(letter)["segue_dlq.reason"] for letter in letters]
    assert reasons == ["undecodable", "unknown_type", "foreign_key"]
    log = workspace.start("consumer", "log", "--from", "beginning")
    assert json.loads(log.wait_for_output(r"\{.*\}")[0])["contact_id"] == "ben"
