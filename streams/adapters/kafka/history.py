"""Reads a partition's log once more, beside whoever follows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.follower import KafkaFollower
from streams.ports import LogBounds, RawRecord

_POLL_MS = 250
_AT_ONCE = 500


class KafkaHistory:
    """A `History` over a topic. Each reading has a consumer of its own, which commits nothing anywhere."""

    def __init__(self, connection: KafkaConnection, topic: str, *, timeout_ms: int = 10_000) -> None:
        """`timeout_ms` bounds the wait for the next records."""
        self._connection = connection
        self._topic = topic
        self._timeout_ms = timeout_ms

    async def read(self, partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
        """The records of a partition from one offset up to another, in order.

        Raises `UnavailableError` when nothing comes in time.
        """
        if bounds.start >= bounds.end:
            return
        follower = await asyncio.to_thread(KafkaFollower, self._connection, self._topic, {partition: bounds.start})
        deadline = time.monotonic() + self._timeout_ms / 1000
        try:
            while follower.positions[partition] < bounds.end:
                found = await asyncio.to_thread(follower.read, _POLL_MS)
                records = [
                    RawRecord(one.offset, one.timestamp_ms, one.key, one.value)
                    for one in found
                    if one.offset < bounds.end
                ]
                for start in range(0, len(records), _AT_ONCE):
                    yield records[start : start + _AT_ONCE]
                if records:
                    deadline = time.monotonic() + self._timeout_ms / 1000
                elif time.monotonic() > deadline:
                    raise UnavailableError(
                        f"Kafka at {self._connection.bootstrap_servers} did not send the log of {self._topic} in time"
                    )
        finally:
            await asyncio.to_thread(follower.close)
