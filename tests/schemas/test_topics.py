"""Names and partitions: the same that Kafka's clients come to."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.topics import Names, murmur2, partition_of, position_name
from tests.conftest import Kafka

PARTITIONS = 7


@pytest.mark.parametrize(
    ("key", "signed"),
    [  # as in the tests of Kafka's own Java client
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_the_java_client_s(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


def test_librdkafka_puts_each_key_where_we_say(kafka: Kafka, namespace: str) -> None:
    topic = f"{namespace}.keys"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    placed: dict[str, int | None] = {}

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None
        key = message.key()
        assert isinstance(key, bytes)
        placed[key.decode()] = message.partition()

    keys = [f"c{number}" for number in range(200)] + ["anon:6f9e", "é", "日本", "a" * 256, "😀" * 33, " ", "\x00"]
    for key in keys:
        producer.produce(topic, b"", key.encode(), on_delivery=note)
    assert producer.flush(30) == 0
    assert placed == {key: partition_of(key, PARTITIONS) for key in keys}
    assert len(set(placed.values())) == PARTITIONS


def test_a_namespace_prefixes_topics_groups_and_keys() -> None:
    names = Names("staging")
    assert names.tracking == "staging.tracking"
    assert names.transitions == "staging.transitions"
    assert names.dead_letter == "staging.tracking.dead_letter"
    assert names.lists == "staging.lists"
    assert names.keys == "staging.keys"
    assert names.group("worker") == "staging.segue-worker"
    assert names.key(3, "meta") == "staging:{tracking-3}:meta"
    assert names.shared_key("webhook") == "staging:segue:webhook"


def test_without_a_namespace_names_are_bare() -> None:
    names = Names("")
    assert names.tracking == "tracking"
    assert names.group("worker") == "segue-worker"
    assert names.key(3, "meta") == "{tracking-3}:meta"


def test_the_keys_of_a_partition_share_one_slot_of_a_cluster_and_those_of_two_do_not() -> None:
    tag = [Names("a").key(partition, "meta").split("{")[1].split("}")[0] for partition in (3, 13)]
    assert tag == ["tracking-3", "tracking-13"]


def test_a_position_names_partition_and_offset() -> None:
    assert position_name(3, 1042) == "tracking-3@1042"
