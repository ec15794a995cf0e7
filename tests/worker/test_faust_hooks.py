"""Each hook into Faust and aiokafka, held to the installed versions on a real broker."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import InvalidRequestError
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.topics import Names
from streams.ports import Cursor, CursorMismatchError, Fence
from tests.conftest import Kafka
from tests.support.waiting import wait_until, wait_until_async
from tests.worker.harness import Notes, member, produce, ready_notes
from tests.worker.topics import create_topics


def _group_offset(servers: str, names: Names, partition: int) -> int:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": names.group("worker")})
    try:
        return consumer.committed([TopicPartition(names.tracking, partition)], timeout=10)[0].offset
    finally:
        consumer.close()


def test_a_topic_is_delivered_in_batches_of_one_partition_each_in_order(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    for partition in range(3):
        produce(kafka.bootstrap_servers, names.tracking, partition, 1_700)

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace, batch_records_max=500) as one:
            await wait_until_async(lambda: one.notes.count() == 5_100, 30, "all records folded")
            assert max(len(offsets) for _, offsets in one.notes.batches) <= 500
            assert len(one.notes.batches) < 60, "batches, not records"
            for partition in range(3):
                values = [int(record.value or b"") for record in one.notes.records[partition]]
                assert values == list(range(1_700))

    asyncio.run(story())


def test_a_partition_goes_on_where_its_state_is_and_not_where_the_group_is(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)
    produce(kafka.bootstrap_servers, names.tracking, 0, 100)
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": names.group("worker")})
    consumer.commit(offsets=[TopicPartition(names.tracking, 0, 90)], asynchronous=False)
    consumer.close()
    notes = ready_notes()
    notes.offsets[0] = 40

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace, notes) as one:
            await wait_until_async(lambda: notes.count() == 60, 30, "the records from 40 on")
            assert one.meters.counter("segue_replays_total")._value.get() == 1  # Redis lay behind the group

    asyncio.run(story())
    assert notes.batches[0][1][0] == 40


def test_the_fence_is_the_groups_own_generation_and_member(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace) as one:
            await wait_until_async(lambda: len(one.notes.loads) == 3, 30, "three partitions loaded")
            admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
            described = admin.describe_consumer_groups([names.group("worker")])
            group = await asyncio.to_thread(described[names.group("worker")].result, 10)
            members = {entry.member_id for entry in group.members}
            assert {fence.member for _, fence in one.notes.loads} == members
            assert {fence.generation for _, fence in one.notes.loads} == {1}

    asyncio.run(story())


def test_a_leader_that_did_not_know_the_topic_gives_the_partitions_out_when_it_does(
    kafka: Kafka, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a broker comes back: the group is joined before the topic can be asked for."""
    create_topics(kafka.bootstrap_servers, namespace)
    known = ClusterMetadata.partitions_for_topic
    monkeypatch.setattr(ClusterMetadata, "partitions_for_topic", lambda *_arguments: None)

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace) as one:
            await wait_until_async(lambda: one.app.consumer.joined is not None, 30, "a member without partitions")
            assert one.app.consumer.joined.partitions == frozenset()
            monkeypatch.setattr(ClusterMetadata, "partitions_for_topic", known)
            await wait_until_async(lambda: len(one.notes.loads) == 3, 30, "three partitions loaded")

    asyncio.run(story())


def test_two_members_share_the_partitions_and_lose_and_repeat_nothing(kafka: Kafka, namespace: str) -> None:
    servers = kafka.bootstrap_servers
    names = create_topics(servers, namespace)
    notes = ready_notes()

    async def appended(upto: int) -> None:
        for partition in range(3):
            await asyncio.to_thread(produce, servers, names.tracking, partition, 200)
        await wait_until_async(lambda: notes.count() == upto, 30, f"{upto} records folded")

    async def story() -> None:
        async with member(servers, namespace, notes) as one:
            await appended(600)
            async with member(servers, namespace, notes) as two:
                await wait_until_async(lambda: len(two.lanes.serving()) >= 1, 30, "the second member's share")
                await wait_until_async(lambda: len(one.lanes.serving()) + len(two.lanes.serving()) == 3, 30, "all")
                await appended(1_200)
                left_at = time.monotonic()
            await wait_until_async(lambda: len(one.lanes.serving()) == 3, 30, "all partitions with the first again")
            assert time.monotonic() - left_at < 6, "a member that ends in order leaves the group at once"
            await appended(1_800)

    asyncio.run(story())
    for partition in range(3):
        assert [record.offset for record in notes.records[partition]] == list(range(600))
    generations = {fence.generation for _, fence in notes.loads}
    assert len(generations) >= 3
    assert len({fence.member for _, fence in notes.loads}) == 2


def test_nothing_is_fetched_before_a_partition_is_loaded_and_faust_does_not_wait_for_it(
    kafka: Kafka, namespace: str
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)
    produce(kafka.bootstrap_servers, names.tracking, 0, 100)
    notes = Notes()
    notes.applying.set()

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace, notes) as one:
            await wait_until_async(one.app.tables.recovery.completed.is_set, 30, "Faust's readiness")
            assert list(one.lanes.lanes) == [0]
            notes.loading.set()
            await wait_until_async(lambda: notes.count() == 100, 30, "all records folded")
            assert one.meters.counter("segue_batches_dropped_total")._value.get() == 0

    asyncio.run(story())


def test_reading_waits_while_the_bound_of_batches_in_flight_is_reached(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)
    produce(kafka.bootstrap_servers, names.tracking, 0, 1_000)
    notes = Notes()
    notes.loading.set()

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace, notes, batch_records_max=10) as one:
            await wait_until_async(lambda: one.lanes.flight.full, 30, "the bound")
            assert one.app.topics.acks_enabled_for(names.tracking) is False
            queued = sum(len(batch.records) for batch in one.lanes.lanes[0]._queue)
            assert queued <= 16 * 10
            notes.applying.set()
            await wait_until_async(lambda: notes.count() == 1_000, 30, "all records folded")

    asyncio.run(story())


def _gathering(fetcher: Any) -> tuple[int, int]:
    return fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes


def test_a_record_on_a_quiet_topic_is_delivered_within_a_fraction_of_a_second(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace) as one:
            await wait_until_async(lambda: bool(one.lanes.serving()), 30, "a loaded partition")
            fetcher = one.app.consumer._thread._consumer._fetcher
            waits = []
            for _ in range(3):
                await wait_until_async(lambda: _gathering(fetcher) == (250, 1), 30, "a consumer that found nothing")
                known = one.notes.count()
                await asyncio.to_thread(produce, kafka.bootstrap_servers, names.tracking, 0, 1)
                appended = time.monotonic()
                await wait_until_async(lambda: one.notes.count() > known, 30, "the record delivered")  # noqa: B023 - awaited here
                waits.append(time.monotonic() - appended)
                assert _gathering(fetcher) == (10, 65_536)
            assert sorted(waits)[1] < 0.2

    asyncio.run(story())


def test_state_that_was_set_back_is_replayed_from_there(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)
    produce(kafka.bootstrap_servers, names.tracking, 0, 100)
    notes = ready_notes()

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace, notes) as one:
            await wait_until_async(lambda: notes.count() == 100, 30, "all records folded")
            notes.offsets[0] = 30
            notes.errors.append(CursorMismatchError(Cursor(100, 0), Cursor(30, 0)))
            await asyncio.to_thread(produce, kafka.bootstrap_servers, names.tracking, 0, 1)
            await wait_until_async(lambda: notes.count() == 171, 30, "the records from 30 on")
            assert one.meters.counter("segue_resynchronisations_total")._value.get() == 1
            assert [record.offset for record in notes.records[0]] == [*range(100), *range(30, 101)]

    asyncio.run(story())


def test_what_is_down_is_tried_again_and_nothing_is_lost_or_repeated(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)
    produce(kafka.bootstrap_servers, names.tracking, 0, 2_000)
    notes = ready_notes()
    notes.away_at = {205, 500, 1_000, 1_500}  # while batches are on their way

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace, notes, batch_records_max=10) as one:
            await wait_until_async(lambda: notes.count() == 2_000, 30, "all records folded")
            assert [record.offset for record in notes.records[0]] == list(range(2_000))
            assert len(notes.loads) == 5
            assert one.lanes.lanes[0].serving

    asyncio.run(story())


def test_the_group_is_told_how_far_the_state_is(kafka: Kafka, namespace: str) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, partitions=1)

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace) as one:
            await wait_until_async(lambda: bool(one.lanes.serving()), 30, "a loaded partition")
            await one.app.source.commit_hint({0: 7})

    asyncio.run(story())
    wait_until(lambda: _group_offset(kafka.bootstrap_servers, names, 0) == 7, 10, "the group's offset")


def test_a_hint_for_a_partition_that_is_not_ours_harms_nothing(kafka: Kafka, namespace: str) -> None:
    create_topics(kafka.bootstrap_servers, namespace, partitions=1)

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace) as one:
            await wait_until_async(lambda: bool(one.lanes.serving()), 30, "a loaded partition")
            await one.app.source.commit_hint({5: 7})
            assert await one.app.source.committed(0) is None
            one.lanes.assign([5], Fence(1, "m"), one.app.source)
            await wait_until_async(lambda: (5, Fence(1, "m")) in one.notes.loads, 10, "the load")
            assert not one.lanes.lanes[5].serving

    asyncio.run(story())


def test_the_group_confirms_its_current_member_and_nobody_of_a_generation_that_is_over(
    kafka: Kafka, namespace: str
) -> None:
    create_topics(kafka.bootstrap_servers, namespace, partitions=1)

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace) as one:
            await wait_until_async(lambda: bool(one.lanes.serving()), 30, "a loaded partition")
            assert await one.app.source.confirmed(0)
            coordinator = one.app.consumer._thread._consumer._coordinator
            coordinator.generation += 7
            assert not await one.app.source.confirmed(0)
            await wait_until_async(lambda: len(one.notes.loads) == 2, 30, "loaded anew after the join that follows")
            assert await one.app.source.confirmed(0)

    asyncio.run(story())


def test_a_join_that_the_group_refused_is_tried_again(kafka: Kafka, namespace: str) -> None:
    """aiokafka holds an error back until it is asked for it, and Faust does not ask."""
    create_topics(kafka.bootstrap_servers, namespace, partitions=1)

    async def story() -> None:
        async with member(kafka.bootstrap_servers, namespace) as one:
            await wait_until_async(lambda: bool(one.lanes.serving()), 30, "a loaded partition")
            thread = one.app.consumer._thread
            coordinator = thread._consumer._coordinator

            async def refuse(*_arguments: object) -> None:
                del coordinator._do_rejoin_group  # once
                raise InvalidRequestError

            coordinator._do_rejoin_group = refuse
            coordinator.request_rejoin()
            await wait_until_async(lambda: coordinator._pending_exception is not None, 30, "the error held back")
            await one.app.source.check_group()
            assert coordinator._pending_exception is None
            await wait_until_async(lambda: len(one.notes.loads) == 2, 30, "loaded anew after the second join")

    asyncio.run(story())
