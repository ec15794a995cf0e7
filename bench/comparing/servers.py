"""A Kafka for the whole comparison, a new Redis for each run, and the topics on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.work.events import PARTITIONS, Work
from tests.support.brokers import Broker, JavaBroker, start_broker
from tests.support.kafka_jars import kafka_jars
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import Run, RunDirectory, UnavailableServiceError
from tests.support.waiting import wait_until

_TIMEOUT_S = 60
# Kafka's own default, which the tests shorten: so two workers that start together share the work from the first.
_BROKER = {"group.initial.rebalance.delay.ms": "3000"}


class Servers:
    """What a run of the comparison stands on."""

    def __init__(self, run: RunDirectory, kafka: str, broker_pids: Sequence[int] = ()) -> None:
        self.run = run
        self.kafka = kafka
        self.broker_pids = broker_pids
        """Empty where the broker's processes are not known: its processor time is not told then."""
        self._admin = AdminClient(self._connection())

    def _connection(self) -> dict[str, str | int | float | bool]:
        return {"bootstrap.servers": self.kafka, "log_level": 0}  # it tells at length that the broker has ended

    @contextmanager
    def redis(self) -> Iterator[LocalRedis]:
        """A new and empty Redis, which writes its log once a second."""
        server = LocalRedis(self.run)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def create(self, topic: str, config: Mapping[str, str] | None = None) -> None:
        """A new topic that keeps all; without `config` the broker stamps what comes in."""
        settings = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1", **(config or {})}
        made = self._admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=settings)])
        made[topic].result(_TIMEOUT_S)

    def delete(self, topic: str) -> None:
        """Delete a topic, and return when it is gone."""
        self._admin.delete_topics([topic])[topic].result(_TIMEOUT_S)
        wait_until(lambda: topic not in self._admin.list_topics(timeout=10).topics, _TIMEOUT_S, f"the end of {topic}")

    def begin(self, group: str, topic: str) -> None:
        """Commit for a new group that it begins at the start of a topic.

        Faust loses what it fetched before its group was set up where nothing is committed.
        """
        consumer = Consumer(self._connection() | {"group.id": group})
        consumer.commit(
            offsets=[TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)], asynchronous=False
        )
        consumer.close()

    @contextmanager
    def ends(self, topic: str) -> Iterator[Callable[[], list[int]]]:
        """Tells, as often as it is called, how many records each partition of a topic has."""
        consumer = Consumer(self._connection() | {"group.id": "bench"})

        def ends() -> list[int]:
            partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            found = [consumer.get_watermark_offsets(each, timeout=_TIMEOUT_S) for each in partitions]
            return [bounds[1] for bounds in found if bounds is not None]

        try:
            yield ends
        finally:
            consumer.close()

    def write(self, topic: str, work: Work) -> float:
        """Write the events of a work, each stamped with its own instant; returns how many seconds it took."""
        begun = time.monotonic()
        producer = Producer(
            {"bootstrap.servers": self.kafka, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
        )
        ids, partitions = [contact_id.encode() for contact_id in work.ids], work.partitions
        for number, (contact, at_ms, value) in enumerate(work.drawn()):
            if number % 1_000 == 0:
                while len(producer) > 500_000:
                    producer.poll(0.05)
                producer.poll(0)
            producer.produce(topic, value, ids[contact], partitions[contact], timestamp=at_ms)
        assert producer.flush(_TIMEOUT_S) == 0, "the broker did not take all events in time"
        return time.monotonic() - begun

    def read(self, topic: str) -> Iterator[Message]:
        """All that a topic holds now, partition by partition in order."""
        with self.ends(topic) as ends:
            found = ends()
        for partition, end in enumerate(found):
            consumer = Consumer(self._connection() | {"group.id": "bench"})
            consumer.assign([TopicPartition(topic, partition, 0)])
            left = end
            while left:
                messages = consumer.consume(min(left, 10_000), _TIMEOUT_S)
                assert messages, f"{topic}-{partition} could not be read to its end"
                yield from messages
                left -= len(messages)
            consumer.close()


@contextmanager
def servers() -> Iterator[Servers]:
    """A started Kafka, from Java where that is there; it ends with the block."""
    run = Run()
    try:
        broker: Broker
        try:
            broker = JavaBroker(run.directory, kafka_jars(), _BROKER, java=())
            broker.start()
        except UnavailableServiceError:
            broker = start_broker(run.directory, _BROKER, java=())
        pids = [broker.pid] if isinstance(broker, JavaBroker) else []
        yield Servers(run.directory, broker.bootstrap_servers, pids)
    finally:
        run.end()
