"""The worker's producer and the reader of tails, on a real broker."""

from __future__ import annotations

import asyncio

import pytest

from schemas.errors import SegueError, UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.publisher import KafkaPublisher
from streams.adapters.kafka.tail import KafkaTailReader
from streams.ports import Message
from tests.conftest import Kafka
from tests.support.brokers import Broker
from tests.support.waiting import wait_until_async
from tests.worker.topics import create_topics


def _publisher(servers: str, failures: list[SegueError], **changes: int) -> KafkaPublisher:
    bounds = {"publish_timeout_ms": 20_000, "queue_messages_max": 1_000} | changes
    return KafkaPublisher(KafkaConnection(servers), on_failure=failures.append, **bounds)


def _messages(topic: str, count: int, partition: int = 0) -> list[Message]:
    return [
        Message(topic, partition, b"key", str(number).encode(), (("seq", b"%d" % number),)) for number in range(count)
    ]


def test_what_was_published_is_in_the_log_in_order_when_publish_returns(kafka: Kafka, namespace: str) -> None:
    topic = create_topics(kafka.bootstrap_servers, namespace).transitions

    async def story() -> None:
        failures: list[SegueError] = []
        publisher = _publisher(kafka.bootstrap_servers, failures)
        tails = KafkaTailReader(kafka.connection, timeout_ms=10_000)
        publisher.start()
        await asyncio.gather(*(publisher.publish(_messages(topic, 3_000, partition)) for partition in range(3)))
        for partition in range(3):
            found = await tails.tail(topic, partition, 3_000)
            assert [message.value for message in found] == [str(number).encode() for number in range(3_000)]
            assert [message.offset for message in found] == list(range(3_000))
            assert found[7].headers == (("seq", b"7"),)
            assert found[7].key == b"key"
        assert await publisher.append(_messages(topic, 1, 2)[0]) == 3_000
        await publisher.publish([])
        await publisher.close(5)
        await tails.close()
        assert failures == []

    asyncio.run(story())


def test_a_time_stamp_is_the_producers_where_one_is_given(kafka: Kafka, namespace: str) -> None:
    topic = create_topics(kafka.bootstrap_servers, namespace).tracking

    async def story() -> None:
        publisher = _publisher(kafka.bootstrap_servers, [])
        tails = KafkaTailReader(kafka.connection, timeout_ms=10_000)
        publisher.start()
        await publisher.append(Message(topic, 0, None, b"tick", timestamp_ms=1_234))
        (found,) = await tails.tail(topic, 0, 1)
        assert (found.key, found.timestamp_ms) == (None, 1_234)
        await publisher.close(5)
        await tails.close()

    asyncio.run(story())


def test_the_tail_is_the_end_of_the_log_and_of_an_empty_log_nothing(kafka: Kafka, namespace: str) -> None:
    topic = create_topics(kafka.bootstrap_servers, namespace).transitions

    async def story() -> None:
        publisher = _publisher(kafka.bootstrap_servers, [])
        tails = KafkaTailReader(kafka.connection, timeout_ms=10_000)
        publisher.start()
        assert await tails.tail(topic, 0, 5) == []
        await publisher.publish(_messages(topic, 3))
        assert [message.value for message in await tails.tail(topic, 0, 5)] == [b"0", b"1", b"2"]
        await publisher.publish(_messages(topic, 4))
        assert [message.value for message in await tails.tail(topic, 0, 2)] == [b"2", b"3"]
        assert await tails.tail(topic, 1, 2) == []
        await publisher.close(5)
        await tails.close()

    asyncio.run(story())


def test_a_delivery_that_fails_is_final(own_kafka: Broker) -> None:
    names = create_topics(own_kafka.bootstrap_servers, "", partitions=1)

    async def story() -> None:
        failures: list[SegueError] = []
        publisher = _publisher(own_kafka.bootstrap_servers, failures, publish_timeout_ms=1_500)
        publisher.start()
        own_kafka.kill()
        with pytest.raises(UnavailableError, match=r"did not take a message \(in 1500 ms\)"):
            await asyncio.wait_for(publisher.publish(_messages(names.transitions, 1)), 30)
        await wait_until_async(lambda: len(failures) == 1, 10, "the report to the process")
        own_kafka.start()
        with pytest.raises(UnavailableError):
            await publisher.publish(_messages(names.transitions, 1))
        await publisher.close(5)
        assert len(failures) == 1

    asyncio.run(story())


def test_a_broker_that_is_away_is_unavailable_to_the_reader_of_tails() -> None:
    async def story() -> None:
        tails = KafkaTailReader(KafkaConnection("127.0.0.1:9"), timeout_ms=500)
        with pytest.raises(UnavailableError, match=r"Kafka at 127\.0\.0\.1:9"):
            await tails.tail("transitions", 0, 1)
        await tails.close()

    asyncio.run(story())
