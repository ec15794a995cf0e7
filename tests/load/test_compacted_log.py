"""A compacted topic on a real broker: the last value of each key, whatever was written before or is gone."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.compacted import KafkaCompactedLog
from streams.adapters.kafka.follower import KafkaFollower
from streams.ports import Message
from tests.conftest import Kafka
from tests.support.waiting import wait_until


@pytest.fixture
def topic(kafka: Kafka, namespace: str) -> str:
    """A compacted topic of one partition."""
    name = f"{namespace}.compacted"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(name, 1, 1, config={"cleanup.policy": "compact"})])[name].result(30)
    return name


def test_the_last_value_of_each_key_counts_and_a_removed_key_is_gone(kafka: Kafka, topic: str) -> None:
    log = KafkaCompactedLog(kafka.connection, topic)
    assert (log.read(), log.end()) == ({}, 0)
    log.put(b"a", b"1")
    log.put(b"b", b"1")
    log.put(b"a", b"2")
    log.put(b"b", None)
    log.put(b"c", None)
    log.flush()
    assert (log.read(), log.end()) == ({b"a": b"2"}, 5)
    again = KafkaCompactedLog(kafka.connection, topic)
    again.put(b"b", b"3")
    again.flush()
    assert (log.read(), log.end()) == ({b"a": b"2", b"b": b"3"}, 6)


def test_many_keys_are_read_whole(kafka: Kafka, topic: str) -> None:
    log = KafkaCompactedLog(kafka.connection, topic)
    wanted = {f"key-{number}".encode(): b"x" * 100 for number in range(30_000)}
    for key, value in wanted.items():
        log.put(key, value)
    log.flush()
    assert log.read() == wanted


def test_a_log_that_ends_with_offsets_that_no_message_has_is_read_to_its_end(kafka: Kafka, namespace: str) -> None:
    """As a transaction leaves one behind, and compaction many."""
    name = f"{namespace}.gaps"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(name, 1, 1, config={"cleanup.policy": "compact"})])[name].result(30)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": name})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"1", b"a")
    producer.commit_transaction(30)
    log = KafkaCompactedLog(kafka.connection, name)
    assert (log.read(), log.end()) == ({b"a": b"1"}, 2)


def test_a_follower_reads_on_from_where_it_was_told(kafka: Kafka, topic: str) -> None:
    log = KafkaCompactedLog(kafka.connection, topic)
    for number in range(3):
        log.put(b"key", str(number).encode())
    log.flush()
    follower = KafkaFollower(kafka.connection, topic, {0: 1})
    found: list[Message] = []

    def read(count: int) -> bool:
        found.extend(follower.read(50))
        return len(found) >= count

    wait_until(lambda: read(2), 30, "two messages")
    assert [(message.offset, message.key, message.value) for message in found] == [(1, b"key", b"1"), (2, b"key", b"2")]
    assert follower.positions == {0: 3}
    log.put(b"key", None)
    log.flush()
    wait_until(lambda: read(3), 30, "the next one")
    assert (found[-1].value, follower.positions) == (None, {0: 4})
    follower.close()


def test_kafka_that_is_away_is_said_to_be_away() -> None:
    with pytest.raises(UnavailableError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        KafkaCompactedLog(KafkaConnection("127.0.0.1:1"), "lists").end()
