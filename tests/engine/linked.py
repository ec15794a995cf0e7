"""Several partitions whose contacts are linked with one another, driven step by step, with a broker in between."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import UnavailableError
from schemas.instants import format_instant
from schemas.topics import partition_of
from schemas.transitions import Transition, decode_transition
from streams.adapters.memory_generations import MemoryHistory
from streams.pipeline.pipeline import PartitionPipeline
from streams.ports import CursorMismatchError, Fence, LogIdentity, RawRecord
from streams.segmentation import compile_definitions
from streams.simulation.simulator import BadLine, Simulator
from tests.engine.stories import START, definitions_value
from tests.engine.world import World, drained
from tests.support.waiting import wait_until_async

PARTITIONS = 3
DEVICES = tuple(f"anon:{number}" for number in range(4))
CONTACTS = tuple(f"c{number}" for number in range(4))
DEFINITIONS: dict[str, Any] = {
    "version": 1,
    "deduplicate": "1h",
    "scores": {"s": {"half_life": "10m", "points": [{"event": "x", "points": 10}]}},
    "segments": {
        "thrice": {"when": {"performed": {"event": "x", "at_least": 3}}},
        "twice_lately": {"when": {"performed": {"event": "x", "at_least": 2, "within": "5m"}}},
        "hot": {"when": {"score": {"name": "s", "gte": 15}}, "exit_when": {"score": {"name": "s", "lt": 10}}},
        "paying": {"when": {"trait": {"name": "plan", "eq": "paid"}}},
        "old": {"when": {"known_for": "20m"}},
    },
}


def drawn(seed: int, count: int) -> list[dict[str, Any]]:
    """Records of devices and contacts, with links among them, some of them twice, some late, few erasures."""
    dice, at_ms = random.Random(seed), START
    bodies: list[dict[str, Any]] = []
    for number in range(count):
        at_ms += dice.choice((0, 1, 1_000, 60_000, 200_000))
        who = dice.choice(DEVICES + CONTACTS)
        body: dict[str, Any] = {"type": "track", "event": dice.choice("xxy"), "contact_id": who}
        kind = dice.randrange(20)
        if kind < 3:
            body = {"type": "link", "contact_id": dice.choice(DEVICES), "to": dice.choice(CONTACTS)}
        elif kind < 5:
            body = {"type": "identify", "contact_id": who, "traits": {"plan": dice.choice(("paid", "free", None))}}
        elif kind == 5 and dice.random() < 0.4:
            body = {"type": "erase", "contact_id": who}
        body["event_id"] = f"e{number - dice.choice((0, 0, 0, 1))}-{body['type']}"
        body["occurred_at"] = format_instant(at_ms - dice.choice((0, 0, 0, 90_000)))
        body["received_at"] = format_instant(at_ms)
        bodies.append(body)
    return bodies


def simulated(bodies: Sequence[dict[str, Any]], definitions: dict[str, Any] = DEFINITIONS) -> list[Transition]:
    """What the simulator makes of them."""
    simulator, found = Simulator(compile_definitions(definitions), PARTITIONS), []
    for result in simulator.feed(json.dumps(body).encode() for body in bodies):
        assert not isinstance(result, BadLine), result
        found.append(result)
    return found


def told(transitions: Sequence[Transition]) -> list[tuple[Any, ...]]:
    """Everything of transitions but where their records lie and when they were seen."""
    return sorted(
        (
            one.transition_id, one.contact_id, one.segment, one.sequence, one.effective_at, one.cause.kind,
            str(one.cause.event_id), sorted(one.scores.items()), str(one.valid_until),
        )
        for one in transitions
    )  # fmt: skip


@dataclass
class Linked:
    """The logs, and a pipeline of each partition."""

    world: World
    definitions: dict[str, Any] = field(default_factory=lambda: DEFINITIONS)
    logs: dict[int, list[RawRecord]] = field(default_factory=dict)
    pipelines: dict[int, PartitionPipeline] = field(default_factory=dict)
    generation: int = 0
    delivered: dict[int, int] = field(default_factory=dict)
    met: int = 0
    """Interruptions."""

    def __post_init__(self) -> None:
        self.world.partitions = PARTITIONS
        self.world.log = LogIdentity("cluster-1", "topic-1", PARTITIONS)
        for partition in range(PARTITIONS):
            self.logs[partition] = []
            self.append(partition, None, definitions_value(self.definitions), START)
        self.world.history = MemoryHistory(dict[int, Sequence[RawRecord]](self.logs))

    def append(self, partition: int, key: bytes | None, value: bytes | None, at_ms: int) -> None:
        """Append to a partition's log."""
        log = self.logs[partition]
        log.append(RawRecord(len(log), at_ms, key, value))

    async def take(self, body: dict[str, Any], at_ms: int) -> None:
        """A record comes in, and is folded with all that it causes."""
        contact_id = body["contact_id"]
        partition = partition_of(contact_id, PARTITIONS)
        self.append(partition, contact_id.encode(), json.dumps(body).encode(), at_ms)
        await self.settle()

    async def settle(self) -> None:
        """Fold everything, and what is sent, until nothing more comes."""
        while True:
            for partition in range(PARTITIONS):
                await self.fold(partition)
            if not self.deliver():
                return

    async def fold(self, partition: int) -> None:
        """Fold a partition's log to its end; what is interrupted is loaded again."""
        while True:
            try:
                pipeline = self.pipelines.get(partition)
                if pipeline is None:
                    pipeline = self.pipelines[partition] = self.world.pipeline(partition)
                    self.generation += 1
                    await pipeline.load(Fence(self.generation, "member"))
                at = pipeline.cursor.offset
                if rest := self.logs[partition][at:]:
                    await pipeline.apply(rest)
                await _all_sent(pipeline)
                return
            except (UnavailableError, CursorMismatchError):
                self.met += 1
                await self.drop(partition)

    def deliver(self) -> int:
        """Append what was published to the logs, as the broker does; how much it was."""
        count = 0
        for partition in range(PARTITIONS):
            published = self.world.logs.logs[self.world.names.tracking, partition]
            for message in published[self.delivered.get(partition, 0) :]:
                self.append(partition, message.key, message.value, message.timestamp_ms)
                count += 1
            self.delivered[partition] = len(published)
        return count

    async def drop(self, partition: int) -> None:
        """Somebody else takes over."""
        pipeline = self.pipelines.pop(partition, None)
        if pipeline is not None:
            await pipeline.close()

    async def end(self) -> None:
        """All output is out."""
        for pipeline in self.pipelines.values():
            await drained(pipeline)
            await pipeline.close()

    def transitions(self) -> list[Transition]:
        """All that reached the topic."""
        return [
            decode_transition(message.value or b"")
            for partition in range(PARTITIONS)
            for message in self.world.published(partition)
        ]


async def _all_sent(pipeline: PartitionPipeline) -> None:
    await wait_until_async(lambda: not pipeline.is_sending, 10, "the broker to have what is sent")
