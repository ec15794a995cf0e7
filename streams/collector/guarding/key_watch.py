"""Follows the topic of keys for as long as the collector runs."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from schemas.errors import AccessError, InputError, UnavailableError
from streams.collector.guarding.keyring import Keyring

_log = logging.getLogger(__name__)
_READ_MS = 250


class KeyFeed(Protocol):
    """The topic of keys, read as it grows. Calls block, and raise `UnavailableError` when Kafka is away."""

    def read(self, timeout_ms: int) -> dict[bytes, bytes | None] | None:
        """What changed since the last call, once something did; empty when nothing did in `timeout_ms`.

        The first call, and the first after the topic was made anew, gives all that the topic holds. None where there
        is no such topic.
        """

    @property
    def begun_anew(self) -> bool:
        """Whether the last call gave all that the topic holds."""

    def close(self) -> None:
        """Let go of the connection."""


class KeyWatch:
    """Keeps a keyring at what the topic says.

    `problem` is what keeps unknown keys from being told from those that are only not known yet, None when nothing
    does. Once the topic was read, it stays None while Kafka is away: what was known goes on to be taken.
    """

    def __init__(self, feed: KeyFeed, keyring: Keyring, interval_ms: int, *, needed: bool) -> None:
        """`needed`: without the topic nobody has a key, so it must be there. `interval_ms` lies between two tries."""
        self._feed = feed
        self._keyring = keyring
        self._interval_s = interval_ms / 1000
        self._needed = needed
        self._ending = asyncio.Event()
        self._seen = False
        self.problem: str | None = "the keys have not been read yet"

    async def watch(self) -> None:
        """Follow until `end`; or ends with `AccessError` when Kafka does not let us in."""
        try:
            while not self._ending.is_set():
                if not await asyncio.to_thread(self.look):
                    await self._pause()
        finally:
            await asyncio.to_thread(self._feed.close)

    def end(self) -> None:
        """Let `watch` return within a moment."""
        self._ending.set()

    def look(self) -> bool:
        """Take in what has changed; blocks. False where there was nothing to follow, and a pause is due."""
        try:
            changes = self._feed.read(_READ_MS)
        except AccessError:
            raise
        except (InputError, UnavailableError) as error:
            if not self._seen:
                self._note(str(error))
            return False
        if changes is None:
            if not self._seen:
                missing = "no topic of keys: create it with `segue topics create`, or set SEGUE_WRITE_KEYS"
                self._note(missing if self._needed else None)
            return False
        if self._feed.begun_anew:
            self._keyring.clear()
        if changes:
            self._keyring.put(changes)
        self._seen = True
        self._note(None)
        return True

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._ending.wait()
        except TimeoutError:
            return

    def _note(self, problem: str | None) -> None:
        if problem != self.problem:
            self.problem = problem
            if problem is None:
                _log.info("keys are known")
            else:
                _log.warning("keys are not known: %s", problem)
