"""The bounded queue in front of Kafka, on a real broker and without any."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from schemas.errors import SegueError, UnavailableError
from schemas.kafka_connection import KafkaConnection
from schemas.topics import partition_of
from streams.adapters.kafka.intake import KafkaIntake
from streams.ports import Entry, QueueFullError
from tests.conftest import Kafka
from tests.load.topics import PARTITIONS, create_topics, read_log
from tests.support.brokers import Broker
from tests.support.waiting import wait_until_async

NOWHERE = "127.0.0.1:1"


def _intake(servers: str, topic: str = "tracking", **bounds: int) -> KafkaIntake:
    defaults = {"queue_records": 100, "queue_bytes": 1_000_000, "delivery_timeout_ms": 1_000}
    intake = KafkaIntake(KafkaConnection(servers), topic, **{**defaults, **bounds}, on_fatal=_fail)
    intake.start()
    return intake


def _fail(error: SegueError) -> None:
    pytest.fail(str(error))


def _run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 60))


def test_every_contact_lies_in_its_own_partition_under_its_id(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    contacts = [f"c{number}" for number in range(40)] + ["é", "anon:x", "名前"]

    async def story() -> None:
        intake = _intake(kafka.bootstrap_servers, names.tracking, delivery_timeout_ms=30_000)
        await intake.append([Entry(contact, contact.encode()) for contact in contacts])
        assert intake.waiting == 0
        await intake.close()

    _run(story())
    log = read_log(kafka.bootstrap_servers, names.tracking)
    for partition, records in log.items():
        expected = [contact.encode() for contact in contacts if partition_of(contact, PARTITIONS) == partition]
        assert [record.key() for record in records] == expected
        assert [record.value() for record in records] == expected


def test_a_call_that_does_not_fit_is_refused_whole_and_the_queue_frees_itself() -> None:
    async def story() -> None:
        intake = _intake(NOWHERE, queue_records=10, queue_bytes=5_000)
        first = asyncio.create_task(intake.append([Entry("c1", b"x")] * 8))
        await wait_until_async(lambda: intake.waiting == 8, 10)
        with pytest.raises(QueueFullError):
            await intake.append([Entry("c1", b"x")] * 3)
        with pytest.raises(QueueFullError):
            await intake.append([Entry("c1", b"x" * 5_000)])
        assert intake.waiting == 8
        with pytest.raises(UnavailableError, match="Kafka did not acknowledge"):
            await first
        assert intake.waiting == 0
        await intake.close()

    _run(story())


def test_a_broker_that_goes_away_is_given_up_and_taken_up_again(own_kafka: Broker) -> None:
    names = create_topics(own_kafka.bootstrap_servers, "")

    async def story() -> None:
        intake = _intake(own_kafka.bootstrap_servers, names.tracking, delivery_timeout_ms=2_000)
        await intake.append([Entry("c1", b"before")])
        await asyncio.to_thread(own_kafka.kill)
        with pytest.raises(UnavailableError):
            await intake.append([Entry("c1", b"lost")])
        await asyncio.to_thread(own_kafka.start)

        async def taken() -> bool:
            try:
                await intake.append([Entry("c1", b"after")])
            except UnavailableError:
                return False
            return True

        attempt: Callable[[], bool | Awaitable[bool]] = taken
        await wait_until_async(attempt, 30, "Kafka to take records again")
        await intake.close()

    _run(story())
    values = [
        record.value()
        for records in read_log(own_kafka.bootstrap_servers, names.tracking).values()
        for record in records
    ]
    assert (values[0], values[-1]) == (b"before", b"after")
    assert b"lost" not in values


def test_closing_delivers_what_was_taken(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)

    async def story() -> None:
        intake = _intake(kafka.bootstrap_servers, names.tracking, delivery_timeout_ms=30_000)
        taken = asyncio.create_task(intake.append([Entry("c1", b"x")] * 50))
        await wait_until_async(lambda: intake.waiting > 0 or taken.done(), 10)
        await intake.close()
        await taken

    _run(story())
    assert sum(len(records) for records in read_log(kafka.bootstrap_servers, names.tracking).values()) == 50
