"""States beside the one that serves, in memory; they keep the same promises as those on Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from schemas.errors import UnavailableError
from streams.adapters.memory import MemoryBuild, MemoryPartition, MemoryStateStore
from streams.generations import Build, BuildBusyError, Heirs, Holding, owned_by_another
from streams.ports import (
    Commit,
    Cursor,
    CursorMismatchError,
    Fence,
    Loaded,
    LogBounds,
    PartitionMeta,
    RawRecord,
)
from streams.versions import Former, is_telling

_PAGE_KEYS = 100
_RECORDS_AT_ONCE = 100


class MemoryBuildStore:
    """A `BuildStore` beside a `MemoryStateStore`."""

    def __init__(self, serving: MemoryStateStore) -> None:
        self._serving = serving

    async def begin(self, partition: int, identity: str, *, owner: Fence | None, anew: bool = False) -> Build:
        """Go on with the build for the definitions of this identity, or begin one in place of whatever was built.

        `owner` is the fence of who owns the partition, None for anybody else. The builder before, if any, is refused
        from here on. Raises `FenceLostError` where another one owns the partition, `BuildBusyError` where the owner
        builds and it is not the owner who asks, and `UnavailableError` where no state serves yet.
        """
        serving, builds = self._serving.partitions.get(partition), self._serving.builds
        if serving is None:
            raise UnavailableError(f"partition {partition}: no worker has begun to fold it yet")
        if owner is not None and serving.fence != owner:
            raise owned_by_another(partition, owner, serving.fence)
        found = builds.get(partition)
        if found is not None and found.owner == serving.fence and owner is None:
            raise BuildBusyError(partition)
        count = 1 if found is None else found.state.fence.generation + 1
        if found is None or found.identity != identity or anew:
            last = serving.generation if found is None else found.state.generation
            state = MemoryPartition(Fence(count, ""), PartitionMeta(), generation=last + 1)
            found = builds[partition] = MemoryBuild(identity, owner, state)
        found.owner, found.settled = owner, 0
        found.state.fence = Fence(count, f"builder-{count}")
        meta = found.state.meta
        return Build(found.state.generation, found.state.fence, meta.cursor, meta.clock_ms, meta.taken)

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        """States of `keys`, and the first `limit` timers due at or before `due_until_ms` with their states.

        Raises `CursorMismatchError` when the build is not at `at`.
        """
        state = self._state(partition, at)
        state.check(partition, at)
        return state.load(keys, due_until_ms, limit)

    async def commit(self, partition: int, commit: Commit) -> int | None:
        """Write all of it; returns the build's earliest due instant afterwards.

        Raises `FenceLostError`, or `CursorMismatchError` with where the build is; nothing is written then.
        """
        state = self._state(partition, commit.before)
        state.check(partition, commit.before, commit.fence)
        new = [key for key, raw in commit.contacts.items() if raw is not None and key not in state.contacts]
        self._serving.builds[partition].keys += new
        return state.write(commit)

    async def give_up(self, partition: int) -> bool:
        """Remove what is built; whether there was any. Raises `BuildBusyError` where the partition's owner builds."""
        serving, found = self._serving.partitions.get(partition), self._serving.builds.get(partition)
        if found is not None and serving is not None and found.owner == serving.fence:
            raise BuildBusyError(partition)
        return self._serving.builds.pop(partition, None) is not None

    def _state(self, partition: int, at: Cursor) -> MemoryPartition:
        found = self._serving.builds.get(partition)
        if found is None:
            raise CursorMismatchError(at, None)
        return found.state


class MemoryGenerationStore:
    """A `GenerationStore` beside a `MemoryStateStore`."""

    def __init__(self, serving: MemoryStateStore) -> None:
        self._serving = serving

    async def serving(self, partition: int) -> PartitionMeta | None:
        """What is known of a partition, without taking it; None where nothing is stored."""
        found = self._serving.partitions.get(partition)
        return None if found is None else replace(found.meta, sizes=dict(found.meta.sizes))

    async def states(self, partition: int, generation: int, keys: Sequence[str]) -> list[bytes | None]:
        """What a generation has of some contacts."""
        found = self._generation(partition, generation)
        return [None if found is None else found.contacts.get(key) for key in keys]

    async def members(self, partition: int, generation: int, segment: str) -> dict[str, int]:
        """Ids of a segment's members in a generation, and since when each is one."""
        found = self._generation(partition, generation)
        return {} if found is None else dict(found.members.get(segment, {}))

    async def built_keys(self, partition: int, generation: int, page: int) -> list[str]:
        """Keys of contacts in a build, each at least once; the pages are counted from 0, past the last it is empty."""
        found = self._serving.builds.get(partition)
        if found is None or found.state.generation != generation:
            return []
        return found.keys[page * _PAGE_KEYS : (page + 1) * _PAGE_KEYS]

    async def settle(self, partition: int, fence: Fence, at: Cursor, build: Build, heirs: Heirs) -> None:
        """Write states into a build, which has one more `settled` after that.

        Raises `FenceLostError`, or `CursorMismatchError` where the serving state is not at `at` or the build is not
        where it is said to be; nothing is written then.
        """
        built = self._built(partition, fence, at, build)
        built.contacts.update(heirs.states)
        for segment, since in heirs.since.items():
            built.members.setdefault(segment, {}).update(since)
        self._serving.builds[partition].settled += 1

    async def switch(self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding) -> PartitionMeta:
        """Let the build serve, at the same record of the log with no steps taken; the output goes on as it was.

        Raises as `settle` does.
        """
        built = self._built(partition, fence, at, build)
        return self._serve(partition, built, Cursor(at.offset, 0), build.clock_ms, holding)

    async def take_over(
        self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding
    ) -> PartitionMeta:
        """Let the build serve in place of a state of an older format, under the definitions that hold in it already.

        All that was begun goes on: timers of the record at the cursor, output, and what a change tells; that is told
        as the difference to the same state before. Raises as `settle` does.
        """
        built, served = self._built(partition, fence, at, build), self._serving.partitions[partition]
        known, before = served.meta, served.former
        telling = is_telling(known.former, known.versions, known.cursor.offset)
        self._serve(partition, built, at, known.clock_ms, holding)
        if telling:
            built.former, built.meta = before, replace(built.meta, former=known.former)
        return replace(built.meta, sizes=dict(built.meta.sizes))

    def _serve(
        self, partition: int, built: MemoryPartition, at: Cursor, clock_ms: int, holding: Holding
    ) -> PartitionMeta:
        served = self._serving.partitions[partition]
        known = served.meta
        assert known.definitions is not None, "what has no definitions yet has none to change"
        built.fence, built.former = served.fence, served
        built.outbox, served.outbox = served.outbox, {}
        built.meta = replace(
            known,
            cursor=at,
            clock_ms=clock_ms,
            definitions=holding.definitions,
            definitions_number=holding.versions[-1].number,
            versions=holding.versions,
            sizes=built.meta.sizes,
            generation=built.generation,
            former=Former(served.generation, known.definitions),
            outdated_format=None,
        )
        self._serving.partitions[partition] = built
        del self._serving.builds[partition]
        return replace(built.meta, sizes=dict(built.meta.sizes))

    async def drop_former(self, partition: int, generation: int) -> None:
        """Remove what is left of the state before, as long as `generation` serves and has told what differs."""
        found = self._serving.partitions.get(partition)
        if found is None or found.generation != generation or found.former is None:
            return
        if found.meta.versions[-1].offset < found.meta.cursor.offset:
            found.former, found.meta = None, replace(found.meta, former=None)

    def _built(self, partition: int, fence: Fence, at: Cursor, build: Build) -> MemoryPartition:
        served, found = self._serving.partitions.get(partition), self._serving.builds.get(partition)
        if served is None:
            raise CursorMismatchError(at, None)
        served.check(partition, at, fence)
        if found is None:
            raise CursorMismatchError(at, None)
        if (found.state.generation, found.state.meta.cursor, found.settled) != (
            build.generation,
            build.cursor,
            build.settled,
        ):
            raise CursorMismatchError(at, None)
        return found.state

    def _generation(self, partition: int, generation: int) -> MemoryPartition | None:
        serving, build = self._serving.partitions.get(partition), self._serving.builds.get(partition)
        states = [serving, None if serving is None else serving.former, None if build is None else build.state]
        return next((state for state in states if state is not None and state.generation == generation), None)


class MemoryHistory:
    """A `History` over logs in memory."""

    def __init__(self, logs: dict[int, Sequence[RawRecord]]) -> None:
        self.logs = logs
        """By partition."""

    async def read(self, partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
        """The records of a partition from one offset up to another, in order."""
        found = [record for record in self.logs[partition] if bounds.start <= record.offset < bounds.end]
        for start in range(0, len(found), _RECORDS_AT_ONCE):
            yield found[start : start + _RECORDS_AT_ONCE]


class MemoryRecords:
    """A `RecordReader` over logs in memory."""

    def __init__(self, logs: Mapping[int, Sequence[RawRecord]]) -> None:
        self._logs = logs

    async def read(self, partition: int, offsets: Sequence[int]) -> Mapping[int, RawRecord]:
        """The records at rising offsets; those that the log does not hold any more are missing."""
        wanted = set(offsets)
        return {record.offset: record for record in self._logs.get(partition, ()) if record.offset in wanted}
