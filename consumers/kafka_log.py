"""Reading the log of `transitions` outside of the flow: messages, errors, and where a partition goes on."""

from __future__ import annotations

import logging
import time
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumers.arrivals import RawMessage, Stamp, read_stamp
from consumers.progress_store import Stored
from consumers.start import Found, From, Peek, Start, decide, finish
from consumers.window import read_progress
from schemas.errors import InputError, SegueError, UnavailableError
from schemas.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)

CLIENT_LOGGER = "consumers.kafka_client"
"""What the Kafka client has to say is logged under this name."""

_POLL_S = 0.1
_PEEK_GROUP_SUFFIX = "-peek"


class Subscription(NamedTuple):
    """What is read, as whom, and within which bounds."""

    connection: KafkaConnection
    topic: str
    group: str
    session_timeout_ms: int
    request_timeout_ms: int
    commit_interval_ms: int
    patience_ms: int
    batch_max: int
    start: From | None
    accept_gap: bool

    def client(self) -> dict[str, Any]:
        """Configuration of the Kafka client."""
        return self.connection.client() | {
            "group.id": self.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": self.session_timeout_ms,
            "heartbeat.interval.ms": max(self.session_timeout_ms // 5, 100),
            "socket.timeout.ms": self.request_timeout_ms,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 8192,
            "reconnect.backoff.max.ms": 2000,
            "log_level": 3,
            "logger": logging.getLogger(CLIENT_LOGGER),
        }


def find_start(consumer: Consumer, place: TopicPartition, subscription: Subscription, stored: Stored) -> Start:
    """Where a partition goes on, by what Redis (`stored`), the group and the log say.

    Raises `InputError` as `start.decide` does, and `UnavailableError` when Kafka does not answer.
    """
    timeout_s = subscription.request_timeout_ms / 1000
    try:
        committed = consumer.committed([place], timeout=timeout_s)[0]
        if committed.error is not None:
            raise KafkaException(committed.error)
        low, high = consumer.get_watermark_offsets(place, timeout=timeout_s)
    except KafkaException as error:
        raise kafka_failure(error, subscription) from error
    found = Found(
        topic=place.topic,
        partition=place.partition,
        low=low,
        high=high,
        stored=stored.progress,
        committed=read_progress(committed.offset, committed.metadata),
        ahead=stored.ahead,
    )
    plan = decide(found, subscription.start)
    if isinstance(plan, Start):
        return plan
    assert subscription.start is not None, "only a chosen start asks for a peek"
    return finish(found, subscription.start, _peek(place, plan, subscription))


def _peek(place: TopicPartition, peek: Peek, subscription: Subscription) -> list[Stamp]:
    configuration = subscription.client()
    configuration["group.id"] += _PEEK_GROUP_SUFFIX  # asked for by the library; nothing is committed under it
    deadline = time.monotonic() + subscription.request_timeout_ms / 1000
    stamps: list[Stamp] = []
    peeking = Consumer(configuration)
    try:
        peeking.assign([TopicPartition(place.topic, place.partition, peek.first)])
        reached = peek.first
        while reached < peek.last:
            if time.monotonic() > deadline:
                raise UnavailableError(f"Kafka did not send offset {reached} of {place.topic} in time")
            message = peeking.poll(_POLL_S)
            if message is None or not is_good(message, subscription):
                continue
            raw = raw_message(message)
            reached = raw.offset + 1
            stamp = read_stamp(raw)
            if stamp is not None and reached <= peek.last:
                stamps.append(stamp)
    finally:
        peeking.close()
    return stamps


def is_good(message: Message, subscription: Subscription) -> bool:
    """Whether it is a message and not a passing trouble. Raises `SegueError` where the trouble will not pass."""
    error = message.error()
    if error is None:
        return True
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        raise InputError(
            f"{message.topic()} partition {message.partition()}: the log no longer holds the next offset to read; "
            "it was replaced or cut while it was read. Start again to see what is missing"
        )
    if error.fatal():
        raise UnavailableError(f"Kafka refuses this consumer: {error.str()}")
    if KafkaConnection.is_refusal(error.code(), error.str()):
        raise subscription.connection.failure("does not let us read", error.code(), error.str())
    log.warning("Kafka: %s", error.str())
    return False


def raw_message(message: Message) -> RawMessage:
    """What the engine needs of a message."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return RawMessage(
        partition, offset, [(name, value) for name, value in pairs if isinstance(value, bytes)], message.value() or b""
    )


def kafka_failure(error: KafkaException, subscription: Subscription) -> SegueError:
    """What Kafka, or its client, says went wrong, as the error that it is to us."""
    cause: object = error.args[0]
    code = cause.code() if isinstance(cause, KafkaError) else KafkaError._FAIL
    return subscription.connection.failure("does not answer", code, kafka_text(error))


def kafka_text(error: KafkaException) -> str:
    """What Kafka, or its client, says went wrong."""
    cause: object = error.args[0]
    return str(cause.str() if isinstance(cause, KafkaError) else cause)
