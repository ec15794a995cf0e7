"""What the pipeline needs of the outside, and the plain values that cross that line.

The pipeline sees these protocols and nothing behind them: `streams/adapters` implements them on Redis and
Kafka, `streams/adapters/memory.py` in memory, and one conformance suite runs over both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from schemas.errors import SegueError, UnavailableError
from schemas.forwards import Sending, Taken
from streams.versions import Former, Version


class RawRecord(NamedTuple):
    """A record of `tracking` as Kafka gave it."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Fence(NamedTuple):
    """Kafka's own word on who owns a partition: the group's generation, then the member within it."""

    generation: int
    member: str


class Cursor(NamedTuple):
    """How far a partition's log is folded into its state.

    `offset` is the next record to apply; `steps` counts the timer steps that were already committed on
    behalf of that record, so that a crowd of timers may be committed in bounded parts.
    """

    offset: int
    steps: int


_START = Cursor(0, 0)


class LogIdentity(NamedTuple):
    """Which log the state was folded from. Empty, or 0, where it is not known (the embedded broker does not say)."""

    cluster_id: str
    topic_id: str
    partitions: int = 0  # of `tracking`: contacts would move if it changed


@dataclass(frozen=True, slots=True)
class PartitionMeta:
    """What Redis knows of a partition, contacts aside. By default: nothing was folded yet."""

    cursor: Cursor = _START
    index: int = 0  # transitions already caused by the record at `cursor.offset`
    clock_ms: int = 0
    seq: int = 0  # of the last transition
    epoch: int = 0
    definitions: str | None = None  # canonical text; None until the log's first record was applied
    definitions_number: int = 0
    log: LogIdentity | None = None  # None where nothing was ever committed
    sizes: dict[str, int] = field(default_factory=dict)  # members by segment
    generation: int = 1  # counts the states that the partition has had
    versions: tuple[Version, ...] = ()  # of the definitions, as they came to hold
    former: Former | None = None  # what served before, as long as something is left of it
    taken: Taken = ()
    sendings: tuple[Sending, ...] = ()  # to other contacts, some of them perhaps sent already
    outdated_format: int | None = None  # of a state from which only another one is built: contacts are not worked on


class OutboxEntry(msgspec.Struct, frozen=True, gc=False):
    """A transition on its way to Kafka."""

    seq: int
    offset: int  # position: the record of `tracking` …
    index: int  # … and the place among the transitions that it caused
    epoch: int
    transition_id: str
    contact_id: str
    value: bytes


class MembershipChange(NamedTuple):
    """For the segment sizes and member listings, which move at transitions only."""

    segment: str
    contact_id: str
    entered: bool
    effective_at_ms: int


@dataclass(frozen=True, slots=True)
class Commit:
    """All that moves together, or not at all."""

    fence: Fence
    before: Cursor
    after: Cursor
    index: int
    clock_ms: int
    seq: int
    contacts: dict[str, bytes | None]  # by contact key; None deletes
    timers: dict[str, int | None]  # next due instant by contact key, only where it changed; None removes
    outbox: Sequence[OutboxEntry] = ()
    memberships: Sequence[MembershipChange] = ()
    definitions: str | None = None  # set by the commit that passes a record of definitions
    versions: tuple[Version, ...] = ()  # set with them
    taken: Taken | None = None  # where it is not as it was
    sendings: tuple[Sending, ...] | None = None  # likewise: all that are not acknowledged


@dataclass(frozen=True, slots=True)
class Loaded:
    """One atomic read, all of it as of one cursor."""

    contacts: dict[str, bytes]  # of those asked for and of those whose timer is listed; absent: unknown
    timers: list[tuple[int, str]]  # (due, contact key) in that order, at most `limit`
    earliest_due_ms: int | None  # of the whole partition


class FenceLostError(SegueError):
    """Another owner has taken the partition: drop all that is cached and touch nothing."""

    def __init__(self, partition: int, ours: Fence, found: Fence) -> None:
        super().__init__(
            f"partition {partition} belongs to generation {found.generation} of the worker group (member "
            f"{found.member!r}), not to generation {ours.generation} (member {ours.member!r}); if the group was "
            "deleted its generations start again at 1: then stop all workers and run `segue fence reset`"
        )
        self.partition = partition
        self.ours = ours
        self.found = found


class CursorMismatchError(SegueError):
    """Redis is not where this process left it (rolled back, emptied, or a reply was lost)."""

    def __init__(self, expected: Cursor, found: Cursor | None) -> None:
        super().__init__(f"the state is at {found}, not at {expected}")
        self.expected = expected
        self.found = found


class FoldStore(Protocol):
    """Where a partition's fold keeps contacts and timers. All methods raise `UnavailableError` when it is away."""

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        """States of `keys`, and the first `limit` timers due at or before `due_until_ms` with their states.

        Raises `CursorMismatchError` when the state is not at `at`.
        """

    async def commit(self, partition: int, commit: Commit) -> int | None:
        """Write all of it; returns the partition's earliest due instant afterwards.

        Raises `FenceLostError`, or `CursorMismatchError` with where the state is; nothing is written then.
        """


class StateStore(FoldStore, Protocol):
    """The materialised view of each partition. All methods raise `UnavailableError` when it is away."""

    async def take(self, partition: int, fence: Fence, log: LogIdentity) -> PartitionMeta:
        """Take the fence (a higher generation, or the same with the same member), else `FenceLostError`.

        Raises `InputError` when the state belongs to another log or is of a newer format.
        """

    async def start_over(self, partition: int, fence: Fence, epoch: int) -> PartitionMeta:
        """Drop the partition's state: its log is folded again from offset 0, its output counted from 1 in `epoch`.

        Raises `FenceLostError` when the fence is not ours.
        """

    async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
        """Entries that were committed and not trimmed, in order of seq."""

    async def trim(self, partition: int, acked_seq: int) -> None:
        """Forget entries up to `acked_seq`; idempotent."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message for, or from, a partition of a topic."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0
    offset: int = -1


class Publisher(Protocol):
    """An idempotent producer. A delivery that fails is final: it raises `UnavailableError` ever after."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Returns when the broker has acknowledged every one; order within a partition is kept."""


class TailReader(Protocol):
    """Reads the end of a partition's log."""

    async def tail(self, topic: str, partition: int, count: int) -> list[Message]:
        """The last messages, oldest first, at most `count` (fewer when the log holds fewer)."""


class Clock(Protocol):
    """Wall time, for pacing and metrics. Never reaches an evaluation."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""


TimestampType: TypeAlias = Literal["append", "create"]
"""Who stamps a topic's records: the broker (`LogAppendTime`) or their producer (`CreateTime`)."""


class LogBounds(NamedTuple):
    """Offsets of a partition's log: its first record, and the one that the next append will get."""

    start: int
    end: int


class TopicReader(Protocol):
    """What a broker says of its topics. Calls block, and raise `UnavailableError` when it does not answer."""

    def partition_counts(self, topics: Iterable[str]) -> Mapping[str, int]:
        """Partitions of those of `topics` that exist."""

    def timestamp_type(self, topic: str) -> TimestampType:
        """Who stamps the records of a topic."""

    def log_identity(self, topic: str) -> LogIdentity:
        """Which log this is: a topic that was deleted and made again is another one."""

    def log_bounds(self, topic: str) -> Mapping[int, LogBounds]:
        """Where the log of every partition begins and ends. A topic that does not exist has none."""

    def first_records(self, topic: str) -> Mapping[int, Message | None]:
        """The record with which each partition's log begins; None where the log is empty."""


class Entry(NamedTuple):
    """A record on its way into `tracking`: encoded, and the contact that decides on its partition."""

    contact_id: str
    value: bytes


class QueueFullError(UnavailableError):
    """The bounded queue has no room for all of it, so none of it was taken."""


class RecordRefusedError(UnavailableError):
    """The broker is there and will not have a record as it is: the same bytes are refused the next time, too."""


class Intake(Protocol):
    """Where the collector puts what it took in."""

    @property
    def waiting(self) -> int:
        """Records taken that the broker has not acknowledged yet."""

    async def append(self, entries: Sequence[Entry], *, sent_again: bool = False) -> None:
        """Returns when every one is where nothing loses it: the broker has acknowledged it, or a disk has it.

        Takes all or none of `entries` into a bounded queue: `QueueFullError` at once when they do not fit.
        `UnavailableError` later means that some may have been written and some not. `sent_again` says that their
        sender keeps them and tries again, so that they leave the last room to what nobody sends again.
        """


class LogWriter(Protocol):
    """Appends many records, in order, to one topic. Raises `UnavailableError`, or `InputError` when the broker
    refuses a record for good; after either, nothing more is appended."""

    def append(
        self, value: bytes, *, contact_id: str | None = None, partition: int = -1, timestamp_ms: int = 0
    ) -> None:
        """Queue one record: for its contact's partition, or with no key for `partition`.

        Blocks while the queue is full. `timestamp_ms` 0 leaves the time to the broker or to the wall clock.
        """

    def flush(self) -> None:
        """Returns when the broker has acknowledged all that was appended."""
