"""Reads single records of the log, beside whoever follows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.follower import PASSING
from streams.adapters.kafka.tail import message_of
from streams.ports import RawRecord

_NEAR = 200
"""Records that are rather read through than jumped over: so many come with one fetch."""
_POLL_S = 0.25


class KafkaRecordReader:
    """A `RecordReader` over a topic: one consumer, made when it is first needed, which commits nothing anywhere."""

    def __init__(self, connection: KafkaConnection, topic: str, *, timeout_ms: int = 10_000) -> None:
        """`timeout_ms` bounds the wait for the next records."""
        self._connection = connection
        self._topic = topic
        self._timeout_s = timeout_ms / 1000
        self._consumer: Consumer | None = None
        self._one_at_a_time = asyncio.Lock()

    async def read(self, partition: int, offsets: Sequence[int]) -> Mapping[int, RawRecord]:
        """The records at rising offsets; those that the log does not hold any more are missing.

        Raises `UnavailableError` when nothing comes in time.
        """
        if not offsets:
            return {}
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._read, partition, offsets)

    async def close(self) -> None:
        """Let go of the connection."""
        async with self._one_at_a_time:
            if self._consumer is not None:
                await asyncio.to_thread(self._consumer.close)
                self._consumer = None

    def _read(self, partition: int, offsets: Sequence[int]) -> dict[int, RawRecord]:
        consumer = self._consumer = self._consumer or self._connected()
        wanted, found = set(offsets), dict[int, RawRecord]()
        for first, last in _runs(offsets):
            consumer.assign([TopicPartition(self._topic, partition, first)])
            for record in self._from(consumer, last):
                if record.offset in wanted:
                    found[record.offset] = record
        consumer.unassign()
        return found

    def _from(self, consumer: Consumer, last: int) -> Iterator[RawRecord]:
        """What the consumer is assigned to, up to an offset that the log has reached."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            message = consumer.poll(_POLL_S)
            error = None if message is None else message.error()
            if message is None or (error is not None and error.code() in PASSING):
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"Kafka at {self._connection.bootstrap_servers} did not send records of {self._topic} in time"
                    )
                continue
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise self._connection.failure("does not answer", error.code(), error.str()) from KafkaException(error)
            if error is not None:
                return
            found = message_of(message)
            if found.offset <= last:
                yield RawRecord(found.offset, found.timestamp_ms, found.key, found.value)
            if found.offset >= last:
                return

    def _connected(self) -> Consumer:
        return Consumer(
            self._connection.client()
            | {
                "group.id": "segue-record-reader",  # asked for by the library; nothing is ever committed under it
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # retention may overtake the offsets that are asked for
                "fetch.message.max.bytes": 131_072,  # a jump is worth no more
                "queued.min.messages": 1,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )


def _runs(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of rising offsets that lie near one another."""
    first = last = offsets[0]
    for offset in offsets:
        if offset - last > _NEAR:
            yield first, last
            first = offset
        last = offset
    yield first, last
