"""The certainty that a partition is still ours, which lasts for a while only.

A process that was stopped for longer than the session may go on without knowing that its partitions have another
owner. So an attempt begins only within `length_s` of the last thing that the group's coordinator confirmed (it
takes an offset from a current member alone). What such a process repeats is then what was under way, no more.
"""

from __future__ import annotations

import asyncio

from consumers.clock import Clock


class Lease:
    """Fresh for `length_s` after the start of the last confirmed request; not fresh at first."""

    def __init__(self, length_s: float, clock: Clock) -> None:
        self._length_s = length_s
        self._clock = clock
        self._until = float("-inf")
        self._renewed = asyncio.Event()

    @property
    def fresh(self) -> bool:
        """Whether an attempt may begin now."""
        return self._clock.monotonic() < self._until

    def renew(self, asked_at: float) -> None:
        """The coordinator confirmed what was asked at `asked_at` (monotonic seconds)."""
        self._until = max(self._until, asked_at + self._length_s)
        self._renewed.set()

    async def hold(self) -> None:
        """Return once the lease is fresh."""
        while not self.fresh:
            self._renewed.clear()
            await self._renewed.wait()
