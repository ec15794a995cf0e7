"""The collector's way into Kafka: an idempotent producer with a bounded queue, which answers call by call.

A delivery that fails ends its own call and no other, unlike the relay's producer, whose order would have a gap.

All of it happens on the event loop, which asks for acknowledgements each millisecond while some are missing. A thread
that waits for them would wake the loop for each, and both would stand in the other's way: the interpreter runs one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from schemas.errors import SegueError, UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.ports import Entry, QueueFullError, RecordRefusedError

_BUSY_PAUSE_S = 0.001
_IDLE_PAUSE_S = 0.1
_CLOSE_MARGIN_S = 5.0
_REFUSALS = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.POLICY_VIOLATION)


class KafkaIntake:
    """Appends entries to a topic, each to its contact's partition.

    `queue_records` and `queue_bytes` bound what waits for the broker; `delivery_timeout_ms` how long, 0 for ever: then
    no record is given up, and so none is overtaken by one behind it.
    `on_fatal` is called when the producer can never deliver again, or is refused.
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
        self._waiting_records = 0
        self._waiting_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn: asyncio.TimerHandle | None = None
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
                "error_cb": self.note,
            }
        )

    def start(self) -> None:
        """Begin to serve acknowledgements, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._serve()

    @property
    def waiting(self) -> int:
        """Records taken that the broker has not acknowledged yet."""
        return self._waiting_records

    async def append(self, entries: Sequence[Entry], *, sent_again: bool = False) -> None:  # noqa: ARG002 - all alike
        """Returns when the broker has acknowledged every one; see `Intake`."""
        if not entries:
            return
        if self._fatal is not None:
            raise UnavailableError(str(self._fatal))
        assert self._loop is not None
        call = self._admit(entries, self._loop)
        produce, topic, delivered = self._producer.produce, self._topic, call.delivered
        for entry in entries:
            try:
                produce(topic, entry.value, entry.contact_id.encode(), on_delivery=delivered)
            except KafkaException as error:
                delivered(error.args[0], None)
            except BufferError:
                delivered(KafkaError(KafkaError._QUEUE_FULL), None)
        self._hurry()
        await call.answer

    async def close(self) -> None:
        """Wait for what was taken, at most the delivery timeout and a little; then stop."""
        assert self._loop is not None
        deadline = self._loop.time() + self._close_timeout_s
        while self._waiting_records and self._loop.time() < deadline:
            await asyncio.sleep(_BUSY_PAUSE_S)
        if self._turn is not None:
            self._turn.cancel()

    def _admit(self, entries: Sequence[Entry], loop: asyncio.AbstractEventLoop) -> _Call:
        size = sum([len(entry.value) + len(entry.contact_id) for entry in entries])
        if self._waiting_records + len(entries) > self._queue_records or self._waiting_bytes + size > self._queue_bytes:
            raise QueueFullError(f"the queue holds {self._waiting_records} records that Kafka has not taken yet")
        self._waiting_records += len(entries)
        self._waiting_bytes += size
        return _Call(self, loop.create_future(), len(entries), size)

    def release(self, records: int, size: int) -> None:
        """So much does not wait any more."""
        self._waiting_records -= records
        self._waiting_bytes -= size

    def note(self, error: KafkaError) -> None:
        """Something failed: stop where nothing could be delivered any more."""
        if error.fatal() or self._connection.is_refusal(error.code(), error.str()):
            self._stop(error)

    def _stop(self, error: KafkaError) -> None:
        if self._fatal is None:
            self._fatal = self._connection.failure("takes no records any more", error.code(), error.str())
            self._on_fatal(self._fatal)

    def _serve(self) -> None:
        """Take what has been acknowledged, and look again soon where more is to come."""
        assert self._loop is not None
        try:
            self._producer.poll(0)
        finally:
            self._turn = self._loop.call_later(_BUSY_PAUSE_S if self._waiting_records else _IDLE_PAUSE_S, self._serve)

    def _hurry(self) -> None:
        """Look soon, were nothing waited for until now."""
        assert self._loop is not None
        assert self._turn is not None
        if self._turn.when() - self._loop.time() > _BUSY_PAUSE_S:
            self._turn.cancel()
            self._turn = self._loop.call_later(_BUSY_PAUSE_S, self._serve)


class _Call:
    """The deliveries that one call waits for; its bytes are free when all have come."""

    __slots__ = ("_error", "_intake", "_outstanding", "_size", "answer")

    def __init__(self, intake: KafkaIntake, answer: asyncio.Future[None], records: int, size: int) -> None:
        self.answer = answer
        self._intake = intake
        self._outstanding = records
        self._size = size
        self._error: KafkaError | None = None

    def delivered(self, error: KafkaError | None, _message: KafkaMessage | None) -> None:
        """Note one delivery, and answer the call with the last."""
        self._outstanding -= 1
        self._intake.release(1, 0 if self._outstanding else self._size)
        if error is not None:
            self._error = self._error or error
            self._intake.note(error)
        if self._outstanding or self.answer.done():  # done: the call was cancelled
            return
        if self._error is None:
            self.answer.set_result(None)
        else:
            kind = RecordRefusedError if self._error.code() in _REFUSALS else UnavailableError
            self.answer.set_exception(kind(f"Kafka did not acknowledge: {self._error.str()}"))
