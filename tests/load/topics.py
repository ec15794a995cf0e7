"""Topics for the tests of what writes to them, made without the command that is made for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.topics import Names
from tests.support.waiting import wait_until

PARTITIONS = 3


def create_topics(
    servers: str,
    namespace: str,
    timestamps: str = "CreateTime",
    message_bytes: int = 1_048_588,
    lists: bool = False,
    keys: bool = False,
    **counts: int,
) -> Names:
    """Create the three topics of a namespace; `counts` gives one of them another number of partitions.

    `lists` and `keys` add the compacted ones of these names, which deployments of before do not have.
    """
    names = Names(namespace)
    admin = AdminClient({"bootstrap.servers": servers})
    config = {
        "message.timestamp.type": timestamps,
        "message.timestamp.after.max.ms": str(2**63 - 1),
        "retention.ms": "-1",  # records of long ago would else go at the first look of the broker
        "max.message.bytes": str(message_bytes),
    }
    topics = [
        NewTopic(getattr(names, topic), counts.get(topic, PARTITIONS), 1, config=config)
        for topic in ("tracking", "transitions", "dead_letter")
    ]
    compacted = [names.lists] * lists + [names.keys] * keys
    topics += [NewTopic(name, 1, 1, config={"cleanup.policy": "compact"}) for name in compacted]
    for created in admin.create_topics(topics).values():
        created.result(30)
    wait_until(
        lambda: all(topic.topic in admin.list_topics(timeout=10).topics for topic in topics), 30, "the new topics"
    )
    return names


def append(servers: str, topic: str, partition: int, value: bytes, timestamp_ms: int = 0) -> None:
    """Append one record with no key."""
    producer = Producer({"bootstrap.servers": servers})
    producer.produce(topic, value, partition=partition, timestamp=timestamp_ms)
    assert producer.flush(30) == 0


def read_log(servers: str, topic: str, partitions: int = PARTITIONS) -> dict[int, list[KafkaMessage]]:
    """All records of a topic, by partition."""
    with _consumer(servers) as consumer:
        ends = {
            partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)[1]
            for partition in range(partitions)
        }
        consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
        log: dict[int, list[KafkaMessage]] = {partition: [] for partition in ends}

        def complete() -> bool:
            # No more than there is: to wait for one more would take the whole time each time.
            left = sum(max(0, end - len(log[partition])) for partition, end in ends.items())
            for message in consumer.consume(min(left, 10_000), timeout=0.2) if left else ():
                partition = message.partition()
                assert message.error() is None
                assert partition is not None
                log[partition].append(message)
            return all(len(log[partition]) >= end for partition, end in ends.items())

        wait_until(complete, 60, f"the end of {topic}")
    return log


@contextmanager
def _consumer(servers: str) -> Iterator[Consumer]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader", "enable.auto.commit": False})
    try:
        yield consumer
    finally:
        consumer.close()
