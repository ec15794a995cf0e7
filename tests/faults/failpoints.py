"""Named points on a worker's way at which it dies, hangs, or meets an error: around every call of its ports.

Each call has the points `asked` (nothing was sent yet) and `answered` (all is done, the caller does not know yet);
those that write have `sent` between them, where nobody can tell whether the write was made.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

from schemas.errors import UnavailableError
from streams.bootstrap import Outside
from streams.pipeline.ticks import TickAppender
from streams.ports import (
    Commit,
    Cursor,
    Fence,
    Loaded,
    LogIdentity,
    Message,
    OutboxEntry,
    PartitionMeta,
    Publisher,
    StateStore,
    TailReader,
)
from tests.faults.failing_changes import FailingBuilds, FailingGenerations, FailingHistory

T = TypeVar("T")
Action = Literal["kill", "stop", "away", "bug"]
"""SIGKILL to itself, SIGSTOP to itself, `UnavailableError`, `RuntimeError`."""

VARIABLE = "TRAPS"
"""Of the environment of `python -m tests.faults.worker`."""

_READS = ("load", "outbox", "tail", "dead_letter_tail")
_WRITES = ("take", "commit", "publish", "trim", "tick")
# A dead letter and a new epoch are written as well, but not on every worker's way.
_RARE = ("dead_letter", "start_over")
_OF_AN_UPGRADE = ("take_over",)
# Of a change of definitions alone.
_READS_OF_A_CHANGE = ("build_load", "history", "built_keys", "states", "members")
_WRITES_OF_A_CHANGE = ("begin", "build_commit", "settle", "switch", "drop")


def _around(*calls: str) -> tuple[str, ...]:
    reads = {*_READS, *_READS_OF_A_CHANGE}
    return tuple(
        f"{call}.{where}"
        for call in calls
        for where in (("asked", "answered") if call in reads else ("asked", "sent", "answered"))
    )


ALWAYS_PASSED: Sequence[str] = _around(*_WRITES, "dead_letter", *_READS)
"""Those that a worker passes whose log has dead letters and timers in it."""
POINTS_OF_A_CHANGE: Sequence[str] = _around(*_WRITES_OF_A_CHANGE, *_READS_OF_A_CHANGE)
"""Those that a worker passes besides when definitions change that differ about some contacts and agree about others."""
POINTS: Sequence[str] = (*_around(*_WRITES, *_RARE, *_OF_AN_UPGRADE, *_READS), *POINTS_OF_A_CHANGE)
_MOST_TURNS = 4


@dataclass(frozen=True)
class Trap:
    """What happens at a point: at its `passing`-th passing, or with `chance` at each when that is 0."""

    point: str  # `*` is every point
    action: Action
    passing: int = 0
    chance: float = 0.0


@dataclass(frozen=True)
class Traps:
    """All traps of a worker. What was sprung is noted in the file `notes`, one line each: point and action."""

    traps: Sequence[Trap] = ()
    seed: int = 0
    notes: str = ""

    def environment(self) -> dict[str, str]:
        """What tells a worker of them."""
        return {VARIABLE: json.dumps(asdict(self))}

    @staticmethod
    def told(environment: Mapping[str, str]) -> Traps:
        """Those of an environment."""
        told = json.loads(environment.get(VARIABLE, "{}"))
        return Traps(tuple(Trap(**trap) for trap in told.pop("traps", ())), **told)


@dataclass
class Failpoints:
    """Counts the passings of every point, and springs the traps."""

    told: Traps
    _passed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.told.seed)

    def around(self, outside: Outside) -> Outside:
        """The ports with their points."""
        return Outside(
            FailingStore(outside.store, self),
            FailingBuilds(outside.builds, self),
            FailingGenerations(outside.generations, self),
            FailingHistory(outside.history, self),
            FailingPublisher(outside.publisher, self),
            FailingTails(outside.tails, self),
            FailingTicks(outside.ticks, self),
        )

    def passing(self, point: str) -> None:
        """Spring the traps that lie here now."""
        self._passed[point] += 1
        for trap in self.told.traps:
            if trap.point in {point, "*"} and self._is_sprung(trap, point):
                self._spring(trap.action, point)

    def _is_sprung(self, trap: Trap, point: str) -> bool:
        if trap.passing:
            passed = self._passed.total() if trap.point == "*" else self._passed[point]
            return passed == trap.passing
        return self.chance.random() < trap.chance

    def _spring(self, action: Action, point: str) -> None:
        with open(self.told.notes, "ab", buffering=0) as notes:  # noqa: PTH123 - one write, whatever comes next
            notes.write(f"{point} {action}\n".encode())
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif action == "away":
            raise UnavailableError(f"failpoint {point}")
        else:
            raise RuntimeError(f"failpoint {point}")

    async def read(self, call: str, work: Coroutine[Any, Any, T]) -> T:
        """Do what reads, with the points around it."""
        self._asked(call, work)
        found = await work
        self.passing(f"{call}.answered")
        return found

    async def write(self, call: str, work: Coroutine[Any, Any, T]) -> T:
        """Do what writes, with the points around it and one on its way."""
        self._asked(call, work)
        task = asyncio.create_task(work)
        try:
            for _ in range(self.chance.randrange(_MOST_TURNS)):
                await asyncio.sleep(0)
            self.passing(f"{call}.sent")
            found = await task
        except BaseException:
            task.add_done_callback(_forgotten)
            task.cancel()
            raise
        self.passing(f"{call}.answered")
        return found

    def _asked(self, call: str, work: Coroutine[Any, Any, Any]) -> None:
        try:
            self.passing(f"{call}.asked")
        except BaseException:
            work.close()
            raise


def _forgotten(task: asyncio.Task[Any]) -> None:
    """Nobody waits for its outcome any more."""
    if not task.cancelled():
        task.exception()


@dataclass
class FailingStore:
    """A state store with points."""

    store: StateStore
    points: Failpoints

    async def take(self, partition: int, fence: Fence, log: LogIdentity) -> PartitionMeta:
        return await self.points.write("take", self.store.take(partition, fence, log))

    async def start_over(self, partition: int, fence: Fence, epoch: int) -> PartitionMeta:
        return await self.points.write("start_over", self.store.start_over(partition, fence, epoch))

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        return await self.points.read("load", self.store.load(partition, at, keys, due_until_ms, limit))

    async def commit(self, partition: int, commit: Commit) -> int | None:
        return await self.points.write("commit", self.store.commit(partition, commit))

    async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
        return await self.points.read("outbox", self.store.outbox(partition, after_seq, limit))

    async def trim(self, partition: int, acked_seq: int) -> None:
        await self.points.write("trim", self.store.trim(partition, acked_seq))


@dataclass
class FailingPublisher:
    """A producer with points: others for transitions than for dead letters."""

    publisher: Publisher
    points: Failpoints

    async def publish(self, messages: Sequence[Message]) -> None:
        call = "dead_letter" if _of_dead_letters(messages[0].topic) else "publish"
        await self.points.write(call, self.publisher.publish(messages))


@dataclass
class FailingTails:
    """A reader of tails with points."""

    tails: TailReader
    points: Failpoints

    async def tail(self, topic: str, partition: int, count: int) -> list[Message]:
        call = "dead_letter_tail" if _of_dead_letters(topic) else "tail"
        return await self.points.read(call, self.tails.tail(topic, partition, count))


@dataclass
class FailingTicks:
    """The appender of ticks with points."""

    ticks: TickAppender
    points: Failpoints

    async def append(self, message: Message) -> int:
        return await self.points.write("tick", self.ticks.append(message))


def _of_dead_letters(topic: str) -> bool:
    return topic.endswith("dead_letter")
