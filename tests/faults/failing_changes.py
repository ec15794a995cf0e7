"""What a change of definitions asks of the ports, with the points of `failpoints.py` around each call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.generations import Build, BuildStore, GenerationStore, Heirs, History, Holding
from streams.ports import Commit, Cursor, Fence, Loaded, LogBounds, PartitionMeta, RawRecord

if TYPE_CHECKING:
    from tests.faults.failpoints import Failpoints


@dataclass
class FailingBuilds:
    """A store of builds with points."""

    builds: BuildStore
    points: Failpoints

    async def begin(self, partition: int, identity: str, *, owner: Fence | None, anew: bool = False) -> Build:
        return await self.points.write("begin", self.builds.begin(partition, identity, owner=owner, anew=anew))

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        return await self.points.read("build_load", self.builds.load(partition, at, keys, due_until_ms, limit))

    async def commit(self, partition: int, commit: Commit) -> int | None:
        return await self.points.write("build_commit", self.builds.commit(partition, commit))

    async def give_up(self, partition: int) -> bool:
        """No worker does."""
        return await self.builds.give_up(partition)


@dataclass
class FailingGenerations:
    """A store of generations with points."""

    generations: GenerationStore
    points: Failpoints

    async def serving(self, partition: int) -> PartitionMeta | None:
        """No worker asks."""
        return await self.generations.serving(partition)

    async def states(self, partition: int, generation: int, keys: Sequence[str]) -> list[bytes | None]:
        return await self.points.read("states", self.generations.states(partition, generation, keys))

    async def members(self, partition: int, generation: int, segment: str) -> dict[str, int]:
        return await self.points.read("members", self.generations.members(partition, generation, segment))

    async def built_keys(self, partition: int, generation: int, page: int) -> list[str]:
        return await self.points.read("built_keys", self.generations.built_keys(partition, generation, page))

    async def settle(self, partition: int, fence: Fence, at: Cursor, build: Build, heirs: Heirs) -> None:
        await self.points.write("settle", self.generations.settle(partition, fence, at, build, heirs))

    async def switch(self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding) -> PartitionMeta:
        return await self.points.write("switch", self.generations.switch(partition, fence, at, build, holding))

    async def take_over(
        self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding
    ) -> PartitionMeta:
        return await self.points.write("take_over", self.generations.take_over(partition, fence, at, build, holding))

    async def drop_former(self, partition: int, generation: int) -> None:
        await self.points.write("drop", self.generations.drop_former(partition, generation))


@dataclass
class FailingHistory:
    """A reader of the log's past with points around each batch."""

    history: History
    points: Failpoints

    async def read(self, partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
        batches = self.history.read(partition, bounds)

        async def following() -> list[RawRecord] | None:
            return await anext(batches, None)

        while (records := await self.points.read("history", following())) is not None:
            yield records
