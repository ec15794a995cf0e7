"""Logs in memory, to read the start of and to write to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.errors import SegueError, UnavailableError
from schemas.records import DefinitionsRecord, definitions_hash
from schemas.topics import partition_of
from streams.ports import LogBounds, LogIdentity, Message, TimestampType
from streams.sending.ports import Acknowledgement, OnAcknowledged


class Written(NamedTuple):
    """A record as the broker would keep it."""

    value: bytes
    key: str | None
    timestamp_ms: int


def definitions_record(text: str = '{"version":1}') -> DefinitionsRecord:
    """Definitions with this canonical text."""
    return DefinitionsRecord(
        type="definitions", definitions=text, hash=definitions_hash(text), number=1, semantics="1", tzdata="2026.1"
    )


@dataclass
class MemoryLog:
    """One topic; a `TopicReader`, a `ClockReader` and a `LogWriter`."""

    partitions: int = 2
    deleted: dict[int, int] = field(default_factory=dict)  # how many records were deleted from the start
    fails_after: int | None = None
    failure: SegueError | None = None
    appended: int = 0
    broker_ms: int = 0  # above 0 the broker stamps, each record a millisecond later than the one before
    flushes: int = 0
    on_acknowledged: OnAcknowledged | None = None
    log: dict[int, list[Written]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = {number: [] for number in range(self.partitions)}

    @property
    def records(self) -> list[Written]:
        return [record for written in self.log.values() for record in written]

    def append(
        self, value: bytes, *, contact_id: str | None = None, partition: int = -1, timestamp_ms: int = 0
    ) -> None:
        if self.failure is not None and self.appended == self.fails_after:
            raise self.failure
        self.appended += 1
        if self.broker_ms:
            self.broker_ms += 1
            timestamp_ms = self.broker_ms
        target = partition if contact_id is None else partition_of(contact_id, self.partitions)
        self.log[target].append(Written(value, contact_id, timestamp_ms))
        if self.on_acknowledged is not None:
            self.on_acknowledged(Acknowledgement(target, len(self.log[target]) - 1, timestamp_ms))

    def flush(self) -> None:
        self.flushes += 1

    def partition_counts(self, topics: Iterable[str]) -> Mapping[str, int]:
        return dict.fromkeys(topics, self.partitions)

    def timestamp_type(self, topic: str) -> TimestampType:
        raise AssertionError(f"nobody asked for the timestamps of {topic}")

    def log_identity(self, topic: str) -> LogIdentity:
        raise AssertionError(f"nobody asked which log {topic} is")

    def log_bounds(self, topic: str) -> Mapping[int, LogBounds]:
        assert topic
        return {
            number: LogBounds(self.deleted.get(number, 0), self.deleted.get(number, 0) + len(records))
            for number, records in self.log.items()
        }

    def latest_timestamps(self, topic: str) -> Mapping[int, int]:
        assert topic
        return {
            number: max((record.timestamp_ms for record in records), default=0) for number, records in self.log.items()
        }

    def first_records(self, topic: str) -> Mapping[int, Message | None]:
        return {
            number: Message(topic, number, None, records[0].value, offset=self.deleted.get(number, 0))
            if records
            else None
            for number, records in self.log.items()
        }


@dataclass
class MemoryTable:
    """A `CompactedLog`, and what can go wrong with one."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    appends: int = 0
    fails_after: int | None = None  # appends
    on_flush: list[Callable[[], None]] = field(default_factory=list)  # what others do at the next flushes

    def read(self) -> Mapping[bytes, bytes]:
        return dict(self.values)

    def end(self) -> int:
        return self.appends

    def put(self, key: bytes, value: bytes | None) -> None:
        if self.appends == self.fails_after:
            raise UnavailableError("Kafka is away")
        self.appends += 1
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def flush(self) -> None:
        if self.on_flush:
            self.on_flush.pop(0)()
