"""What the engine and its simulation believe of a log, held to be true of Kafka's and of the one in memory alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeAlias

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.kafka_connection import KafkaConnection
from schemas.topics import Names
from streams.adapters.kafka.publisher import KafkaPublisher
from streams.adapters.kafka.tail import KafkaTailReader
from streams.adapters.kafka.topics import KafkaTopics
from streams.ports import LogBounds, Message, Publisher, TailReader
from tests.conftest import Kafka
from tests.simulation.broker import Broker, OffsetGoneError, SimProducer, SimTails
from tests.simulation.network import Network
from tests.simulation.virtual_loop import VirtualLoop
from tests.worker.topics import create_topics


class Log(Protocol):
    """One topic of two partitions, with who writes to it and who reads its end."""

    topic: str

    @property
    def publisher(self) -> Publisher: ...

    @property
    def tails(self) -> TailReader: ...

    async def append(self, message: Message) -> int:
        """Publish one; its offset."""

    def bounds(self, partition: int) -> LogBounds:
        """Where a partition begins and ends."""

    def read(self, partition: int, offset: int) -> list[Message]:
        """All from an offset on. Raises `OffsetGoneError`."""

    def cut(self, partition: int, start: int) -> None:
        """Let go of what lies before `start`."""


class MemoryLog:
    """The log of the simulation."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.topic = Names("").dead_letter
        self._broker = Broker(Network(loop, "conformance"), Names(""), 2, 0)
        process = loop.process("writer")
        producer = SimProducer(self._broker, process, "p", lambda error: pytest.fail(str(error)))
        self.publisher: Publisher = producer
        self.append = producer.append
        self.tails = SimTails(self._broker, process)

    def bounds(self, partition: int) -> LogBounds:
        return self._broker.log(self.topic, partition).bounds

    def read(self, partition: int, offset: int) -> list[Message]:
        return self._broker.log(self.topic, partition).read(offset, 1_000)

    def cut(self, partition: int, start: int) -> None:
        self._broker.log(self.topic, partition).truncate(start)


class KafkaLog:
    """A topic of the real broker."""

    def __init__(self, servers: str, topic: str) -> None:
        self.topic = topic
        self._servers = servers
        self.publisher = KafkaPublisher(
            KafkaConnection(servers),
            publish_timeout_ms=30_000,
            queue_messages_max=10_000,
            on_failure=lambda e: pytest.fail(str(e)),
        )
        self.append = self.publisher.append
        self.tails = KafkaTailReader(KafkaConnection(servers), timeout_ms=20_000)

    def bounds(self, partition: int) -> LogBounds:
        return KafkaTopics(KafkaConnection(self._servers)).log_bounds(self.topic)[partition]

    def read(self, partition: int, offset: int) -> list[Message]:
        end = self.bounds(partition).end
        consumer = Consumer({"bootstrap.servers": self._servers, "group.id": "t", "auto.offset.reset": "error"})
        found: list[Message] = []
        try:
            consumer.assign([TopicPartition(self.topic, partition, offset)])
            while len(found) < end - offset or offset > end:
                message = consumer.poll(30)
                assert message is not None, "the log ends early"
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._AUTO_OFFSET_RESET
                    raise OffsetGoneError
                found.append(_as_message(message))
        finally:
            consumer.close()
        return found

    def cut(self, partition: int, start: int) -> None:
        admin = AdminClient({"bootstrap.servers": self._servers})
        for deleted in admin.delete_records([TopicPartition(self.topic, partition, start)]).values():
            deleted.result(30)


def _as_message(found: Any) -> Message:
    return Message(
        found.topic(), found.partition(), found.key(), found.value(), tuple(found.headers() or ()), 0, found.offset()
    )


Story: TypeAlias = Callable[[Log], Awaitable[None]]
Teller: TypeAlias = Callable[[Story], None]


@pytest.fixture(params=["memory", "kafka"])
def tell(request: pytest.FixtureRequest) -> Teller:
    """Runs a story on each kind of log."""
    if request.param == "memory":

        def in_memory(story: Story) -> None:
            loop = VirtualLoop()

            async def whole() -> None:
                await story(MemoryLog(loop))

            loop.run(whole())

        return in_memory
    kafka: Kafka = request.getfixturevalue("kafka")
    namespace: str = request.getfixturevalue("namespace")
    topic = create_topics(kafka.bootstrap_servers, namespace, partitions=2).dead_letter

    def on_kafka(story: Story) -> None:
        async def whole() -> None:
            async with _started(KafkaLog(kafka.bootstrap_servers, topic)) as log:
                await story(log)

        asyncio.run(whole())

    return on_kafka


@asynccontextmanager
async def _started(log: KafkaLog) -> AsyncIterator[KafkaLog]:
    log.publisher.start()
    yield log
    await log.publisher.close(5)
    await log.tails.close()


def _messages(log: Log, count: int, partition: int = 0) -> list[Message]:
    headers = [(("seq", b"%d" % number), ("epoch", b"1")) for number in range(count)]
    return [Message(log.topic, partition, b"k", b"%d" % n, headers[n]) for n in range(count)]


def _values(messages: list[Message]) -> list[bytes | None]:
    return [message.value for message in messages]


def test_what_was_published_lies_there_in_order_with_key_and_headers(tell: Teller) -> None:
    async def story(log: Log) -> None:
        await log.publisher.publish(_messages(log, 30))
        found = log.read(0, 0)
        assert _values(found) == [b"%d" % number for number in range(30)]
        assert [message.offset for message in found] == list(range(30))
        assert (found[7].key, found[7].headers) == (b"k", (("seq", b"7"), ("epoch", b"1")))

    tell(story)


def test_partitions_are_logs_of_their_own(tell: Teller) -> None:
    async def story(log: Log) -> None:
        await asyncio.gather(*(log.publisher.publish(_messages(log, 5 + p, p)) for p in (0, 1)))
        assert (log.bounds(0), log.bounds(1)) == (LogBounds(0, 5), LogBounds(0, 6))
        assert await log.append(_messages(log, 1, 1)[0]) == 6
        assert log.bounds(0) == LogBounds(0, 5)

    tell(story)


def test_the_tail_is_the_end_and_of_an_empty_log_nothing(tell: Teller) -> None:
    async def story(log: Log) -> None:
        assert await log.tails.tail(log.topic, 0, 3) == []
        await log.publisher.publish(_messages(log, 4))
        assert _values(await log.tails.tail(log.topic, 0, 3)) == [b"1", b"2", b"3"]
        assert _values(await log.tails.tail(log.topic, 0, 9)) == [b"0", b"1", b"2", b"3"]
        assert await log.tails.tail(log.topic, 1, 3) == []

    tell(story)


def test_a_log_that_was_cut_begins_later_and_keeps_its_offsets(tell: Teller) -> None:
    async def story(log: Log) -> None:
        await log.publisher.publish(_messages(log, 6))
        log.cut(0, 4)
        assert log.bounds(0) == LogBounds(4, 6)
        assert _values(log.read(0, 4)) == [b"4", b"5"]
        assert _values(await log.tails.tail(log.topic, 0, 5)) == [b"4", b"5"]
        with pytest.raises(OffsetGoneError):
            log.read(0, 3)
        assert await log.append(_messages(log, 1)[0]) == 6

    tell(story)


def test_reading_past_the_end_is_refused_and_at_the_end_is_nothing(tell: Teller) -> None:
    async def story(log: Log) -> None:
        await log.publisher.publish(_messages(log, 2))
        assert log.read(0, 2) == []
        with pytest.raises(OffsetGoneError):
            log.read(0, 3)

    tell(story)


def test_publishing_nothing_is_done_at_once(tell: Teller) -> None:
    async def story(log: Log) -> None:
        await log.publisher.publish([])
        assert log.bounds(0) == LogBounds(0, 0)

    tell(story)
