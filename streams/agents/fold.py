"""The agent: hands each batch to the lane of its partition. Lanes keep partitions apart and let none wait for another.

Nothing may escape the loop: Faust would acknowledge the batch and lose it. `accept` raises nothing; what can go
wrong goes wrong in a lane, which tries again or ends the process.
"""

from __future__ import annotations

from collections.abc import AsyncIterable

from streams.agents.faust_hooks import BatchSchema, WorkerApp
from streams.agents.lane import Batch


def register(app: WorkerApp, topic: str) -> None:
    """Let the app consume `topic`."""

    async def fold(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            app.lanes.accept(batch)

    app.agent(app.topic(topic, schema=BatchSchema(), acks=False), name="fold")(fold)
