"""The worker's Faust side on a real broker, with a pipeline that only takes notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from confluent_kafka import Producer, TopicPartition

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from schemas.metrics import Meters
from schemas.settings import load_settings
from streams.adapters.kafka.topics import KafkaTopics
from streams.agents.ending import Ending
from streams.agents.faust_hooks import WorkerApp
from streams.agents.lane import LaneBounds
from streams.agents.lanes import Lanes
from streams.app import build_app
from streams.ports import Cursor, CursorMismatchError, Fence, LogBounds, RawRecord
from streams.settings import WorkerSettings

BOUNDS = LaneBounds(
    batch_records_max=500, retry_first_ms=10, retry_most_ms=100, fence_patience_ms=60_000, idle_check_ms=60_000
)


@dataclass
class Notes:
    """What the pipelines of all partitions saw, and what they are told to do."""

    loads: list[tuple[int, Fence]] = field(default_factory=list)
    batches: list[tuple[int, list[int]]] = field(default_factory=list)  # partition, offsets
    records: dict[int, list[RawRecord]] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)  # where each partition goes on
    loading: asyncio.Event = field(default_factory=asyncio.Event)  # loads wait for it
    applying: asyncio.Event = field(default_factory=asyncio.Event)  # so do commits
    errors: list[Exception] = field(default_factory=list)  # raised by the next commits, one each
    lost_state: bool = False  # the next look at the state finds that it is elsewhere
    away_at: set[int] = field(default_factory=set)  # offsets whose commit finds the store away, once each

    def count(self) -> int:
        """Records folded, over all partitions."""
        return sum(len(records) for records in self.records.values())


def ready_notes() -> Notes:
    """Notes of pipelines that are held back by nothing."""
    notes = Notes()
    notes.loading.set()
    notes.applying.set()
    return notes


class RecordingPipeline:
    """A `Pipeline` that keeps the offset, as the state store would."""

    earliest_due_ms: int | None = None
    clock_ms = 0

    def __init__(self, partition: int, notes: Notes) -> None:
        self.partition = partition
        self.notes = notes
        self.closed = False
        self.on_standstill: Callable[[], None] = lambda: None

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.notes.offsets.get(self.partition, 0), 0)

    @property
    def progress(self) -> Cursor:
        return self.cursor

    async def load(self, fence: Fence) -> int:
        await self.notes.loading.wait()
        self.notes.loads.append((self.partition, fence))
        return self.notes.offsets.setdefault(self.partition, 0)

    async def apply(self, records: Sequence[RawRecord]) -> None:
        await self.notes.applying.wait()
        if self.notes.errors:
            raise self.notes.errors.pop(0)
        expected = self.notes.offsets[self.partition]
        offsets = [record.offset for record in records]
        if met := self.notes.away_at.intersection(offsets):
            self.notes.away_at -= met
            raise UnavailableError("away")
        assert offsets == list(range(expected, expected + len(offsets))), "contiguous, and the next one first"
        self.notes.batches.append((self.partition, offsets))
        self.notes.records.setdefault(self.partition, []).extend(records)
        self.notes.offsets[self.partition] = offsets[-1] + 1

    async def verify(self) -> None:
        if self.notes.lost_state:
            self.notes.lost_state = False
            raise CursorMismatchError(Cursor(self.notes.offsets[self.partition], 0), None)

    async def close(self) -> None:
        self.closed = True


@dataclass
class Member:
    """One member of the worker group, running in this process."""

    app: WorkerApp
    lanes: Lanes
    notes: Notes
    meters: Meters
    ending: Ending


def settings(servers: str, namespace: str, **changes: int) -> WorkerSettings:
    """Settings for tests; the environment of the test run does not reach them."""
    given = {"kafka_bootstrap_servers": servers, "namespace": namespace, **changes}
    return load_settings(WorkerSettings).model_copy(update=given)


@asynccontextmanager
async def member(servers: str, namespace: str, notes: Notes | None = None, **changes: int) -> AsyncIterator[Member]:
    """A running member of the group; leaves it at the end."""
    wanted = settings(servers, namespace, **changes)
    noted = notes or ready_notes()
    topics = KafkaTopics(KafkaConnection(servers))
    meters, ending = Meters("worker"), Ending()
    lanes = Lanes(lambda partition: RecordingPipeline(partition, noted), BOUNDS, 16, ending, meters)

    async def bounds() -> Mapping[int, LogBounds]:
        return await asyncio.to_thread(topics.log_bounds, wanted.names.tracking)

    app = build_app(wanted, lanes, bounds)
    started = asyncio.create_task(app.start())
    try:
        yield Member(app, lanes, noted, meters, ending)
    finally:
        noted.loading.set()
        noted.applying.set()
        started.cancel()
        await asyncio.wait([started])
        await lanes.revoke(1.0)
        await app.stop()


def produce(servers: str, topic: str, partition: int, count: int, value_bytes: int = 20) -> None:
    """Append `count` numbered records."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5})
    for number in range(count):
        producer.produce(topic, str(number).encode().ljust(value_bytes), key=b"k", partition=partition)
        producer.poll(0)
    assert producer.flush(30) == 0


def place(topic: str, partition: int, offset: int) -> TopicPartition:
    """An offset of a partition."""
    return TopicPartition(topic, partition, offset)
