"""Reads on along a topic from offsets that are given: what is published after a record was sent, or a whole topic."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.tail import message_of
from streams.ports import Message

_AT_ONCE = 5_000
PASSING = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError.GROUP_AUTHORIZATION_FAILED,  # of the group that the library wants a name for: nobody needs rights to it
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
"""What the library goes on from by itself when the broker is back; whoever reads has a deadline of its own."""


class KafkaFollower:
    """A `Follower` on one confluent-kafka consumer, which belongs to no group's business and commits nothing."""

    def __init__(self, connection: KafkaConnection, topic: str, offsets: Mapping[int, int]) -> None:
        """Reads each partition from its offset in `offsets`."""
        self._connection = connection
        self._positions = dict(offsets)
        self._consumer = Consumer(
            connection.client()
            | {
                "group.id": "segue-follower",  # asked for by the library; nothing is ever committed under it
                "enable.auto.commit": False,
                "enable.partition.eof": True,  # a compacted log ends with offsets that no message has
                "auto.offset.reset": "earliest",  # retention may overtake the offsets that were given
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in offsets.items()])

    @property
    def positions(self) -> Mapping[int, int]:
        """Partition -> the offset up to which all was read."""
        return self._positions

    def read(self, timeout_ms: int) -> list[Message]:
        """The next messages; see `Follower`."""
        found: list[Message] = []
        # One at first: to ask for many waits the whole time, or until all are there.
        first = self._consumer.poll(timeout_ms / 1000)
        if first is not None:
            for raw in [first, *self._consumer.consume(_AT_ONCE, 0.0)]:
                self._take(raw, found)
        return found

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def _take(self, raw: KafkaMessage, found: list[Message]) -> None:
        error, partition, offset = raw.error(), raw.partition(), raw.offset()
        if error is not None and error.code() in PASSING:
            return
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise self._connection.failure("does not answer", error.code(), error.str()) from KafkaException(error)
        assert partition is not None
        assert offset is not None
        if error is None:
            found.append(message_of(raw))
        self._positions[partition] = offset if error is not None else offset + 1
