"""Reads one partition's log between two offsets, as a worker would: nothing is committed anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.follower import KafkaFollower
from streams.ports import LogBounds, RawRecord

_POLL_MS = 250


def read_log(
    connection: KafkaConnection, topic: str, partition: int, bounds: LogBounds, timeout_ms: int = 10_000
) -> Iterator[RawRecord]:
    """The records of a partition from one offset up to another, in order.

    Raises `UnavailableError` when nothing came for `timeout_ms`.
    """
    if bounds.start >= bounds.end:
        return
    follower = KafkaFollower(connection, topic, {partition: bounds.start})
    deadline = time.monotonic() + timeout_ms / 1000
    try:
        while follower.positions[partition] < bounds.end:
            messages = follower.read(_POLL_MS)
            for message in messages:
                if message.offset < bounds.end:
                    yield RawRecord(message.offset, message.timestamp_ms, message.key, message.value)
            if messages:
                deadline = time.monotonic() + timeout_ms / 1000
            elif time.monotonic() > deadline:
                raise UnavailableError(
                    f"Kafka at {connection.bootstrap_servers} did not send the log of {topic} in time"
                )
    finally:
        follower.close()
