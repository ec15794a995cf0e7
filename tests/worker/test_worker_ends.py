"""What ends the process instead of losing a record: bugs, and logs whose records are gone."""

from __future__ import annotations

import asyncio

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.errors import BugError, InputError
from tests.conftest import Kafka
from tests.support.waiting import wait_until_async
from tests.worker.harness import Member, Notes, member, produce, ready_notes
from tests.worker.topics import create_topics


async def _ends(one: Member) -> object:
    return await asyncio.wait_for(one.ending.reason(), 30)


def test_a_bug_in_a_lane_ends_the_process_instead_of_losing_a_batch(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)
    produce(kafka.bootstrap_servers, names.tracking, 0, 10)
    notes = ready_notes()
    notes.errors.append(ZeroDivisionError("boom"))

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace, notes) as one:
            reason = await _ends(one)
            assert isinstance(reason, BugError)
            assert "ZeroDivisionError: boom" in str(reason)
            assert notes.offsets == {0: 0}

    asyncio.run(story())


def test_a_log_whose_records_are_gone_is_refused(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)
    produce(kafka.bootstrap_servers, names.tracking, 0, 100)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for deleted in admin.delete_records([TopicPartition(names.tracking, 0, 50)]).values():
        deleted.result(30)

    async def story(offset: int, expected: str) -> None:
        notes = ready_notes()
        notes.offsets[0] = offset
        async with member(kafka.bootstrap_servers, namespace, notes) as one:
            reason = await _ends(one)
            assert isinstance(reason, InputError)
            assert expected in str(reason)
            assert notes.count() == 0

    asyncio.run(story(20, "the log begins at 50"))
    asyncio.run(story(101, "the log ends at 100"))


def test_records_that_go_while_they_are_read_end_the_process(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)
    produce(kafka.bootstrap_servers, names.tracking, 0, 3_000, value_bytes=1_000)  # more than one fetch holds
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    notes = Notes()
    notes.loading.set()

    async def story() -> None:
        async with member(
            kafka.bootstrap_servers, namespace, notes, batch_records_max=10, fetch_partition_bytes_max=65_536
        ) as one:
            await wait_until_async(lambda: one.lanes.flight.full, 30, "the bound")
            deleted = admin.delete_records([TopicPartition(names.tracking, 0, 2_900)])
            for future in deleted.values():
                await asyncio.to_thread(future.result, 30)
            notes.applying.set()
            reason = await _ends(one)
            assert isinstance(reason, InputError)
            assert "not in the log any more" in str(reason)

    asyncio.run(story())
