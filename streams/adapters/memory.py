"""The pipeline's ports in memory, for tests of the engine and for running it without any server.

They keep the same promises as Redis and Kafka, and one conformance suite holds all of them to it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from schemas.errors import InputError
from streams.ports import (
    Commit,
    Cursor,
    CursorMismatchError,
    Fence,
    FenceLostError,
    Loaded,
    LogIdentity,
    Message,
    OutboxEntry,
    PartitionMeta,
)

_START = Cursor(0, 0)


@dataclass(slots=True)
class MemoryPartition:
    """All that is stored of one partition."""

    fence: Fence
    meta: PartitionMeta
    contacts: dict[str, bytes] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    timers: list[tuple[int, str]] = field(default_factory=list)  # the same, in order of (due, key)
    outbox: dict[int, OutboxEntry] = field(default_factory=dict)
    members: dict[str, dict[str, int]] = field(default_factory=dict)
    generation: int = 1
    former: MemoryPartition | None = None  # what served before the last change of definitions

    def check(self, partition: int, at: Cursor, fence: Fence | None = None) -> None:
        """Raises `CursorMismatchError` where the state is not at `at`, `FenceLostError` where the fence is lost."""
        if fence is not None and self.fence.generation < fence.generation:
            raise CursorMismatchError(at, None)
        if fence is not None and self.fence != fence:
            raise FenceLostError(partition, fence, self.fence)
        if self.meta.cursor != at:
            raise CursorMismatchError(at, self.meta.cursor)

    def load(self, keys: Sequence[str], due_until_ms: int | None, limit: int) -> Loaded:
        """States of `keys`, and the first `limit` timers due at or before `due_until_ms` with their states."""
        due: list[tuple[int, str]] = []
        if due_until_ms is not None:
            due = self.timers[: min(limit, bisect_right(self.timers, due_until_ms, key=lambda timer: timer[0]))]
        wanted = [*keys, *(key for _, key in due)]
        states = {key: self.contacts[key] for key in wanted if key in self.contacts}
        return Loaded(states, due, self.timers[0][0] if self.timers else None)

    def write(self, commit: Commit) -> int | None:
        """Write all of a commit; the earliest due instant afterwards."""
        _write(self, commit)
        return self.timers[0][0] if self.timers else None

    def set_timer(self, key: str, due_ms: int | None) -> None:
        """Move, add or remove a contact's timer."""
        known = self.due.pop(key, None)
        if known is not None:
            self.timers.remove((known, key))
        if due_ms is not None:
            self.due[key] = due_ms
            insort(self.timers, (due_ms, key))


@dataclass(slots=True)
class MemoryBuild:
    """A state that is built beside the one that serves."""

    identity: str  # of the definitions that it is built for
    owner: Fence | None  # of the partition, where that one builds
    state: MemoryPartition
    keys: list[str] = field(default_factory=list)  # of its contacts
    settled: int = 0


class MemoryStateStore:
    """A `StateStore` in memory."""

    def __init__(self) -> None:
        self.partitions: dict[int, MemoryPartition] = {}
        self.builds: dict[int, MemoryBuild] = {}

    async def take(self, partition: int, fence: Fence, log: LogIdentity) -> PartitionMeta:
        """Take the fence (a higher generation, or the same with the same member), else `FenceLostError`.

        Raises `InputError` when the state belongs to another log.
        """
        found = self.partitions.get(partition)
        if found is None:
            found = self.partitions[partition] = MemoryPartition(fence, PartitionMeta(epoch=1, log=log))
        else:
            known = _same_log(partition, found.meta, log)
            if found.fence.generation > fence.generation or (
                found.fence.generation == fence.generation and found.fence.member != fence.member
            ):
                raise FenceLostError(partition, fence, found.fence)
            found.fence, found.meta = fence, replace(found.meta, log=known)
        return _with_own_sizes(found.meta)

    async def start_over(self, partition: int, fence: Fence, epoch: int) -> PartitionMeta:
        """Drop the partition's state: its log is folded again from offset 0, its output counted from 1 in `epoch`.

        Raises `FenceLostError` when the fence is not ours.
        """
        found = self.partitions.get(partition)
        if found is None or found.fence != fence:
            raise FenceLostError(partition, fence, Fence(0, "") if found is None else found.fence)
        self.builds.pop(partition, None)
        self.partitions[partition] = MemoryPartition(fence, PartitionMeta(epoch=epoch, log=found.meta.log))
        return self.partitions[partition].meta

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        """States of `keys`, and the first `limit` timers due at or before `due_until_ms` with their states.

        Raises `CursorMismatchError` when the state is not at `at`.
        """
        found = self.partitions.get(partition)
        if found is None:
            raise CursorMismatchError(at, None)
        found.check(partition, at)
        return found.load(keys, due_until_ms, limit)

    async def commit(self, partition: int, commit: Commit) -> int | None:
        """Write all of it; returns the partition's earliest due instant afterwards.

        Raises `FenceLostError`, or `CursorMismatchError` with where the state is; nothing is written then.
        """
        found = self.partitions.get(partition)
        if found is None:
            raise CursorMismatchError(commit.before, None)
        found.check(partition, commit.before, commit.fence)
        return found.write(commit)

    async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
        """Entries that were committed and not trimmed, in order of seq."""
        found = self.partitions.get(partition)
        return [] if found is None else [entry for seq, entry in found.outbox.items() if seq > after_seq][:limit]

    async def trim(self, partition: int, acked_seq: int) -> None:
        """Forget entries up to `acked_seq`; idempotent."""
        found = self.partitions.get(partition)
        if found is not None:
            for seq in [seq for seq in found.outbox if seq <= acked_seq]:
                del found.outbox[seq]


class MemoryLogs:
    """A `Publisher` and `TailReader`: logs by topic and partition, every publish acknowledged at once."""

    def __init__(self) -> None:
        self.logs: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Returns when every message is in its log, in order."""
        for message in messages:
            log = self.logs[message.topic, message.partition]
            log.append(msgspec.structs.replace(message, offset=len(log)))

    async def tail(self, topic: str, partition: int, count: int) -> list[Message]:
        """The last messages, oldest first, at most `count` (fewer when the log holds fewer)."""
        return self.logs[topic, partition][-count:]


def _with_own_sizes(meta: PartitionMeta) -> PartitionMeta:
    return replace(meta, sizes=dict(meta.sizes))


def _same_log(partition: int, meta: PartitionMeta, given: LogIdentity) -> LogIdentity:
    known = meta.log
    if known is None or meta.cursor == _START:
        return given
    if any(old != new for old, new in zip(known, given, strict=True) if old and new):
        raise InputError(f"partition {partition}: the state was folded from another log, {known}, not from {given}")
    return LogIdentity(
        given.cluster_id or known.cluster_id, given.topic_id or known.topic_id, given.partitions or known.partitions
    )


def _write(found: MemoryPartition, commit: Commit) -> None:
    for key, state in commit.contacts.items():
        if state is None:
            found.contacts.pop(key, None)
        else:
            found.contacts[key] = state
    for key, due_ms in commit.timers.items():
        found.set_timer(key, due_ms)
    for entry in commit.outbox:
        found.outbox[entry.seq] = entry
    sizes = dict(found.meta.sizes)
    for change in commit.memberships:
        sizes[change.segment] = sizes.get(change.segment, 0) + (1 if change.entered else -1)
        members = found.members.setdefault(change.segment, {})
        if change.entered:
            members[change.contact_id] = change.effective_at_ms
        else:
            members.pop(change.contact_id, None)
    known = commit.definitions is None
    found.meta = replace(
        found.meta,
        cursor=commit.after,
        index=commit.index,
        clock_ms=commit.clock_ms,
        seq=commit.seq,
        sizes=sizes,
        definitions=found.meta.definitions if known else commit.definitions,
        definitions_number=found.meta.definitions_number if known else commit.versions[-1].number,
        versions=found.meta.versions if known else commit.versions,
    )
