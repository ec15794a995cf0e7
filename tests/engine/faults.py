"""A store and a broker that fail on purpose."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.errors import UnavailableError
from streams.ports import Commit, Cursor, Fence, Loaded, LogIdentity, OutboxEntry, PartitionMeta, StateStore

Fault = Literal["none", "lost request", "lost reply"]


@dataclass
class FaultyStore:
    """Passes calls on to a store; some never arrive, of others the reply is lost."""

    store: StateStore
    chance: random.Random
    rate: float
    commits: list[Commit] = field(default_factory=list)

    def _fault(self) -> Fault:
        if self.chance.random() >= self.rate:
            return "none"
        return self.chance.choice(["lost request", "lost reply"])

    async def take(self, partition: int, fence: Fence, log: LogIdentity) -> PartitionMeta:
        return await self.store.take(partition, fence, log)

    async def start_over(self, partition: int, fence: Fence, epoch: int) -> PartitionMeta:
        return await self.store.start_over(partition, fence, epoch)

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        if self._fault() != "none":
            raise UnavailableError("the load was lost")
        return await self.store.load(partition, at, keys, due_until_ms, limit)

    async def commit(self, partition: int, commit: Commit) -> int | None:
        fault = self._fault()
        if fault == "lost request":
            raise UnavailableError("the commit never arrived")
        earliest = await self.store.commit(partition, commit)
        self.commits.append(commit)
        if fault == "lost reply":
            raise UnavailableError("the reply to the commit was lost")
        return earliest

    async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
        return await self.store.outbox(partition, after_seq, limit)

    async def trim(self, partition: int, acked_seq: int) -> None:
        if self._fault() == "none":
            await self.store.trim(partition, acked_seq)
