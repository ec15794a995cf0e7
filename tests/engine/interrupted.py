"""Changes of definitions that stop half-way, for tests to look at what is there then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import UnavailableError
from streams.pipeline.building import Builder
from streams.ports import Commit, PartitionMeta, RawRecord
from streams.segmentation import compile_definitions
from tests.engine.world import FENCE, World


async def fold_until_told(world: World, records: Sequence[RawRecord], contacts: int, partition: int = 0) -> None:
    """Fold records from the log's start, and stop when so many contacts were told of the first change among them."""
    generations: Any = world.generations
    store: Any = world.store
    switch, commit, bounds, left = generations.switch, store.commit, world.bounds, [-1]

    async def switching(*arguments: Any) -> PartitionMeta:
        meta: PartitionMeta = await switch(*arguments)
        left[0] = contacts
        return meta

    async def committing(partition: int, one: Commit) -> int | None:
        if left[0] == 0:
            raise UnavailableError("enough was told")
        left[0] -= 1
        due_ms: int | None = await commit(partition, one)
        return due_ms

    world.history.logs[partition] = records
    world.bounds = replace(bounds, transitions_per_commit_max=1)
    generations.switch, store.commit = switching, committing
    pipeline = world.pipeline(partition)
    await pipeline.load(FENCE)
    with pytest.raises(UnavailableError, match="enough was told"):
        await pipeline.apply(records)
    await pipeline.close()
    generations.switch, store.commit, world.bounds = switch, commit, bounds


async def fold_without_tidying(world: World, records: Sequence[RawRecord], partition: int = 0) -> None:
    """Fold records whose change leaves the state before it lying about."""
    generations: Any = world.generations
    drop = generations.drop_former

    async def keeping(_partition: int, _generation: int) -> None:
        raise UnavailableError("another time")

    generations.drop_former = keeping
    await world.fold([records], partition=partition)
    generations.drop_former = drop


async def build(world: World, data: dict[str, Any], records: Sequence[RawRecord], partition: int = 0) -> Builder:
    """Build a state for other definitions from the log's first records, as whoever plans a change does."""
    builder = Builder(partition, world.builds, compile_definitions(data), topic="tracking", partitions=world.partitions)
    await builder.begin(owner=None)
    await builder.apply(records)
    return builder
