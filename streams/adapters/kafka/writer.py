"""Appends many records to one topic as fast as the broker takes them; blocks, for command lines."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from schemas.errors import InputError, SegueError
from schemas.kafka_connection import KafkaConnection
from streams.sending.ports import Acknowledgement, OnAcknowledged

_QUEUE_RECORDS = 100_000
_QUEUE_KBYTES = 64 * 1024
_SERVE_EVERY_RECORDS = 1_000
_WAIT_S = 0.1
_MESSAGE_BYTES_MAX = 64 * 1024 * 1024  # the topic's own bound decides, not the library's default of 1 MB
_REFUSALS = {
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.POLICY_VIOLATION,
}


class KafkaWriter:
    """A `LogWriter` on confluent-kafka: idempotent, acknowledged by all in-sync replicas, in order."""

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        delivery_timeout_ms: int = 30_000,
        on_acknowledged: OnAcknowledged | None = None,
    ) -> None:
        """`on_acknowledged` is called for each record, in order within a partition, while `append` or `flush` runs."""
        self._connection = connection
        self._topic = topic
        self._on_acknowledged = on_acknowledged
        self._failure: SegueError | None = None
        self._unserved = 0
        self._producer = Producer(
            connection.client()
            | {
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "batch.size": 1_000_000,
                "delivery.timeout.ms": delivery_timeout_ms,
                "message.max.bytes": _MESSAGE_BYTES_MAX,
                "queue.buffering.max.messages": _QUEUE_RECORDS,
                "queue.buffering.max.kbytes": _QUEUE_KBYTES,
                "delivery.report.only.error": on_acknowledged is None,
                "on_delivery": self._delivered,
                "error_cb": self._error,
                "log_level": 0,
            }
        )

    def append(
        self, value: bytes, *, contact_id: str | None = None, partition: int = -1, timestamp_ms: int = 0
    ) -> None:
        """Queue one record; see `LogWriter`."""
        self._produce(value, None if contact_id is None else contact_id.encode(), partition, timestamp_ms)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Queue a key's new value for partition 0 of a compacted topic; None removes the key."""
        self._produce(value, key, 0, 0)

    def _produce(self, value: bytes | None, key: bytes | None, partition: int, timestamp_ms: int) -> None:
        while True:
            self._raise_failure()
            try:
                self._producer.produce(self._topic, value, key, partition, timestamp=timestamp_ms)
            except BufferError:
                self._producer.poll(_WAIT_S)
            except KafkaException as error:
                raise self._as_failure(error.args[0]) from error
            else:
                break
        self._unserved += 1
        if self._unserved >= _SERVE_EVERY_RECORDS:
            self._unserved = 0
            self._producer.poll(0)

    def flush(self) -> None:
        """Returns when the broker has acknowledged all that was appended."""
        while len(self._producer):
            self._producer.flush(_WAIT_S)
            self._raise_failure()
        self._raise_failure()

    def _delivered(self, error: KafkaError | None, message: KafkaMessage) -> None:
        if error is not None:
            self._error(error, final=True)
        elif self._on_acknowledged is not None:
            partition, offset = message.partition(), message.offset()
            assert partition is not None, "an acknowledged record has a partition"
            # A retry of what had arrived already is acknowledged without the offset.
            known = offset if offset is not None and offset >= 0 else None
            self._on_acknowledged(Acknowledgement(partition, known, message.timestamp()[1]))

    def _error(self, error: KafkaError, final: bool = False) -> None:
        refused = self._connection.is_refusal(error.code(), error.str())
        if self._failure is None and (final or refused or error.fatal()):
            self._failure = self._as_failure(error)

    def _as_failure(self, error: KafkaError) -> SegueError:
        what = f"did not take a record for {self._topic}"
        if error.code() in _REFUSALS:
            return InputError(f"Kafka at {self._connection.bootstrap_servers} {what}: {error.str()}")
        return self._connection.failure(what, error.code(), error.str())

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self._producer.purge()
            raise self._failure
