"""Writes progress behind the deliveries: one save at a time, always of what is newest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from consumers.clock import Clock
from consumers.owned import OwnedPartition
from consumers.progress_store import ProgressStore
from consumers.window import Progress
from schemas.errors import UnavailableError

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Saver:
    """Keeps Redis as near to the windows as its answers allow.

    While Redis is away deliveries go on, within the bound of the windows: the group's offset keeps the progress too.
    """

    def __init__(
        self, store: ProgressStore, clock: Clock, overtaken: Callable[[OwnedPartition, Progress], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._overtaken = overtaken
        self._changed: set[OwnedPartition] = set()
        self._wake = asyncio.Event()
        self.away = False

    def note(self, partition: OwnedPartition) -> None:
        """Something was settled in `partition`."""
        self._changed.add(partition)
        self._wake.set()

    async def run(self) -> None:
        """Save until cancelled."""
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._wake.wait()
            if await self._save_changed():
                pause_s = _FIRST_PAUSE_S
            else:
                await self._clock.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def flush(self, partition: OwnedPartition) -> None:
        """Save a partition that is given up; where Redis is away the group's offset must do."""
        self._changed.discard(partition)
        try:
            await self._save(partition)
        except UnavailableError as error:
            log.warning("progress of partition %d is in the group's offset alone: %s", partition.number, error)

    async def _save_changed(self) -> bool:
        while self._changed:
            partition = self._changed.pop()
            try:
                await self._save(partition)
            except UnavailableError as error:
                self._changed.add(partition)
                if not self.away:
                    log.warning("progress is in the group's offset alone until Redis is back: %s", error)
                self.away = True
                return False
            if self.away:
                log.info("Redis is back")
            self.away = False
        self._wake.clear()
        return True

    async def _save(self, partition: OwnedPartition) -> None:
        progress = partition.progress
        stored = await self._store.save(partition.number, progress, partition.window.ahead)
        if stored > progress:
            self._overtaken(partition, stored)
