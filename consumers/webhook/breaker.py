"""Lets no attempt through while the endpoint is paused, and then one alone until it is seen to be well."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from consumers.clock import Clock
from consumers.webhook.policy import Pauses


class Breaker:
    """One endpoint's health, as the answers of this process tell it.

    Failures of attempts that were under way together count as one: each pause ends a `round`, and a failure counts
    in its own round alone.
    """

    def __init__(
        self,
        pauses: Pauses,
        clock: Clock,
        changed: Callable[[bool], None],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._pauses = pauses
        self._clock = clock
        self._changed = changed
        self._draw = draw
        self._failures = 0
        self._until = float("-inf")
        self._probing = False
        self._turn = asyncio.Event()
        self.round = 0

    @property
    def paused(self) -> bool:
        """Whether the endpoint has failed and was not well since."""
        return self._failures > 0

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        """Entered when an attempt may be made; left when it was."""
        probe = await self._admitted()
        try:
            yield
        finally:
            if probe:
                self._probing = False
                self._wake()

    async def _admitted(self) -> bool:
        while True:
            wait_s = self._until - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            elif not self.paused:
                return False
            elif not self._probing:
                self._probing = True
                return True
            else:
                await self._turn.wait()

    def _wake(self) -> None:
        self._turn.set()
        self._turn = asyncio.Event()

    def well(self, attempt_round: int) -> None:
        """An attempt that began in `attempt_round` was answered by an endpoint that is well."""
        if self.paused and attempt_round == self.round:
            self._failures = 0
            self._changed(False)
            self._wake()

    def trouble(self, attempt_round: int, retry_after_s: float | None) -> float:
        """An attempt that began in `attempt_round` failed; returns the seconds until the next one may be made."""
        now = self._clock.monotonic()
        if attempt_round == self.round:
            self.round += 1
            self._failures += 1
            self._until = now + self._pauses.pause_s(self._failures, retry_after_s, self._draw())
            self._changed(True)
        elif retry_after_s is not None:
            asked_for = now + self._pauses.pause_s(self._failures, retry_after_s, self._draw())
            self._until = max(self._until, asked_for)
        return self._until - now
