"""Drives a pipeline as the worker does: after any interruption it loads again, and reads on from where that says."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from schemas.errors import UnavailableError
from streams.ports import CursorMismatchError, Fence, RawRecord
from tests.engine.world import FENCE, World, drained

_TIMEOUT_S = 60


async def drive(
    world: World,
    records: Sequence[RawRecord],
    seed: int,
    *,
    fence: Fence = FENCE,
    before_batch: Callable[[int], Awaitable[None]] | None = None,
) -> Counter[str]:
    """Fold all of `records` in random batches; how often which interruption was met.

    `before_batch` is called with the offset at which the coming batch begins.
    """
    chance = random.Random(seed)
    world.history.logs[0] = records
    pipeline = world.pipeline()
    met: Counter[str] = Counter()
    next_offset = -1
    async with asyncio.timeout(_TIMEOUT_S):
        while next_offset < len(records):
            try:
                if next_offset < 0:
                    next_offset = await pipeline.load(fence)
                batch = records[next_offset : next_offset + chance.randint(1, 40)]
                if before_batch is not None:
                    await before_batch(next_offset)
                await pipeline.apply(batch)
                next_offset += len(batch)
            except (UnavailableError, CursorMismatchError) as error:
                met[type(error).__name__] += 1
                next_offset = -1
                await asyncio.sleep(0)
    await drained(pipeline)
    await pipeline.close()
    return met
