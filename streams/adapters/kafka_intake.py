"""The collector's way into Kafka: an idempotent producer with a bounded queue, which answers call by call.

A delivery that fails ends its own call and no other, unlike the relay's producer, whose order would have a gap.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from schemas.errors import SegueError, UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.ports import Entry, QueueFullError

_POLL_S = 0.1
_CLOSE_MARGIN_S = 5.0


class KafkaIntake:
    """Appends entries to a topic, each to its contact's partition.

    `queue_records` and `queue_bytes` bound what waits for the broker; `delivery_timeout_ms` how long.
    `on_fatal` is called, from another thread, when the producer can never deliver again, or is refused.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        *,
        queue_records: int,
        queue_bytes: int,
        delivery_timeout_ms: int,
        on_fatal: Callable[[SegueError], None],
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._queue_records = queue_records
        self._queue_bytes = queue_bytes
        self._close_timeout_s = delivery_timeout_ms / 1000 + _CLOSE_MARGIN_S
        self._on_fatal = on_fatal
        self._fatal: SegueError | None = None
        self._lock = threading.Lock()
        self._waiting_records = 0
        self._waiting_bytes = 0
        self._closing = threading.Event()
        self._producer = Producer(
            connection.client()
            | {
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "reconnect.backoff.max.ms": 1_000,
                "delivery.timeout.ms": delivery_timeout_ms,
                # Twice what is admitted: room for the library's own accounting of each message.
                "queue.buffering.max.messages": queue_records * 2,
                "queue.buffering.max.kbytes": queue_bytes * 2 // 1024,
                "log_level": 0,
                "error_cb": self._error,
            }
        )
        self._poller = threading.Thread(target=self._poll, name="kafka-intake", daemon=True)

    def start(self) -> None:
        """Begin to serve acknowledgements."""
        self._poller.start()

    @property
    def waiting(self) -> int:
        """Records taken that the broker has not acknowledged yet."""
        return self._waiting_records

    async def append(self, entries: Sequence[Entry]) -> None:
        """Returns when the broker has acknowledged every one; see `Intake`."""
        if not entries:
            return
        if self._fatal is not None:
            raise UnavailableError(str(self._fatal))
        call = _Call(len(entries), asyncio.get_running_loop())
        self._admit(entries)
        for entry in entries:
            key = entry.contact_id.encode()
            delivered = partial(self._delivered, call, _size(entry))
            try:
                self._producer.produce(self._topic, entry.value, key, on_delivery=delivered)
            except KafkaException as error:
                delivered(error.args[0], None)
            except BufferError:
                delivered(KafkaError(KafkaError._QUEUE_FULL), None)
        await call.answer

    async def close(self) -> None:
        """Wait for what was taken, at most the delivery timeout and a little; then stop."""
        await asyncio.to_thread(self._producer.flush, self._close_timeout_s)
        self._closing.set()
        await asyncio.to_thread(self._poller.join)

    def _admit(self, entries: Sequence[Entry]) -> None:
        size = sum(_size(entry) for entry in entries)
        with self._lock:
            if (
                self._waiting_records + len(entries) > self._queue_records
                or self._waiting_bytes + size > self._queue_bytes
            ):
                raise QueueFullError(f"the queue holds {self._waiting_records} records that Kafka has not taken yet")
            self._waiting_records += len(entries)
            self._waiting_bytes += size

    def _delivered(self, call: _Call, size: int, error: KafkaError | None, _message: KafkaMessage | None) -> None:
        with self._lock:
            self._waiting_records -= 1
            self._waiting_bytes -= size
            ended = call.count(error)
        if error is not None:
            self._error(error)
        if ended:
            call.end()

    def _error(self, error: KafkaError) -> None:
        if error.fatal() or self._connection.is_refusal(error.code(), error.str()):
            self._stop(error)

    def _stop(self, error: KafkaError) -> None:
        if self._fatal is None:
            self._fatal = self._connection.failure("takes no records any more", error.code(), error.str())
            self._on_fatal(self._fatal)

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(_POLL_S)


class _Call:
    """The deliveries that one call waits for."""

    def __init__(self, records: int, loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._outstanding = records
        self._error: KafkaError | None = None

    def count(self, error: KafkaError | None) -> bool:
        """Note one delivery; true for the last."""
        self._outstanding -= 1
        self._error = self._error or error
        return self._outstanding == 0

    def end(self) -> None:
        """Wake the waiting call, from whatever thread."""
        self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if self.answer.done():  # the call was cancelled
            return
        if self._error is None:
            self.answer.set_result(None)
        else:
            self.answer.set_exception(UnavailableError(f"Kafka did not acknowledge: {self._error.str()}"))


def _size(entry: Entry) -> int:
    return len(entry.value) + len(entry.contact_id)
