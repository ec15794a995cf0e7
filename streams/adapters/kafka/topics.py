"""Reads what Kafka says about topics: partition counts, settings, identity, and where each log begins.

Nothing here writes or creates, not even by accident: metadata are always asked for as a whole, because a broker
may create a topic that is asked for by name. Calls block; an event loop wraps them in a thread. All raise
`UnavailableError` when Kafka does not answer in time, and `AccessError` when it does not let us in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import (
    AdminClient,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    ConsumerGroupDescription,
    ListOffsetsResultInfo,
    OffsetSpec,
    ResourceType,
    TopicDescription,
)

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.ports import LogBounds, LogIdentity, Message, TimestampType

_EMBEDDED_CLUSTER_PREFIX = "mockCluster"
_POLL_S = 0.25
_RETRY_S = 0.05
_FIRST_WAIT_S = 0.5
_PASSING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.GROUP_AUTHORIZATION_FAILED,  # of the group that the library wants a name for: nobody needs rights to it
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
"""What a broker answers for a moment while a topic or a group is new, or its leader moves."""
_NO_ANSWER = {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN}
T = TypeVar("T")


class KafkaTopics:
    """One cluster, read through a client that connects at the first call."""

    def __init__(self, connection: KafkaConnection, timeout_ms: int = 10_000) -> None:
        self._connection = connection
        self._timeout_s = timeout_ms / 1000
        self._trouble: KafkaError | None = None  # of the connection, since the last answer
        self._client = connection.client() | {"log_level": 0, "error_cb": self._note_trouble}
        self._admin = AdminClient(self._client)

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Partitions of those of `topics` that exist."""
        found = self._metadata().topics
        return {topic: len(found[topic].partitions) for topic in topics if topic in found}

    def brokers(self) -> int:
        """How many brokers there are."""
        return len(self._metadata().brokers)

    def replication(self, topics: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Of those of `topics` that exist: replicas, and replicas in sync, of the partition that has fewest."""
        found = self._metadata().topics
        return {
            topic: (
                min(len(partition.replicas) for partition in found[topic].partitions.values()),
                min(len(partition.isrs) for partition in found[topic].partitions.values()),
            )
            for topic in topics
            if topic in found and found[topic].partitions
        }

    def groups(self, names: Iterable[str]) -> dict[str, ConsumerGroupDescription]:
        """What the coordinators say of consumer groups; one that does not exist is described as dead."""
        wanted = list(names)
        if self.is_embedded() or not wanted:
            return {}

        def describe() -> dict[str, ConsumerGroupDescription]:
            futures = self._admin.describe_consumer_groups(wanted, request_timeout=self._timeout_s)
            return {name: future.result() for name, future in futures.items()}

        return self._ask(describe)

    def config(self, topic: str) -> dict[str, str] | None:
        """All settings of a topic, defaults too; None where the broker knows none (the embedded one)."""
        if self.is_embedded():
            return None
        resource = ConfigResource(ResourceType.TOPIC, topic)

        def describe() -> dict[str, ConfigEntry]:
            futures = self._admin.describe_configs([resource], request_timeout=self._timeout_s)
            found: dict[str, ConfigEntry] = futures[resource].result()
            return found

        entries = self._ask(describe)
        return {name: entry.value for name, entry in entries.items() if entry.value is not None}

    def timestamp_type(self, topic: str) -> TimestampType:
        """Who stamps the records of a topic; `create` on the embedded broker."""
        config = self.config(topic)
        return "append" if config and config["message.timestamp.type"] == "LogAppendTime" else "create"

    def log_identity(self, topic: str) -> LogIdentity:
        """Which log this is; the topic id is empty on the embedded broker, which has none."""
        cluster_id = self._metadata().cluster_id or ""
        if cluster_id.startswith(_EMBEDDED_CLUSTER_PREFIX):
            return LogIdentity(cluster_id, "")

        def describe() -> TopicDescription:
            futures = self._admin.describe_topics(TopicCollection([topic]), request_timeout=self._timeout_s)
            found: TopicDescription = futures[topic].result()
            return found

        return LogIdentity(cluster_id, str(self._ask(describe).topic_id))

    def log_bounds(self, topic: str) -> dict[int, LogBounds]:
        """Where the log of every partition begins and ends. A topic that does not exist has none."""
        partitions = range(self.partition_counts([topic]).get(topic, 0))
        starts = self._offsets(topic, partitions, OffsetSpec.earliest())
        ends = self._offsets(topic, partitions, OffsetSpec.latest())
        return {partition: LogBounds(starts[partition], ends[partition]) for partition in partitions}

    def latest_timestamps(self, topic: str) -> dict[int, int]:
        """The largest timestamp in the log of every partition; 0 where it is empty, and on the embedded broker."""
        partitions = range(self.partition_counts([topic]).get(topic, 0))
        found = self._places(topic, partitions, OffsetSpec.max_timestamp())
        return {partition: max(place.timestamp, 0) for partition, place in found.items()}

    def first_records(self, topic: str) -> dict[int, Message | None]:
        """The record with which each partition's log begins; None where the log is empty.

        Its offset is above 0 where older records have been deleted. Headers are left out.
        """
        bounds = self.log_bounds(topic)
        first: dict[int, Message | None] = dict.fromkeys(bounds)
        # Named offsets: asking for "the beginning" costs half a second more.
        starts = {partition: start for partition, (start, end) in bounds.items() if start < end}
        if starts:
            for message in self._read_from_starts(topic, starts):
                first[message.partition] = message
        return first

    def _read_from_starts(self, topic: str, starts: dict[int, int]) -> Iterator[Message]:
        waiting = set(starts)
        deadline = time.monotonic() + self._timeout_s
        with self._answering(), _consumer(self._client) as consumer:
            consumer.assign([TopicPartition(topic, partition, start) for partition, start in starts.items()])
            while waiting:
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"Kafka at {self._connection.bootstrap_servers} did not send the start of {topic} in time"
                    )
                raw = consumer.poll(_POLL_S)
                if raw is None or raw.partition() not in waiting:
                    continue
                error = raw.error()
                if error is None:
                    # Else a broker would go on with this one: of a fetch, only the first partition gets a record that
                    # is larger than the bound, as definitions may be, and the others would wait for its end.
                    consumer.pause([TopicPartition(topic, _partition(raw))])
                    yield _message(raw)
                elif error.code() in _PASSING:
                    continue
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                waiting.discard(_partition(raw))

    def _offsets(self, topic: str, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
        return {partition: place.offset for partition, place in self._places(topic, partitions, spec).items()}

    def _places(self, topic: str, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, ListOffsetsResultInfo]:
        asked = {TopicPartition(topic, partition): spec for partition in partitions}
        if not asked:
            return {}

        def look() -> dict[int, ListOffsetsResultInfo]:
            futures = self._admin.list_offsets(asked, request_timeout=self._timeout_s)
            return {place.partition: future.result() for place, future in futures.items()}

        return self._ask(look)

    def is_embedded(self) -> bool:
        """Whether this is the broker inside librdkafka, which creates, describes and stamps nothing."""
        # It leaves administrative requests unanswered instead of refusing them, so nobody should ask.
        return (self._metadata().cluster_id or "").startswith(_EMBEDDED_CLUSTER_PREFIX)

    def _metadata(self) -> ClusterMetadata:
        return self._ask(self._list)

    def _list(self) -> ClusterMetadata:
        """All topics. The library waits the whole time also where it is not let in, so it is asked in between."""
        deadline, wait_s = time.monotonic() + self._timeout_s, _FIRST_WAIT_S
        while True:
            try:
                return self._admin.list_topics(timeout=max(min(wait_s, deadline - time.monotonic()), 0.001))
            except KafkaException:
                self._admin.poll(0)
                if time.monotonic() > deadline or self._refused:
                    raise
            wait_s *= 2

    def _note_trouble(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # it only follows the reason
            self._trouble = error

    @property
    def _refused(self) -> bool:
        trouble = self._trouble
        return trouble is not None and self._connection.is_refusal(trouble.code(), trouble.str())

    def _ask(self, question: Callable[[], T]) -> T:
        """The answer, asked for again while a topic is new or its leader moves."""
        deadline = time.monotonic() + self._timeout_s
        with self._answering():
            while True:
                try:
                    answer = question()
                except KafkaException as error:
                    if error.args[0].code() not in _PASSING or time.monotonic() > deadline:
                        raise
                else:
                    self._trouble = None
                    return answer
                time.sleep(_RETRY_S)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            told: KafkaError = error.args[0]
            if told.code() in _NO_ANSWER and self._trouble is not None:
                told = self._trouble  # says why
            raise self._connection.failure("does not answer", told.code(), told.str()) from error


@contextmanager
def _consumer(client: dict[str, Any]) -> Iterator[Consumer]:
    consumer = Consumer(
        client
        | {
            "group.id": "segue-start-of-log",  # asked for by the library; nothing is ever committed under it
            "auto.offset.reset": "earliest",  # records that are deleted between two requests
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "queued.min.messages": 1,
            "fetch.message.max.bytes": 65_536,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _partition(raw: KafkaMessage) -> int:
    partition = raw.partition()
    assert partition is not None, "a message that was read has a partition"
    return partition


def _message(raw: KafkaMessage) -> Message:
    topic, offset, key, value = raw.topic(), raw.offset(), raw.key(), raw.value()
    assert topic is not None
    assert offset is not None
    return Message(
        topic=topic,
        partition=_partition(raw),
        key=key.encode() if isinstance(key, str) else key,
        value=value.encode() if isinstance(value, str) else value,
        timestamp_ms=raw.timestamp()[1],
        offset=offset,
    )
