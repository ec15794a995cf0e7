"""What the rest of Segue learns of topics, from a real broker and from the embedded one."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import TopicPartition

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.topics import KafkaTopics
from streams.ports import LogBounds
from tests.conftest import Kafka
from tests.load.topics import PARTITIONS, append, create_topics


def test_partitions_are_counted_and_a_missing_topic_is_absent_and_stays_so(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    topics = KafkaTopics(kafka.connection)
    missing = f"{namespace}.missing"
    assert topics.partition_counts([names.tracking, missing]) == {names.tracking: 3}
    assert topics.first_records(missing) == {}
    assert topics.partition_counts([missing]) == {}


@pytest.mark.parametrize(("setting", "expected"), [("LogAppendTime", "append"), ("CreateTime", "create")])
def test_the_one_who_stamps_is_read_from_the_topic(kafka: Kafka, namespace: str, setting: str, expected: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, timestamps=setting)
    assert KafkaTopics(kafka.connection).timestamp_type(names.tracking) == expected


def test_the_first_record_of_each_partition_is_read_and_an_empty_log_has_none(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    append(kafka.bootstrap_servers, names.tracking, 0, b"zero", timestamp_ms=1_000)
    large = b"x" * 900_000
    append(kafka.bootstrap_servers, names.tracking, 2, large)
    append(kafka.bootstrap_servers, names.tracking, 2, b"later")
    first = KafkaTopics(kafka.connection).first_records(names.tracking)
    assert first[0] is not None
    assert first[2] is not None
    assert (first[0].value, first[0].timestamp_ms, first[0].offset) == (b"zero", 1_000, 0)
    assert first[1] is None
    assert first[2].value == large


def test_large_first_records_are_read_without_the_logs_behind_them(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for partition in range(PARTITIONS):
        append(kafka.bootstrap_servers, names.tracking, partition, b"x" * 200_000)
        for _ in range(15_000):
            producer.produce(names.tracking, b"y" * 500, partition=partition)
    assert producer.flush(60) == 0
    first = KafkaTopics(kafka.connection).first_records(names.tracking)
    assert {partition: message and message.offset for partition, message in first.items()} == {0: 0, 1: 0, 2: 0}


def test_a_log_whose_start_was_deleted_begins_above_offset_0(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    for value in (b"a", b"b", b"c"):
        append(kafka.bootstrap_servers, names.tracking, 1, value)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for deleted in admin.delete_records([TopicPartition(names.tracking, 1, 2)]).values():
        deleted.result(30)
    topics = KafkaTopics(kafka.connection)
    first = topics.first_records(names.tracking)[1]
    assert first is not None
    assert (first.value, first.offset) == (b"c", 2)
    assert topics.log_bounds(names.tracking)[1] == LogBounds(2, 3)


def test_the_clock_of_each_partition_is_its_largest_timestamp_and_an_empty_one_has_none(
    kafka: Kafka, namespace: str
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    for timestamp_ms in (3_000, 5_000, 4_000):
        append(kafka.bootstrap_servers, names.tracking, 1, b"x", timestamp_ms=timestamp_ms)
    topics = KafkaTopics(kafka.connection)
    assert topics.latest_timestamps(names.tracking) == {0: 0, 1: 5_000, 2: 0}
    assert topics.latest_timestamps(f"{namespace}.missing") == {}


def test_two_topics_of_one_cluster_have_two_identities(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    topics = KafkaTopics(kafka.connection)
    one, other = topics.log_identity(names.tracking), topics.log_identity(names.transitions)
    assert one.cluster_id == other.cluster_id != ""
    assert one.topic_id != other.topic_id


def test_the_embedded_broker_is_known_to_stamp_nothing_and_to_have_no_topic_ids(embedded_servers: str) -> None:
    append(embedded_servers, "tracking", 1, b"first", timestamp_ms=2_000)
    topics = KafkaTopics(KafkaConnection(embedded_servers))
    first = topics.first_records("tracking")
    assert topics.config("tracking") is None
    assert topics.timestamp_type("tracking") == "create"
    assert topics.log_identity("tracking").topic_id == ""
    assert set(topics.latest_timestamps("tracking").values()) == {0}, "it does not say"
    assert [record and record.value for record in first.values()] == [None, b"first", None, None]


def test_kafka_that_is_away_is_said_to_be_away() -> None:
    with pytest.raises(UnavailableError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        KafkaTopics(KafkaConnection("127.0.0.1:1"), timeout_ms=500).partition_counts(["tracking"])
