"""Somebody who builds what other definitions would make of the log, beside the workers."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from schemas.errors import InputError, UnavailableError
from streams.pipeline.building import Builder
from streams.ports import CursorMismatchError, FenceLostError, LogBounds
from streams.segmentation import compile_definitions
from tests.simulation.generations import SimBuilds, SimHistory
from tests.simulation.virtual_loop import SimProcess
from tests.simulation.worker import PIPELINE_BOUNDS, Surroundings

_PAUSE_S = 0.5


class Planner:
    """One process that builds, partition after partition, until it is ended; now and then it gives a build up."""

    def __init__(self, around: Surroundings, process: SimProcess, text: dict[str, Any], chance: random.Random) -> None:
        self._around = around
        self._definitions = compile_definitions(text)
        self._chance = chance
        self._builds = SimBuilds(around.redis, process)
        self._history = SimHistory(around.broker, process)

    async def work(self) -> None:
        """Build for ever, whatever comes between."""
        met = self._around.redis.network.met
        while True:
            partition = self._chance.randrange(self._around.broker.partitions)
            try:
                if self._chance.random() < 0.1:
                    await self._builds.give_up(partition)
                await self._build(partition)
                met["builds by others"] += 1
            except (UnavailableError, FenceLostError, CursorMismatchError):
                met["builds by others cut short"] += 1
            except InputError:
                return  # the log's start is gone
            await asyncio.sleep(self._chance.uniform(0, _PAUSE_S))

    async def _build(self, partition: int) -> None:
        around = self._around
        tracking = around.names.tracking
        builder = Builder(
            partition, self._builds, self._definitions, topic=tracking, partitions=around.broker.partitions,
            bounds=PIPELINE_BOUNDS,
        )  # fmt: skip
        end = around.broker.log(tracking, partition).bounds.end
        build = await builder.begin(owner=None)
        if build.cursor.offset > end:
            build = await builder.begin(owner=None, anew=True)
        async for records in self._history.read(partition, LogBounds(build.cursor.offset, end)):
            await builder.apply(records)
