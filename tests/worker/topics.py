"""Topics without the command that makes them, also such as it would not make."""

from __future__ import annotations

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.topics import Names
from tests.support.waiting import wait_until


def create_topics(servers: str, namespace: str, partitions: int = 3, **counts: int) -> Names:
    """Create the three topics of a namespace, stamped by producers; `counts` gives one its own partition count."""
    names = Names(namespace)
    admin = AdminClient({"bootstrap.servers": servers})
    wanted = {
        getattr(names, topic): counts.get(topic, partitions) for topic in ("tracking", "transitions", "dead_letter")
    }
    config = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2**63 - 1)}
    created = admin.create_topics([NewTopic(topic, count, 1, config=config) for topic, count in wanted.items()])
    for future in created.values():
        future.result(30)

    def led() -> bool:
        found = admin.list_topics(timeout=10).topics
        return all(
            topic in found
            and len(found[topic].partitions) == count
            and all(partition.leader >= 0 for partition in found[topic].partitions.values())
            for topic, count in wanted.items()
        )

    wait_until(led, 30, "a leader for each partition")
    return names


def append(servers: str, topic: str, partition: int, value: bytes) -> None:
    """Append one record with no key."""
    producer = Producer({"bootstrap.servers": servers})
    producer.produce(topic, value, partition=partition)
    assert producer.flush(30) == 0
