"""Progress in Redis: one small hash a partition, and the offsets that were settled beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from consumers.redis_client import AnyRedis, redis_answers
from consumers.window import Progress
from schemas.topics import Names

_SAVE = (Path(__file__).parent / "lua" / "save_progress.lua").read_text()


class Stored(NamedTuple):
    """What Redis knows of a partition."""

    progress: Progress | None
    ahead: frozenset[int]


class ProgressStore(Protocol):
    """Progress that outlives the process. All methods raise `UnavailableError` when the store is away."""

    async def load(self, partition: int) -> Stored:
        """What was saved."""

    async def save(self, partition: int, progress: Progress, ahead: Sequence[int]) -> Progress:
        """Move progress forward, never back, and note offsets settled beyond it; returns what is stored now."""

    async def reset(self, partition: int, progress: Progress) -> None:
        """Replace what was saved, whatever it says."""


class RedisProgressStore:
    """Progress of the consumer `role` (it is also the role of its group)."""

    def __init__(self, client: AnyRedis, names: Names, role: str) -> None:
        self._client = client
        self._names = names
        self._role = role

    def _keys(self, partition: int) -> tuple[str, str]:
        key = self._names.key(partition, "consumer", self._role)
        return key, f"{key}:ahead"

    async def load(self, partition: int) -> Stored:
        key, ahead_key = self._keys(partition)
        with redis_answers():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.hmget(key, ["epoch", "seq", "offset"])
                pipeline.zrange(ahead_key, 0, -1)
                fields, ahead = await pipeline.execute()
        progress = None if None in fields else Progress(*(int(field) for field in fields))
        return Stored(progress, frozenset(int(offset) for offset in ahead))

    async def save(self, partition: int, progress: Progress, ahead: Sequence[int]) -> Progress:
        with redis_answers():
            # As a whole each time: a server of a cluster may not know a script that another one was taught.
            stored = await self._client.eval(_SAVE, 2, *self._keys(partition), *progress, *ahead)
        return Progress(*(int(field) for field in stored))

    async def reset(self, partition: int, progress: Progress) -> None:
        key, ahead_key = self._keys(partition)
        with redis_answers():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.delete(key, ahead_key)
                pipeline.hset(key, mapping={"epoch": progress.epoch, "seq": progress.seq, "offset": progress.offset})
                await pipeline.execute()
