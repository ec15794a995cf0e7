"""What Segue relies on in the embedded broker and the embedded Redis, fact by fact."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Iterator

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import (
    TIMESTAMP_CREATE_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource

from schemas.topics import partition_of
from streams.demo import supervision
from streams.demo.servers import start_redis
from streams.embedded.kafka_broker import PARTITIONS
from tests.demo.conftest import EmbeddedPair

READ_TIMEOUT_S = 10.0


@pytest.fixture
def topic(embedded: EmbeddedPair) -> str:
    """A topic of the test's own: naming it when asking for metadata makes it."""
    name = f"t{uuid.uuid4().hex[:8]}"
    found = producer(embedded).list_topics(name, timeout=5).topics[name]
    assert len(found.partitions) == PARTITIONS
    return name


@pytest.fixture
def consumer(embedded: EmbeddedPair) -> Iterator[Consumer]:
    """A consumer with a group of its own that waits 10 ms in a fetch."""
    reader = Consumer(
        {
            "bootstrap.servers": embedded.bootstrap_servers,
            "group.id": f"g{uuid.uuid4().hex[:8]}",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
            "allow.auto.create.topics": False,
        }
    )
    yield reader
    reader.close()


def producer(embedded: EmbeddedPair) -> Producer:
    return Producer(
        {
            "bootstrap.servers": embedded.bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "linger.ms": 0,
        }
    )


def read(consumer: Consumer, count: int) -> list[Message]:
    messages: list[Message] = []
    deadline = time.monotonic() + READ_TIMEOUT_S
    while len(messages) < count and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None:
            assert message.error() is None, message.error()
            messages.append(message)
    assert len(messages) == count
    return messages


def everything(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)]


def test_topics_given_at_the_start_are_there_with_four_partitions(embedded: EmbeddedPair) -> None:
    topics = producer(embedded).list_topics(timeout=5).topics
    assert len(topics["tracking"].partitions) == PARTITIONS


def test_a_reader_that_may_not_create_topics_is_told_that_one_is_missing(consumer: Consumer) -> None:
    found = consumer.list_topics("missing", timeout=5).topics["missing"]
    assert found.error is not None
    assert found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_records_keep_partition_key_headers_and_the_producers_timestamp(
    embedded: EmbeddedPair, topic: str, consumer: Consumer
) -> None:
    stamped = int(time.time() * 1000) - 5000
    sender = producer(embedded)
    contacts = [f"contact-{number}" for number in range(20)]
    for contact in contacts:
        sender.produce(topic, contact.encode(), contact.encode(), headers=[("seq", b"1")], timestamp=stamped)
    assert sender.flush(5) == 0
    consumer.assign(everything(topic))
    for message in read(consumer, len(contacts)):
        key = message.key()
        assert isinstance(key, bytes)
        assert message.partition() == partition_of(key.decode(), PARTITIONS)
        assert message.timestamp() == (TIMESTAMP_CREATE_TIME, stamped)
        assert message.headers() == [("seq", b"1")]


def test_a_record_without_a_key_goes_to_the_partition_that_is_named(
    embedded: EmbeddedPair, topic: str, consumer: Consumer
) -> None:
    sender = producer(embedded)
    for partition in range(PARTITIONS):
        sender.produce(topic, b"tick", partition=partition)
    assert sender.flush(5) == 0
    consumer.assign(everything(topic))
    assert sorted((one.partition(), one.key(), one.offset()) for one in read(consumer, PARTITIONS)) == [
        (partition, None, 0) for partition in range(PARTITIONS)
    ]


def test_the_timestamp_in_an_acknowledgement_is_not_the_records(embedded: EmbeddedPair, topic: str) -> None:
    acknowledged: list[int] = []

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None
        acknowledged.append(message.timestamp()[1])

    sender = producer(embedded)
    sender.produce(topic, b"value", on_delivery=note)
    assert sender.flush(5) == 0
    assert acknowledged == [1234]  # so nothing in Segue may read it; a real broker's would be the record's


def test_a_group_keeps_offsets_and_their_metadata(embedded: EmbeddedPair, topic: str, consumer: Consumer) -> None:
    sender = producer(embedded)
    for number in range(10):
        sender.produce(topic, f"{number}".encode(), f"contact-{number}".encode())
    assert sender.flush(5) == 0
    consumer.subscribe([topic])
    with pytest.raises(AssertionError):  # no offset is committed and none is assumed: "auto.offset.reset": "error"
        read(consumer, 1)
    consumer.commit(offsets=[TopicPartition(topic, 0, 0, metadata="seq=7")], asynchronous=False)
    (committed,) = consumer.committed([TopicPartition(topic, 0)], timeout=5)
    assert (committed.offset, committed.metadata) == (0, "seq=7")


def test_the_ends_of_a_log_are_known(embedded: EmbeddedPair, topic: str, consumer: Consumer) -> None:
    sender = producer(embedded)
    for _ in range(3):
        sender.produce(topic, b"value", partition=1)
    assert sender.flush(5) == 0
    assert consumer.get_watermark_offsets(TopicPartition(topic, 1), timeout=5) == (0, 3)
    consumer.assign([TopicPartition(topic, 1, 99)])
    message = consumer.poll(5)
    assert message is not None
    error = message.error()
    assert error is not None
    assert error.code() == KafkaError._AUTO_OFFSET_RESET


def test_a_partition_keeps_five_mebibytes_and_drops_the_oldest(
    embedded: EmbeddedPair, topic: str, consumer: Consumer
) -> None:
    sender = producer(embedded)
    for _ in range(8):
        sender.produce(topic, b"x" * 900_000, partition=0)
        assert sender.flush(5) == 0
    start, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5)
    assert end == 8
    assert 0 < start < 8


def test_the_broker_tells_nothing_of_its_topics_settings(embedded: EmbeddedPair) -> None:
    admin = AdminClient({"bootstrap.servers": embedded.bootstrap_servers})
    (asked,) = admin.describe_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, "tracking")], request_timeout=1
    ).values()
    with pytest.raises(KafkaException):
        asked.result(5)


def test_aiokafka_joins_a_group_with_a_generation_and_an_idempotent_producer_reaches_it(
    embedded: EmbeddedPair, topic: str
) -> None:
    async def story() -> None:
        sender = AIOKafkaProducer(
            bootstrap_servers=embedded.bootstrap_servers, enable_idempotence=True, acks="all", linger_ms=0
        )
        reader = AIOKafkaConsumer(
            topic,
            bootstrap_servers=embedded.bootstrap_servers,
            group_id=f"g{uuid.uuid4().hex[:8]}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=10,
        )
        await sender.start()
        await reader.start()
        try:
            for partition in range(PARTITIONS):
                await sender.send_and_wait(topic, b"value", partition=partition)
            received: set[int] = set()
            async with asyncio.timeout(READ_TIMEOUT_S):
                while len(received) < PARTITIONS:
                    batches = await reader.getmany(timeout_ms=200)
                    received |= {record.partition for records in batches.values() for record in records}
            assert reader._coordinator.generation >= 1
            assert reader._coordinator.member_id
        finally:
            await reader.stop()
            await sender.stop()

    asyncio.run(story())


def test_the_embedded_redis_evicts_nothing_writes_nothing_and_is_new_enough(embedded: EmbeddedPair) -> None:
    with redis.Redis.from_url(embedded.redis_url, decode_responses=True) as client:
        settings = client.config_get("*")
        assert settings["maxmemory-policy"] == "noeviction"
        assert (settings["save"], settings["appendonly"], settings["bind"]) == ("", "no", "127.0.0.1")
        version = client.info("server")["redis_version"]
        assert tuple(int(part) for part in version.split(".")[:2]) >= (6, 2)
        assert client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, "key", "value") == "OK"


def test_redis_takes_another_port_when_somebody_was_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        offered = iter([somebody.getsockname()[1], supervision.free_port()])
        monkeypatch.setattr(supervision, "free_port", lambda: next(offered))

        async def story() -> None:
            async with supervision.Supervisor() as supervisor:
                with redis.Redis.from_url(await start_redis(supervisor)) as client:
                    assert client.ping()

        asyncio.run(story())
    assert next(offered, None) is None  # both were tried
