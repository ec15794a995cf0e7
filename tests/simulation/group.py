"""The consumer group of the workers: members, generations, and who has which partition.

The eager protocol, as the broker's coordinator has it: when somebody comes, goes or falls silent, all are asked to join
again; who does not within its time is left out; then there is a new generation. A member learns of it by its heartbeat.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Literal, NamedTuple

from tests.simulation.virtual_loop import VirtualLoop

SESSION_TIMEOUT_S = 6.0
REBALANCE_TIMEOUT_S = 10.0
_LOOK_S = 0.5


class Joined(NamedTuple):
    """What a join gave a member."""

    generation: int
    partitions: frozenset[int]


class Coordinator:
    """Kafka's coordinator of one group."""

    def __init__(self, loop: VirtualLoop, partitions: int, seed: str) -> None:
        self._loop = loop
        self._partitions = partitions
        self._chance = random.Random(f"{seed}/group")
        self._heard: dict[str, float] = {}  # members, and when each was last heard
        self._joining: dict[str, asyncio.Future[Joined | None]] = {}
        self._preparing_since: float | None = None
        self.generation = 0
        self.committed: dict[int, int] = {}
        loop.later(_LOOK_S, self._look)

    def join(self, member: str) -> asyncio.Future[Joined | None]:
        """Ask to be a member. The answer is None where the group was forgotten meanwhile: join anew."""
        self._heard[member] = self._loop.time()
        answer = self._joining[member] = self._loop.create_future()
        self._prepare()
        self._complete_if_all()
        return answer

    def heartbeat(self, member: str) -> Literal["fine", "join again", "unknown"]:
        """A sign of life; the answer says what the member must do."""
        if member not in self._heard:
            return "unknown"
        self._heard[member] = self._loop.time()
        return "fine" if self._preparing_since is None else "join again"

    def leave(self, member: str) -> None:
        """Go in order: nobody waits for the session to end."""
        if self._heard.pop(member, None) is not None:
            self._joining.pop(member, None)
            self._prepare()
            self._complete_if_all()

    def commit(self, member: str, generation: int, offsets: dict[int, int]) -> None:
        """Take offsets from a current member, and from nobody else."""
        if self.is_current(member, generation):
            self.committed |= offsets

    def is_current(self, member: str, generation: int) -> bool:
        """Whether this is a member of the generation that there is now."""
        return member in self._heard and generation == self.generation

    def forget(self) -> None:
        """The group is deleted: its members are unknown, its generations begin again."""
        self._heard.clear()
        for answer in self._joining.values():
            _settle(answer, None)
        self._joining.clear()
        self._preparing_since = None
        self.generation = 0
        self.committed.clear()

    def shuffle(self) -> None:
        """A rebalance for no reason."""
        if self._heard:
            self._prepare()

    def _prepare(self) -> None:
        if self._preparing_since is None:
            self._preparing_since = self._loop.time()

    def _look(self) -> None:
        now = self._loop.time()
        silent = [
            member
            for member, heard in self._heard.items()
            if now - heard > SESSION_TIMEOUT_S and member not in self._joining
        ]
        for member in silent:
            del self._heard[member]
            self._prepare()
        if self._preparing_since is not None and now - self._preparing_since > REBALANCE_TIMEOUT_S:
            self._heard = {member: heard for member, heard in self._heard.items() if member in self._joining}
        self._complete_if_all()
        self._loop.later(_LOOK_S, self._look)

    def _complete_if_all(self) -> None:
        if self._preparing_since is None or not self._heard or self._heard.keys() != self._joining.keys():
            return
        self._preparing_since = None
        self.generation += 1
        members = sorted(self._joining)
        first = self._chance.randrange(len(members))
        for place, member in enumerate(members):
            mine = [p for p in range(self._partitions) if (p + first) % len(members) == place]
            answer = self._joining.pop(member)
            joined = Joined(self.generation, frozenset(mine))
            self._heard[member] = self._loop.time()
            self._loop.later(self._chance.uniform(0.001, 0.05), _settler(answer, joined))


def _settler(answer: asyncio.Future[Joined | None], joined: Joined) -> Callable[[], None]:
    return lambda: _settle(answer, joined)


def _settle(answer: asyncio.Future[Joined | None], joined: Joined | None) -> None:
    if not answer.done():
        answer.set_result(joined)
