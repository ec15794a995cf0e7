"""Every place in which Segue reaches into Faust and aiokafka, and no other.

Faust's machinery per event costs more than the work itself, so one Faust *message* here is a batch of one
partition's records. Group membership, rebalances, agents and supervision stay Faust's. Offsets and acks carry no
correctness: Redis says where a partition goes on. The versions are pinned; tests/worker holds each hook to them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition, errors
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from schemas.errors import AccessError, InputError, UnavailableError
from streams.agents.lane import Batch
from streams.agents.lanes import Lanes
from streams.ports import Fence, LogBounds, RawRecord

_HINT_TIMEOUT_S = 2.0
_RETRY_S = 0.1
_FORBIDDEN = (errors.GroupAuthorizationFailedError, errors.TopicAuthorizationFailedError)

log = logging.getLogger("segue.worker")


class Joined(NamedTuple):
    """What one join of the group gave us; read together, on aiokafka's thread, as the join completes."""

    fence: Fence
    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How batches are fetched, from the settings."""

    batch_records_max: int
    fetch_wait_ms: int
    fetch_bytes_min: int
    fetch_idle_wait_ms: int


class JoinListener(driver.ConsumerRebalanceListener):  # type: ignore[misc]  # Faust ships no types
    """Notes who we are in the group, and holds fetching back until a partition's state is loaded."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Runs on aiokafka's thread, before the group's offsets can have arrived."""
        client: AIOKafkaConsumer = self._thread._ensure_consumer()
        coordinator = client._coordinator
        places = list(assigned)
        for place in places:
            # A position, so that none is looked for (there may be no group's offset, and no reset is allowed);
            # paused, so that nothing is fetched there.
            client.seek(place, 0)
            client.pause(place)
        self._thread.consumer.joined = Joined(
            Fence(coordinator.generation, coordinator.member_id), frozenset(place.partition for place in places)
        )
        await super().on_partitions_assigned(places)


class BatchConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust ships no types
    """aiokafka's thread: what is called on its client from elsewhere is called here."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        client = super()._create_worker_consumer(transport)
        # Faust hard-codes a wait of 1,500 ms, which would be every record's latency on a quiet topic.
        client._fetch_max_wait_ms = self.app.tuning.fetch_wait_ms
        client._fetch_min_bytes = self.app.tuning.fetch_bytes_min
        return client

    def gather(self, records_flow: bool) -> None:
        """Let the broker gather records for a few milliseconds while they flow, else answer with the first one.

        Asking a hundred times a second for nothing would cost 5 % of a core. Takes effect at the next fetch.
        """
        fetcher, tuning = self._ensure_consumer()._fetcher, self.app.tuning
        fetcher._fetch_max_wait_ms = tuning.fetch_wait_ms if records_flow else tuning.fetch_idle_wait_ms
        fetcher._fetch_min_bytes = tuning.fetch_bytes_min if records_flow else 1

    async def start_at(self, place: TopicPartition, offset: int) -> None:
        """Seek and begin to fetch. Raises `IllegalStateError` when the partition is not ours now."""
        client = self._ensure_consumer()
        client.seek(place, offset)
        client.resume(place)

    async def check_group(self) -> None:
        """Raise what aiokafka has to say of the group, a `KafkaError`; it waits for that before it joins again.

        Faust fetches on a way that never asks, so a refused join would be a silent end.
        """
        if self._consumer is not None:
            self._consumer._coordinator.check_errors()

    async def commit_hint(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit the group's offsets. Raises `KafkaError`, `TimeoutError`."""
        metadata = {place: OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        await asyncio.wait_for(self._ensure_consumer().commit(metadata), _HINT_TIMEOUT_S)

    async def committed(self, place: TopicPartition) -> int | None:
        """The group's offset. Raises `KafkaError`, `TimeoutError`."""
        offset: int | None = await asyncio.wait_for(self._ensure_consumer().committed(place), _HINT_TIMEOUT_S)
        return offset


class BatchConsumer(driver.Consumer):  # type: ignore[misc]  # Faust ships no types
    """Delivers batches, and places partitions where Redis says instead of where the group's offsets are."""

    RebalanceListener = JoinListener

    joined: Joined | None = None

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message for at most `batch_records_max` records of one partition.

        Waits while the bound of batches in flight is reached. Faust's own loop drives this, stops it and
        handles its errors.
        """
        lanes, most = self.app.lanes, self.app.tuning.batch_records_max
        placements = lanes.placements()
        try:
            fetched, active = await self._wait_next_records(timeout)
        except OffsetOutOfRangeError as error:
            lanes.refuse(InputError(f"a record that is to be folded is not in the log any more: {error}"))
            return
        except _FORBIDDEN as error:
            lanes.refuse(AccessError(f"Kafka does not let us read {self.app.source.topic}: {error}"))
            return
        except KafkaError as error:
            log.warning("reading %s: %s", self.app.source.topic, error)
            await self.sleep(_RETRY_S)
            return
        self._thread.gather(records_flow=bool(fetched))
        generation = self.app.consumer_generation_id
        for place, records in (fetched or {}).items():
            if active is not None and place not in active and place not in self._buffered_partitions:
                continue
            for start in range(0, len(records), most):
                if lanes.flight.full:
                    await self.wait_first(lanes.flight.room(), self.suspend_flow)
                if self.should_stop or not self.flow_active or self.app.consumer_generation_id != generation:
                    return  # rebalancing: everything is placed anew afterwards
                self._read_offset.pop(place, None)  # Faust's own filter races with seeks; lanes check instead
                placement = placements.get(place.partition, 0)
                yield place, self._batch_message(place, records[start : start + most], placement)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Begin to load the partitions that we were given. Faust waits for this, so it returns at once."""
        if self.joined is not None:
            self.app.lanes.assign(self.joined.partitions, self.joined.fence, self.app.source)
        return {}

    def _batch_message(self, place: TP, records: list[Any], placement: int) -> ConsumerMessage:
        first = records[0]
        batch = Batch(
            partition=place.partition,
            records=[RawRecord(record.offset, record.timestamp, record.key, record.value) for record in records],
            placement=placement,
            log_end=self.highwater(place),
            release=self.app.lanes.flight.enter(),
        )
        return ConsumerMessage(
            place.topic,
            place.partition,
            first.offset,
            first.timestamp / 1000,
            first.timestamp_type,
            (),
            None,
            batch,
            None,
            0,
            0,
            place,
            generation_id=self.app.consumer_generation_id,
        )


class BatchTransport(driver.Transport):  # type: ignore[misc]  # Faust ships no types
    """Faust's transport with our consumer."""

    Consumer = BatchConsumer


class _Boot(BootStrategy):  # type: ignore[misc]  # Faust ships no types
    enable_kafka_producer = False  # nothing is sent through Faust
    enable_web = False


class WorkerApp(faust.App):  # type: ignore[misc]  # Faust ships no types
    """The Faust app, with what the hooks need."""

    BootStrategy = _Boot

    lanes: Lanes
    tuning: Tuning
    source: FaustLog

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.transport = BatchTransport(self.conf.broker_consumer, self)

    async def on_first_start(self) -> None:
        """Faust would make directories for tables; there are none."""


class BatchSchema(faust.Schema):  # type: ignore[misc]  # Faust ships no types
    """A batch passes as it is: decoding is the pipeline's."""

    def loads_key(self, app: Any, message: Any, **_options: Any) -> None:
        """No key: a batch has many."""

    def loads_value(self, app: Any, message: Any, **_options: Any) -> Batch:  # noqa: ARG002 - Faust's signature
        """The batch."""
        batch: Batch = message.value
        return batch


class FaustLog:
    """A lane's `Log`, and the group's offsets, through the app's consumer."""

    def __init__(self, app: WorkerApp, topic: str, bounds: Callable[[], Awaitable[Mapping[int, LogBounds]]]) -> None:
        self._app = app
        self.topic = topic
        self._bounds = bounds

    async def start_at(self, partition: int, offset: int) -> None:
        """Deliver from `offset` on. Raises `UnavailableError` while the partition is not ours."""
        thread = self._app.consumer._thread
        try:
            await thread.call_thread(thread.start_at, TopicPartition(self.topic, partition), offset)
        except IllegalStateError as error:
            raise UnavailableError("the group took the partition away") from error

    async def bounds(self, partition: int) -> LogBounds:
        """Where the partition's log begins and ends. Raises `UnavailableError`."""
        bounds = (await self._bounds()).get(partition)
        if bounds is None:
            raise UnavailableError(f"{self.topic} has no partition {partition} now")
        return bounds

    async def committed(self, partition: int) -> int | None:
        """The group's offset, a hint; None where there is none or it cannot be had now."""
        thread = self._app.consumer._thread
        try:
            offset: int | None = await thread.call_thread(thread.committed, TopicPartition(self.topic, partition))
        except (KafkaError, TimeoutError):
            return None
        return offset

    async def confirmed(self, partition: int) -> bool:
        """Whether the group says now that the partition is ours: it takes an offset from its current owner alone."""
        thread = self._app.consumer._thread
        known = {TopicPartition(self.topic, partition): await self.committed(partition) or 0}
        try:
            await thread.call_thread(thread.commit_hint, known)
        except (KafkaError, TimeoutError):
            return False
        return True

    async def check_group(self) -> None:
        """Let aiokafka go on after the group refused it. A group that is lost for good is the watchdog's matter.

        Raises `AccessError` where we have no right to be a member.
        """
        thread = self._app.consumer._thread
        try:
            await thread.call_thread(thread.check_group)
        except _FORBIDDEN as error:
            raise AccessError(f"Kafka does not let us join the group of the workers: {error}") from error
        except KafkaError as error:
            log.warning("the group refused us, joining again: %s", error)

    async def commit_hint(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far we are; whether it heard matters to nobody but those who look at its lag."""
        thread = self._app.consumer._thread
        places = {TopicPartition(self.topic, partition): offset for partition, offset in offsets.items()}
        try:
            await thread.call_thread(thread.commit_hint, places)
        except (KafkaError, TimeoutError) as error:
            log.debug("the group's offsets were not committed: %s", error)
