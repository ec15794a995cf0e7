"""A compacted topic of one partition: read as a whole, written key by key."""

from __future__ import annotations

import time

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.follower import KafkaFollower
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.kafka.writer import KafkaWriter
from streams.ports import Message

_POLL_MS = 250


class KafkaCompactedLog:
    """A `CompactedLog` on confluent-kafka."""

    def __init__(self, connection: KafkaConnection, topic: str, timeout_ms: int = 10_000) -> None:
        """`timeout_ms` bounds how long `read` waits while nothing comes."""
        self._connection = connection
        self._topic = topic
        self._timeout_s = timeout_ms / 1000
        self._topics = KafkaTopics(connection)
        self._writer = KafkaWriter(connection, topic)

    def read(self) -> dict[bytes, bytes]:
        """The last value of every key that has one; see `CompactedLog`."""
        start, end = self._topics.log_bounds(self._topic)[0]
        values: dict[bytes, bytes] = {}
        if start >= end:
            return values
        follower = KafkaFollower(self._connection, self._topic, {0: start})
        deadline = time.monotonic() + self._timeout_s
        try:
            while follower.positions[0] < end:
                messages = follower.read(_POLL_MS)
                for message in messages:
                    _take(message, values)
                if messages:
                    deadline = time.monotonic() + self._timeout_s
                elif time.monotonic() > deadline:
                    raise UnavailableError(
                        f"Kafka at {self._connection.bootstrap_servers} did not send {self._topic} in time"
                    )
        finally:
            follower.close()
        return values

    def end(self) -> int:
        """The offset that the next append will get."""
        return self._topics.log_bounds(self._topic)[0].end

    def put(self, key: bytes, value: bytes | None) -> None:
        """Queue a key's new value; None removes the key."""
        self._writer.put(key, value)

    def flush(self) -> None:
        """Returns when the broker has acknowledged all that was put."""
        self._writer.flush()


def _take(message: Message, values: dict[bytes, bytes]) -> None:
    key = message.key or b""
    if message.value is None:
        values.pop(key, None)
    else:
        values[key] = message.value
