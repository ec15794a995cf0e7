"""Redis of the simulation: the memory store's atomic commit behind a network, with its past kept to be set back to."""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from consumers.progress_store import Stored
from consumers.window import Progress
from streams.adapters.memory import MemoryBuild, MemoryPartition, MemoryStateStore
from streams.ports import Commit, Cursor, Fence, FenceLostError, Loaded, LogIdentity, OutboxEntry, PartitionMeta
from tests.simulation.network import Network
from tests.simulation.virtual_loop import SimProcess

T = TypeVar("T")

_SNAPSHOTS_KEPT = 30


class Snapshot:
    """All that the server held at one instant."""

    def __init__(self, server: RedisServer) -> None:
        self.partitions: dict[int, MemoryPartition] = copy.deepcopy(server.state.partitions)
        self.builds: dict[int, MemoryBuild] = copy.deepcopy(server.state.builds)
        self.progress = copy.deepcopy(server.progress)

    def offset(self, partition: int) -> int:
        """How far the partition's log was folded."""
        found = self.partitions.get(partition)
        return 0 if found is None else found.meta.cursor.offset


class RedisServer:
    """What all processes share."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.state = MemoryStateStore()
        self.progress: dict[int, Stored] = {}
        self.snapshots: list[Snapshot] = []
        self.problems: list[str] = []
        self._newest: dict[int, int] = {}  # generation that took each partition, as long as the server remembers

    def took(self, partition: int, fence: Fence) -> None:
        """An owner took the partition."""
        self._newest[partition] = max(fence.generation, self._newest.get(partition, 0))

    def wrote(self, partition: int, fence: Fence) -> None:
        """An owner's commit was taken."""
        if fence.generation < self._newest.get(partition, 0):
            self.problems.append(f"partition {partition}: a former owner, of generation {fence.generation}, wrote")

    def take_snapshot(self) -> None:
        """Keep what is there now."""
        self.snapshots = [*self.snapshots, Snapshot(self)][-_SNAPSHOTS_KEPT:]

    def set_back(self, snapshot: Snapshot) -> None:
        """Be where the snapshot was: a lagging replica, or an older file."""
        kept = copy.deepcopy(snapshot)
        self.state.partitions, self.state.builds, self.progress = kept.partitions, kept.builds, kept.progress
        self._newest = {partition: found.fence.generation for partition, found in kept.partitions.items()}

    def empty(self) -> None:
        """FLUSHALL."""
        self.state.partitions, self.state.builds, self.progress, self._newest = {}, {}, {}, {}

    def reset_fences(self) -> None:
        """What `segue fence reset` does."""
        for found in self.state.partitions.values():
            found.fence = Fence(0, "")
        self._newest = {}


class SimStore:
    """The state store as one process sees it."""

    def __init__(self, server: RedisServer, process: SimProcess) -> None:
        self._server = server
        self._process = process

    async def take(self, partition: int, fence: Fence, log: LogIdentity) -> PartitionMeta:
        def take() -> PartitionMeta:
            try:
                meta = at_once(self._server.state.take(partition, fence, log))
            except FenceLostError:
                self._server.network.met["former owners turned away"] += 1
                raise
            self._server.took(partition, fence)
            return meta

        return await self._server.network.call(self._process, f"take/{partition}", take)

    async def start_over(self, partition: int, fence: Fence, epoch: int) -> PartitionMeta:
        return await self._call(f"start/{partition}", lambda: self._server.state.start_over(partition, fence, epoch))

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        wanted = list(keys)
        return await self._call(
            f"load/{partition}", lambda: self._server.state.load(partition, at, wanted, due_until_ms, limit)
        )

    async def commit(self, partition: int, commit: Commit) -> int | None:
        sent = replace(  # as bytes would be: what is changed later is not in it
            commit, contacts=dict(commit.contacts), timers=dict(commit.timers), outbox=tuple(commit.outbox)
        )

        def write() -> int | None:
            earliest = at_once(self._server.state.commit(partition, sent))
            self._server.wrote(partition, sent.fence)
            return earliest

        try:
            return await self._server.network.call(self._process, f"commit/{partition}", write)
        except FenceLostError:
            self._server.network.met["writes of a former owner refused"] += 1
            raise

    async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
        return await self._call(f"outbox/{partition}", lambda: self._server.state.outbox(partition, after_seq, limit))

    async def trim(self, partition: int, acked_seq: int) -> None:
        await self._call(f"trim/{partition}", lambda: self._server.state.trim(partition, acked_seq))

    async def _call(self, stream: str, operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self._server.network.call(self._process, stream, lambda: at_once(operation()))


class SimProgressStore:
    """The consumers' progress, which only ever moves forward."""

    def __init__(self, server: RedisServer, process: SimProcess) -> None:
        self._server = server
        self._process = process

    async def load(self, partition: int) -> Stored:
        return await self._call(
            f"progress/load/{partition}", lambda: self._server.progress.get(partition, Stored(None, frozenset()))
        )

    async def save(self, partition: int, progress: Progress, ahead: Sequence[int]) -> Progress:
        sent = tuple(ahead)
        return await self._call(f"progress/save/{partition}", lambda: self._save(partition, progress, sent))

    async def reset(self, partition: int, progress: Progress) -> None:
        def forget() -> None:
            self._server.progress[partition] = Stored(progress, frozenset())

        await self._call(f"progress/reset/{partition}", forget)

    def _save(self, partition: int, progress: Progress, ahead: Sequence[int]) -> Progress:
        known = self._server.progress.get(partition, Stored(None, frozenset()))
        best = progress if known.progress is None else max(known.progress, progress)
        beyond = frozenset(offset for offset in {*known.ahead, *ahead} if offset >= best.offset)
        self._server.progress[partition] = Stored(best, beyond)
        return best

    async def _call(self, stream: str, operation: Callable[[], T]) -> T:
        return await self._server.network.call(self._process, stream, operation)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("the memory store waits for nothing")
