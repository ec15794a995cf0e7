"""What lies between a process and the servers: delays, requests and replies that get lost, and such that come late."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from schemas.errors import SegueError, UnavailableError
from tests.simulation.virtual_loop import SimProcess, VirtualLoop

T = TypeVar("T")
Fate = Literal["answered", "request lost", "reply lost", "late"]

CALL_TIMEOUT_S = 5.0
_LATE_S = (4.0, 12.0)


@dataclass
class Weather:
    """How bad the network is now."""

    trouble: float = 0.0
    """Share of the calls that do not simply get their answer."""
    slow: float = 0.01
    """Share of the ways that take up to `slow_s`."""
    slow_s: float = 0.3


@dataclass
class Network:
    """Calls of one server."""

    loop: VirtualLoop
    seed: str
    weather: Weather = field(default_factory=Weather)
    away: bool = False
    """Whether the server is down: it does nothing and answers nobody."""
    met: Counter[str] = field(default_factory=Counter)
    _chances: dict[str, random.Random] = field(default_factory=dict)

    def chance(self, stream: str) -> random.Random:
        """Random draws of one stream, which no other stream can shift."""
        if stream not in self._chances:
            self._chances[stream] = random.Random(f"{self.seed}/{stream}")
        return self._chances[stream]

    async def call(self, process: SimProcess, stream: str, operation: Callable[[], T]) -> T:
        """Have the server do `operation`, at once for all others to see, and bring back what it says.

        Raises what the operation raises, and `UnavailableError` where no answer comes: then it may have been done,
        and may even be done later.
        """
        chance = self.chance(f"{process.name}/{stream}")
        fate = self._fate(chance)
        answer: asyncio.Future[T] = self.loop.create_future()
        survives = chance.random() < 0.5  # the request is on the wire when its sender dies
        back_s = self._way_s(chance)

        def arrive() -> None:
            if (process.dead and not survives) or self.away:
                self.met["requests that never arrived"] += 1
                return
            try:
                result = operation()
            except SegueError as error:
                refusal = error
                if fate == "answered":
                    self.loop.later(back_s, lambda: _refuse(answer, refusal))
                return
            if fate == "answered":
                self.loop.later(back_s, lambda: _fulfil(answer, result))

        if fate != "answered":
            self.met[f"calls whose fate was: {fate}"] += 1
        if fate != "request lost":
            self.loop.later(self._way_s(chance) + (chance.uniform(*_LATE_S) if fate == "late" else 0.0), arrive)
        broken_s = CALL_TIMEOUT_S if fate == "late" or self.away else chance.uniform(0.001, CALL_TIMEOUT_S)
        patience_s = CALL_TIMEOUT_S if fate == "answered" and not self.away else broken_s
        self.loop.later(patience_s, lambda: _refuse(answer, UnavailableError("no answer came")))
        return await answer

    def _fate(self, chance: random.Random) -> Fate:
        if chance.random() >= self.weather.trouble:
            return "answered"
        return chance.choice(("request lost", "reply lost", "late"))

    def _way_s(self, chance: random.Random) -> float:
        """How long a request or a reply is on its way; never quite the same twice, so that order is drawn too."""
        if chance.random() < self.weather.slow:
            return chance.uniform(0.001, self.weather.slow_s)
        return chance.uniform(0.0002, 0.003)


def _fulfil(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _refuse(answer: asyncio.Future[T], error: SegueError) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # heard: who asked may be dead
