"""A pipeline with everything around it, in memory or on a real Redis; and all that it has stored, as plain values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from schemas.metrics import Meters
from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.memory import MemoryLogs, MemoryStateStore
from streams.adapters.memory_generations import (
    MemoryBuildStore,
    MemoryGenerationStore,
    MemoryHistory,
    MemoryRecords,
)
from streams.adapters.redis.builds import RedisBuildStore
from streams.adapters.redis.connection import RedisConnection
from streams.adapters.redis.fold import versions_in
from streams.adapters.redis.generation_store import RedisGenerationStore
from streams.adapters.redis.state import RedisStateStore
from streams.generations import BuildStore, GenerationStore, History
from streams.pipeline.pipeline import PartitionPipeline, PipelineBounds, PipelinePorts
from streams.ports import Fence, LogIdentity, Message, Publisher, RawRecord, StateStore, TailReader
from tests.support.redis_cluster import clients_of
from tests.support.waiting import wait_until_async

LOG = LogIdentity("cluster-1", "topic-1", 1)
FENCE = Fence(1, "member-1")

Contents: TypeAlias = dict[str, Any]
"""Contacts, timers, sizes and members of all partitions, and where each log is folded to."""


class FixedClock:
    """A clock that stands where it was set."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        return self.ms


@dataclass
class World:
    """What surrounds a pipeline."""

    store: StateStore
    builds: BuildStore
    generations: GenerationStore
    contents: Callable[[], Contents]
    history: MemoryHistory = field(default_factory=lambda: MemoryHistory({}))
    logs: MemoryLogs = field(default_factory=MemoryLogs)
    names: Names = field(default_factory=lambda: Names(""))
    log: LogIdentity = LOG
    partitions: int = 1
    bounds: PipelineBounds = field(default_factory=PipelineBounds)
    meters: Meters = field(default_factory=lambda: Meters("worker"))
    clock: FixedClock = field(default_factory=FixedClock)
    failures: list[BaseException] = field(default_factory=list)
    publisher: Publisher | None = None
    tails: TailReader | None = None
    serving: Callable[[], Contents] = dict  # the contents of what serves, whatever is built beside it
    past: History | None = None  # where the log's past is not read from `history`

    def pipeline(self, partition: int = 0) -> PartitionPipeline:
        """A new pipeline, not loaded yet."""
        ports = PipelinePorts(
            names=self.names,
            log=self.log,
            partitions=self.partitions,
            timestamp_type="create",
            store=self.store,
            builds=self.builds,
            generations=self.generations,
            history=self.past or self.history,
            records=MemoryRecords(self.history.logs),
            publisher=self.publisher or self.logs,
            tails=self.tails or self.logs,
            clock=self.clock,
            meters=self.meters,
            on_failure=self.failures.append,
        )
        return PartitionPipeline(partition, ports, self.bounds)

    async def fold(self, batches: Iterable[Sequence[RawRecord]], fence: Fence = FENCE, partition: int = 0) -> None:
        """Fold batches with a pipeline of their own, from where the state stands."""
        batches = list(batches)
        known = {record.offset: record for record in self.history.logs.get(partition, ())}
        known |= {record.offset: record for batch in batches for record in batch}
        self.history.logs[partition] = [known[offset] for offset in sorted(known)]
        pipeline = self.pipeline(partition)
        await pipeline.load(fence)
        for batch in batches:
            await pipeline.apply(batch)
        await drained(pipeline)
        await pipeline.close()

    def published(self, partition: int = 0) -> list[Message]:
        """All transitions that reached the topic."""
        return self.logs.logs[self.names.transitions, partition]

    def dead_letters(self, partition: int = 0) -> list[Message]:
        """All dead letters."""
        return self.logs.logs[self.names.dead_letter, partition]

    def count(self, name: str, *labels: str) -> float:
        """What a counter or gauge shows."""
        metric = self.meters.counter(name, *labels) if name.endswith("_total") else self.meters.gauge(name, *labels)
        return float(metric._value.get())  # the client library offers no other way to read one


async def drained(pipeline: PartitionPipeline) -> None:
    """Returns when the broker has acknowledged all output, and nothing is left of a state before."""
    await wait_until_async(lambda: not pipeline.outbox_waiting and not pipeline.is_tidying, 10, "an empty outbox")


def memory_contents(store: MemoryStateStore) -> Contents:
    """What a store in memory holds."""
    return {
        str(partition): {
            "contacts": found.contacts,
            "timers": found.timers,
            "sizes": found.meta.sizes,
            "members": {name: members for name, members in found.members.items() if members},
            "at": (found.meta.cursor, found.meta.index, found.meta.clock_ms, found.meta.seq),
            "definitions": (found.meta.definitions, found.meta.versions),
        }
        for partition, found in store.partitions.items()
    }


def redis_contents(url: str, names: Names, *, only_serving: bool = False) -> Contents:
    """What Redis holds under a namespace, but for the outbox, the fence and the log's identity.

    With `only_serving` keys of other generations than the one that serves may be there, and are left out.
    """
    found: Contents = {}
    with clients_of(url) as clients:
        for client in clients:
            _gather(client, names, found, only_serving)
    return found


def _gather(client: Any, names: Names, found: Contents, only_serving: bool) -> None:
    for key in sorted(client.scan_iter(match=f"{names.namespace}:*", count=1000)):
        name = key.decode().removeprefix(f"{names.namespace}:{{tracking-")
        partition, _, rest = name.partition("}:")
        if name == key.decode() or rest.startswith("consumer:"):
            continue  # the consumers' own
        if only_serving and rest != "meta":
            serving = client.hget(names.key(int(partition), "meta"), "generation")
            if not rest.startswith(f"g{serving.decode()}:"):
                continue
        into = found.setdefault(partition, {"contacts": {}, "timers": [], "sizes": {}, "members": {}})
        _, _, part = rest.partition(":")
        kind, _, last = part.partition(":")
        if rest == "meta":
            meta = {name.decode(): text.decode() for name, text in client.hgetall(key).items()}
            cursor = (int(meta["offset"]), int(meta["steps"]))
            into["at"] = (cursor, int(meta["index"]), int(meta["clock"]), int(meta["seq"]))
            into["definitions"] = (meta.get("definitions"), versions_in(meta))
            assert "former_generation" not in meta, "nothing is left of the state before"
        elif kind == "contact":
            into["contacts"][last] = client.get(key)
        elif kind == "timers":
            into["timers"] = [(int(due), member.decode()) for member, due in client.zrange(key, 0, -1, withscores=True)]
        elif kind == "sizes":
            into["sizes"] = {name.decode(): int(size) for name, size in client.hgetall(key).items()}
        elif kind == "members":
            listed = client.zrange(key, 0, -1, withscores=True)
            into["members"][last] = {member.decode(): int(since) for member, since in listed}
        else:
            assert kind == "outbox", f"an unexpected key {key!r}"


StoreOpener: TypeAlias = Callable[[], AbstractAsyncContextManager[World]]


@asynccontextmanager
async def world_in_memory() -> AsyncIterator[World]:
    """A world whose state lies in memory."""
    store = MemoryStateStore()

    def contents() -> Contents:
        return memory_contents(store)

    yield World(store, MemoryBuildStore(store), MemoryGenerationStore(store), contents, serving=contents)


@asynccontextmanager
async def world_on_redis(url: str, namespace: str, timeout_ms: int = 5_000) -> AsyncIterator[World]:
    """A world whose state lies in Redis."""
    names = Names(namespace)
    connection = RedisConnection(RedisAccess.at(url), timeout_ms=timeout_ms)
    try:
        store = RedisStateStore(connection, names)
        builds, generations = RedisBuildStore(connection, names), RedisGenerationStore(connection, names, store)
        yield World(
            store,
            builds,
            generations,
            lambda: redis_contents(url, names),
            names=names,
            serving=lambda: redis_contents(url, names, only_serving=True),
        )
    finally:
        await connection.close()
