"""Builds and changes of definitions in the simulation: the memory stores behind the network, and the log's past."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from streams.adapters.memory_generations import MemoryBuildStore, MemoryGenerationStore
from streams.generations import Build, Heirs, Holding
from streams.ports import Commit, Cursor, Fence, FenceLostError, Loaded, LogBounds, PartitionMeta, RawRecord
from tests.simulation.broker import Broker
from tests.simulation.store import RedisServer, at_once
from tests.simulation.virtual_loop import SimProcess

T = TypeVar("T")

_RECORDS_AT_ONCE = 9


class _Remote:
    """Calls of one process to Redis."""

    def __init__(self, server: RedisServer, process: SimProcess) -> None:
        self._server = server
        self._process = process

    async def _call(self, stream: str, operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            return await self._server.network.call(self._process, stream, lambda: at_once(operation()))
        except FenceLostError:
            self._server.network.met[f"refused: {stream.partition('/')[0]}"] += 1
            raise


class SimBuilds(_Remote):
    """The builds as one process sees them."""

    def __init__(self, server: RedisServer, process: SimProcess) -> None:
        super().__init__(server, process)
        self._builds = MemoryBuildStore(server.state)

    async def begin(self, partition: int, identity: str, *, owner: Fence | None, anew: bool = False) -> Build:
        return await self._call(
            f"begin/{partition}", lambda: self._builds.begin(partition, identity, owner=owner, anew=anew)
        )

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        wanted = list(keys)
        return await self._call(
            f"build load/{partition}", lambda: self._builds.load(partition, at, wanted, due_until_ms, limit)
        )

    async def commit(self, partition: int, commit: Commit) -> int | None:
        sent = replace(commit, contacts=dict(commit.contacts), timers=dict(commit.timers))
        return await self._call(f"build commit/{partition}", lambda: self._builds.commit(partition, sent))

    async def give_up(self, partition: int) -> bool:
        return await self._call(f"give up/{partition}", lambda: self._builds.give_up(partition))


class SimGenerations(_Remote):
    """The generations as one process sees them."""

    def __init__(self, server: RedisServer, process: SimProcess) -> None:
        super().__init__(server, process)
        self._generations = MemoryGenerationStore(server.state)

    async def serving(self, partition: int) -> PartitionMeta | None:
        return await self._call(f"serving/{partition}", lambda: self._generations.serving(partition))

    async def states(self, partition: int, generation: int, keys: Sequence[str]) -> list[bytes | None]:
        wanted = list(keys)
        return await self._call(f"states/{partition}", lambda: self._generations.states(partition, generation, wanted))

    async def members(self, partition: int, generation: int, segment: str) -> dict[str, int]:
        return await self._call(
            f"members/{partition}", lambda: self._generations.members(partition, generation, segment)
        )

    async def built_keys(self, partition: int, generation: int, page: int) -> list[str]:
        return await self._call(
            f"built keys/{partition}", lambda: self._generations.built_keys(partition, generation, page)
        )

    async def settle(self, partition: int, fence: Fence, at: Cursor, build: Build, heirs: Heirs) -> None:
        async def settle() -> None:
            await self._generations.settle(partition, fence, at, build, heirs)
            self._server.wrote(partition, fence)

        await self._call(f"settle/{partition}", settle)

    async def switch(self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding) -> PartitionMeta:
        async def switch() -> PartitionMeta:
            meta = await self._generations.switch(partition, fence, at, build, holding)
            self._server.wrote(partition, fence)
            self._server.network.met["changes of definitions"] += 1
            return meta

        return await self._call(f"switch/{partition}", switch)

    async def take_over(
        self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding
    ) -> PartitionMeta:
        async def take_over() -> PartitionMeta:
            meta = await self._generations.take_over(partition, fence, at, build, holding)
            self._server.wrote(partition, fence)
            return meta

        return await self._call(f"take over/{partition}", take_over)

    async def drop_former(self, partition: int, generation: int) -> None:
        await self._call(f"drop/{partition}", lambda: self._generations.drop_former(partition, generation))


class SimHistory:
    """The past of `tracking` as one process reads it; where its start is gone it begins later, as Kafka's does."""

    def __init__(self, broker: Broker, process: SimProcess) -> None:
        self._broker = broker
        self._process = process

    async def read(self, partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
        log = self._broker.log(self._broker.names.tracking, partition)
        offset = bounds.start
        while offset < bounds.end:
            asked = offset

            def fetch(asked: int = asked) -> list[RawRecord]:
                start = max(asked, log.start)
                found = log.read(start, min(_RECORDS_AT_ONCE, max(0, bounds.end - start)))
                return [RawRecord(each.offset, each.timestamp_ms, each.key, each.value) for each in found]

            records = await self._broker.network.call(self._process, f"history/{partition}", fetch)
            if not records:
                return
            yield records
            offset = records[-1].offset + 1
