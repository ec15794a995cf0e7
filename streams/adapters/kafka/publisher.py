"""The worker's producer: idempotent, acknowledged by all in-sync replicas, without lingering.

librdkafka calls back on a thread of our own; a whole batch costs the event loop one wake-up. A delivery that
fails is final: order and completeness of what follows could not be promised any more, so the process ends.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from schemas.errors import BugError, SegueError
from schemas.kafka_connection import KafkaConnection
from streams.ports import Message

_POLL_S = 0.1
_FULL_QUEUE_PAUSE_S = 0.005
_MESSAGE_BYTES_MAX = 64 * 1024 * 1024  # the broker's own bound decides, not the library's default of 1 MB

log = logging.getLogger("segue.kafka")


class _Deliveries:
    """Acknowledgements of one batch. Called on the poll thread alone, once a message."""

    __slots__ = ("_loop", "_missing", "_on_failure", "future", "last_offset")

    def __init__(self, messages: int, on_failure: Callable[[KafkaError], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._missing = messages
        self._on_failure = on_failure
        self.future: asyncio.Future[None] = self._loop.create_future()
        self.last_offset = -1

    def __call__(self, error: KafkaError | None, message: KafkaMessage) -> None:
        self._missing -= 1
        if error is not None:
            self._on_failure(error)
        elif not self._missing:
            offset = message.offset()
            self.last_offset = -1 if offset is None else offset
            self._loop.call_soon_threadsafe(self._acknowledged)

    def _acknowledged(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class KafkaPublisher:
    """A `Publisher` on confluent-kafka. Start it on the event loop that publishes."""

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        publish_timeout_ms: int,
        queue_messages_max: int,
        on_failure: Callable[[SegueError], None],
    ) -> None:
        """`on_failure` is called once, on the event loop, when a delivery has failed for good."""
        self._connection = connection
        self._publish_timeout_ms = publish_timeout_ms
        self._on_failure = on_failure
        self._failure: SegueError | None = None
        self._waiting: set[_Deliveries] = set()
        self._closing_deadline: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._producer = Producer(
            connection.client()
            | {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "compression.type": "lz4",
                "message.timeout.ms": publish_timeout_ms,
                "message.max.bytes": _MESSAGE_BYTES_MAX,
                "queue.buffering.max.messages": queue_messages_max,
                "error_cb": self._on_client_error,
            },
            logger=log,
        )
        self._thread = threading.Thread(target=self._poll, name="segue-publisher", daemon=True)

    def start(self) -> None:
        """Begin to serve acknowledgements."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Returns when the broker has acknowledged every one; order within a partition is kept.

        Raises `UnavailableError` or `AccessError`, then and ever after, when a delivery has failed.
        """
        if messages:
            await self._deliver(messages)

    async def append(self, message: Message) -> int:
        """Publish one message and return its offset."""
        return await self._deliver([message])

    async def close(self, timeout_s: float) -> None:
        """Serve outstanding acknowledgements for at most `timeout_s`, then end."""
        self._closing_deadline = time.monotonic() + timeout_s
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    async def _deliver(self, messages: Sequence[Message]) -> int:
        if self._failure is not None:
            raise self._failure
        deliveries = _Deliveries(len(messages), self._fail_from_thread)
        self._waiting.add(deliveries)
        try:
            for message in messages:
                while not self._taken(message, deliveries):
                    await asyncio.sleep(_FULL_QUEUE_PAUSE_S)
            await deliveries.future
        finally:
            self._waiting.discard(deliveries)
        return deliveries.last_offset

    def _taken(self, message: Message, deliveries: _Deliveries) -> bool:
        """Whether the producer's queue had room for the message."""
        if self._failure is not None:
            raise self._failure
        try:
            self._producer.produce(
                message.topic,
                value=message.value,
                key=message.key,
                partition=message.partition,
                headers=list(message.headers),
                timestamp=message.timestamp_ms,
                on_delivery=deliveries,
            )
        except BufferError:
            return False
        except KafkaException as error:
            raise BugError(f"the producer refused a message for {message.topic}: {error}") from error
        return True

    def _poll(self) -> None:
        while True:
            self._producer.poll(_POLL_S)
            if self._closing_deadline is not None and (
                len(self._producer) == 0 or time.monotonic() > self._closing_deadline
            ):
                return

    def _on_client_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fail_from_thread(error)
        else:
            log.warning("producer: %s", error.str())

    def _fail_from_thread(self, error: KafkaError) -> None:
        assert self._loop is not None, "started before the first message"
        self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: KafkaError) -> None:
        if self._failure is not None:
            return
        what = f"did not take a message (in {self._publish_timeout_ms} ms)"
        self._failure = self._connection.failure(what, error.code(), error.str())
        for deliveries in self._waiting:
            if not deliveries.future.done():
                deliveries.future.set_exception(self._failure)
        self._on_failure(self._failure)
