"""Every port of a pipeline, failing on purpose: what never arrives, what arrives without an answer, and bugs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from schemas.errors import UnavailableError
from streams.adapters.memory import MemoryLogs
from streams.generations import Build, BuildStore, GenerationStore, Heirs, History, Holding
from streams.ports import (
    Commit,
    Cursor,
    Fence,
    Loaded,
    LogBounds,
    LogIdentity,
    Message,
    OutboxEntry,
    PartitionMeta,
    RawRecord,
    StateStore,
)

T = TypeVar("T")
Fault = Literal["none", "lost request", "lost reply", "bug", "late bug"]


class PlantedBug(RuntimeError):  # noqa: N818 - named for what it stands for
    """Nobody foresees it."""


@dataclass
class Faults:
    """Decides which calls fail, and how; bugs among the kinds are rare."""

    chance: random.Random
    rate: float
    bugs: float = 0.0
    met: Counter[str] = field(default_factory=Counter)

    def draw(self, what: str) -> Fault:
        """What becomes of a call."""
        fault: Fault = "none"
        if self.chance.random() < self.bugs:
            fault = self.chance.choice(["bug", "late bug"])
        elif self.chance.random() < self.rate:
            fault = self.chance.choice(["lost request", "lost reply"])
        if fault != "none":
            self.met[f"{what}: {fault}"] += 1
        return fault

    async def call(self, what: str, real: Callable[[], Awaitable[T]]) -> T:
        """Make the call, or not, and tell of it, or not."""
        fault = self.draw(what)
        if fault == "lost request":
            raise UnavailableError(f"{what} never arrived")
        if fault == "bug":
            raise PlantedBug(what)
        answer = await real()
        if fault == "lost reply":
            raise UnavailableError(f"the reply to {what} was lost")
        if fault == "late bug":
            raise PlantedBug(what)
        return answer


@dataclass
class FailingStore:
    """A state store of which every call may fail."""

    store: StateStore
    faults: Faults

    async def take(self, partition: int, fence: Fence, log: LogIdentity) -> PartitionMeta:
        return await self.faults.call("take", lambda: self.store.take(partition, fence, log))

    async def start_over(self, partition: int, fence: Fence, epoch: int) -> PartitionMeta:
        return await self.faults.call("start over", lambda: self.store.start_over(partition, fence, epoch))

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        return await self.faults.call("load", lambda: self.store.load(partition, at, keys, due_until_ms, limit))

    async def commit(self, partition: int, commit: Commit) -> int | None:
        return await self.faults.call("commit", lambda: self.store.commit(partition, commit))

    async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
        return await self.faults.call("outbox", lambda: self.store.outbox(partition, after_seq, limit))

    async def trim(self, partition: int, acked_seq: int) -> None:
        await self.faults.call("trim", lambda: self.store.trim(partition, acked_seq))


@dataclass
class FailingBuilds:
    """A store of builds of which every call may fail."""

    builds: BuildStore
    faults: Faults

    async def begin(self, partition: int, identity: str, *, owner: Fence | None, anew: bool = False) -> Build:
        return await self.faults.call("begin", lambda: self.builds.begin(partition, identity, owner=owner, anew=anew))

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        return await self.faults.call("build load", lambda: self.builds.load(partition, at, keys, due_until_ms, limit))

    async def commit(self, partition: int, commit: Commit) -> int | None:
        return await self.faults.call("build commit", lambda: self.builds.commit(partition, commit))

    async def give_up(self, partition: int) -> bool:
        return await self.faults.call("give up", lambda: self.builds.give_up(partition))


@dataclass
class FailingGenerations:
    """A store of generations of which every call may fail."""

    generations: GenerationStore
    faults: Faults

    async def serving(self, partition: int) -> PartitionMeta | None:
        return await self.faults.call("serving", lambda: self.generations.serving(partition))

    async def states(self, partition: int, generation: int, keys: Sequence[str]) -> list[bytes | None]:
        return await self.faults.call("states", lambda: self.generations.states(partition, generation, keys))

    async def members(self, partition: int, generation: int, segment: str) -> dict[str, int]:
        return await self.faults.call("members", lambda: self.generations.members(partition, generation, segment))

    async def built_keys(self, partition: int, generation: int, page: int) -> list[str]:
        return await self.faults.call("built keys", lambda: self.generations.built_keys(partition, generation, page))

    async def settle(self, partition: int, fence: Fence, at: Cursor, build: Build, heirs: Heirs) -> None:
        await self.faults.call("settle", lambda: self.generations.settle(partition, fence, at, build, heirs))

    async def switch(self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding) -> PartitionMeta:
        return await self.faults.call("switch", lambda: self.generations.switch(partition, fence, at, build, holding))

    async def take_over(
        self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding
    ) -> PartitionMeta:
        return await self.faults.call(
            "take over", lambda: self.generations.take_over(partition, fence, at, build, holding)
        )

    async def drop_former(self, partition: int, generation: int) -> None:
        await self.faults.call("drop", lambda: self.generations.drop_former(partition, generation))


@dataclass
class FailingHistory:
    """A reader of the log's past that may fail before, after, and amid its records."""

    history: History
    faults: Faults

    async def read(self, partition: int, bounds: LogBounds) -> AsyncIterator[list[RawRecord]]:
        batches = self.history.read(partition, bounds)
        while (records := await self.faults.call("history", lambda: anext(batches, None))) is not None:
            yield records


@dataclass
class FailingLogs:
    """A producer that is dead after a delivery that failed, as an idempotent one is, and a reader of tails."""

    logs: MemoryLogs
    faults: Faults
    dead: bool = False

    async def publish(self, messages: Sequence[Message]) -> None:
        fault: Fault = "lost request" if self.dead else self.faults.draw("publish")
        if fault == "none":
            await self.logs.publish(messages)
            return
        if not self.dead:  # some of them may have come through, in order
            await self.logs.publish(messages[: self.faults.chance.randint(0, len(messages))])
        self.dead = True
        if fault in ("bug", "late bug"):
            raise PlantedBug("publish")
        raise UnavailableError("the producer cannot deliver any more")

    async def tail(self, topic: str, partition: int, count: int) -> list[Message]:
        return await self.faults.call("tail", lambda: self.logs.tail(topic, partition, count))
