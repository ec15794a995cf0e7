"""Reads the last messages of a partition: where the relay and the dead letters of an earlier owner stopped."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.ports import Message

_POLL_S = 0.25
_RETRY_S = 0.1


class KafkaTailReader:
    """A `TailReader` on one confluent-kafka consumer, which belongs to no group's business and commits nothing."""

    def __init__(self, connection: KafkaConnection, *, timeout_ms: int) -> None:
        """`timeout_ms` bounds one `tail`."""
        self._connection = connection
        self._timeout_s = timeout_ms / 1000
        self._consumer: Consumer | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="segue-tail")

    async def tail(self, topic: str, partition: int, count: int) -> list[Message]:
        """The last messages, oldest first, at most `count` (fewer when the log holds fewer).

        Raises `UnavailableError` when Kafka does not answer in time.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._tail, topic, partition, count)

    async def close(self) -> None:
        """Close the connection; a reading under way ends first."""
        if self._consumer is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._consumer.close)
        self._thread.shutdown(wait=False)

    def _tail(self, topic: str, partition: int, count: int) -> list[Message]:
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return self._read(self._connected(), TopicPartition(topic, partition), count, deadline)
            except KafkaException as error:
                # A leader that moves, or is not elected yet, passes; a refusal does not.
                code, said = error.args[0].code(), error.args[0].str()
                if time.monotonic() > deadline or self._connection.is_refusal(code, said):
                    raise self._connection.failure(f"did not show the end of {topic}", code, said) from error
                time.sleep(_RETRY_S)

    def _connected(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                self._connection.client()
                | {
                    "group.id": "segue-tail",  # asked for by the library; nothing is ever committed under it
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "earliest",  # retention may overtake the offset that was just asked for
                    "fetch.wait.max.ms": 10,
                    "log_level": 0,
                }
            )
        return self._consumer

    def _read(self, consumer: Consumer, place: TopicPartition, count: int, deadline: float) -> list[Message]:
        bounds = consumer.get_watermark_offsets(place, timeout=max(_POLL_S, deadline - time.monotonic()))
        if bounds is None:
            raise UnavailableError(
                f"Kafka at {self._connection.bootstrap_servers} did not say where {place.topic} ends in time"
            )
        start, end = bounds
        if start >= end:
            return []
        found: list[Message] = []
        consumer.assign([TopicPartition(place.topic, place.partition, max(start, end - count))])
        try:
            while not found or found[-1].offset + 1 < end:
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"Kafka at {self._connection.bootstrap_servers} did not send the end of {place.topic} in time"
                    )
                raw = consumer.poll(_POLL_S)
                if raw is None:
                    continue
                error = raw.error()
                if error is None:
                    found.append(message_of(raw))
                elif error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    continue  # of the group that the library wants a name for: nobody needs rights to it
                elif error.code() == KafkaError._PARTITION_EOF:
                    break
                else:
                    raise KafkaException(error)
        finally:
            consumer.unassign()
        return found[-count:]


def message_of(raw: KafkaMessage) -> Message:
    """A message of the library's as a plain value."""
    topic, partition, offset, key, value = raw.topic(), raw.partition(), raw.offset(), raw.key(), raw.value()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers = tuple((name, text.encode() if isinstance(text, str) else text or b"") for name, text in _headers(raw))
    return Message(
        topic=topic,
        partition=partition,
        key=key.encode() if isinstance(key, str) else key,
        value=value.encode() if isinstance(value, str) else value,
        headers=headers,
        timestamp_ms=raw.timestamp()[1],
        offset=offset,
    )


def _headers(raw: KafkaMessage) -> list[tuple[str, str | bytes | None]]:
    headers = raw.headers()
    return list(headers.items()) if isinstance(headers, dict) else list(headers or [])
