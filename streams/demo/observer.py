"""Reads along what lies in Kafka: the log, what came of it, and what was put aside as bad."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

_BATCH_MAX = 500
_POLL_S = 0.02
_STOP_TIMEOUT_S = 5.0


class Seen(NamedTuple):
    """A message, and when it was read (wall clock, ms)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None
    headers: dict[str, bytes]
    read_ms: int


class Observer:
    """A consumer of no group that reads `topics` from their start on a thread, while it is entered."""

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Sequence[str],
        partitions: int,
        fetch_wait_ms: int,
        on_seen: Callable[[list[Seen]], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """`on_seen` and `on_failure` are called on the thread.

        `fetch_wait_ms` is how long the embedded broker sits on an answer that is empty when it is asked for. For each
        question it looks through all that it keeps, so that asking often makes a long demo slow.
        """
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "segue-demo-observer",  # asked for by the library; nothing is ever committed under it
                "enable.auto.commit": False,
                "auto.offset.reset": "error",  # what fell out of the log unread would be a gap
                "fetch.wait.max.ms": fetch_wait_ms,
                "log_level": 0,
            }
        )
        self._places = [TopicPartition(topic, number, 0) for topic in topics for number in range(partitions)]
        self._on_seen = on_seen
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="observer", daemon=True)

    def __enter__(self) -> Self:
        self._consumer.assign(self._places)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(_STOP_TIMEOUT_S)
        self._consumer.close()

    def _read(self) -> None:
        try:
            while not self._stopping.is_set():
                messages = self._consumer.consume(_BATCH_MAX, 0)
                if not messages:
                    # Alone it returns with the first message; the other one would wait for a full batch.
                    message = self._consumer.poll(_POLL_S)
                    messages = [] if message is None else [message]
                read_ms = time.time_ns() // 1_000_000
                if messages:
                    self._on_seen([_seen(message, read_ms) for message in messages])
        except KafkaException as error:
            self._on_failure(f"the embedded Kafka cannot be read: {error.args[0].str()}")


def _seen(message: KafkaMessage, read_ms: int) -> Seen:
    error = message.error()
    if error is not None:
        raise KafkaException(error)
    topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers = message.headers() or []
    assert isinstance(headers, list), "as the library reads them; for writing a dict would do too"
    given = {name: raw for name, raw in headers if isinstance(raw, bytes)}
    raw_value = value.encode() if isinstance(value, str) else value
    return Seen(topic, partition, offset, message.timestamp()[1], raw_value, given, read_ms)
