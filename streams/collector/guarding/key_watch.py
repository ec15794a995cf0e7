"""Follows the topic of keys for as long as the collector runs."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Protocol

from schemas.errors import AccessError, InputError, UnavailableError
from streams.collector.guarding.kept_keys import KeptKeys, told_of
from streams.collector.guarding.keyring import Keyring
from streams.ports import Clock

_log = logging.getLogger(__name__)
_READ_MS = 250
_PATIENCE_MS = 1_000
"""For so long Kafka's own word is waited for, before a start from the copy: it may be long out of date."""


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

    @property
    def answered(self) -> bool:
        """Whether Kafka was there during the last call. Where it is not, that may show only some seconds later."""

    @property
    def position(self) -> int:
        """The offset up to which the topic was read."""

    def close(self) -> None:
        """Let go of the connection."""


class KeyWatch:
    """Keeps a keyring at what the topic says.

    `problem` is what keeps unknown keys from being told from those that are only not known yet, None when nothing
    does. Once the topic was read, it stays None while Kafka is away: what was known goes on to be taken. A watch that
    begins while Kafka is away begins with what was kept.
    """

    def __init__(
        self,
        feed: KeyFeed,
        keyring: Keyring,
        clock: Clock,
        kept: KeptKeys | None,
        *,
        interval_ms: int,
        needed: bool,
        patience_ms: int = _PATIENCE_MS,
    ) -> None:
        """`needed`: without the topic nobody has a key, so it must be there. `interval_ms` lies between two tries."""
        self._feed = feed
        self._keyring = keyring
        self._clock = clock
        self._kept = kept
        self._interval_s = interval_ms / 1000
        self._patience_s = patience_ms / 1000
        self._needed = needed
        self._ending = asyncio.Event()
        self._taking = threading.Lock()  # what Kafka says and what was kept come in by two threads
        self._answered = False
        self._away = False
        self._seen = False
        self._copy = ""
        self._offset = 0
        self._changed = False
        self._keeping: asyncio.Task[None] | None = None
        self.as_of_ms = 0
        """When Kafka was last asked for what is known, 0 where nothing is; milliseconds since the epoch."""
        self.problem: str | None = "the keys have not been read yet"

    @property
    def serves(self) -> bool:
        """Whether keys are taken: those of the topic, those that were kept, or, while Kafka is away, the others."""
        return self.problem is None or bool(self._copy) or (self._away and not self._needed)

    async def watch(self) -> None:
        """Follow until `end`; or ends with `AccessError` when Kafka does not let us in."""
        try:
            found = await self._first_look()
            while True:
                if found:
                    self._begin_to_keep()
                else:
                    await self._pause()
                if self._ending.is_set():
                    return
                found = await asyncio.to_thread(self.look)
        finally:
            await asyncio.to_thread(self._feed.close)
            if self._keeping is not None:
                await asyncio.wait([self._keeping])

    def end(self) -> None:
        """Let `watch` return within a moment."""
        self._ending.set()

    def look(self) -> bool:
        """Take in what has changed; blocks. False where there was nothing to follow, and a pause is due."""
        now_ms = self._clock.now_ms()
        try:
            changes = self._feed.read(_READ_MS)
        except AccessError:
            raise
        except (InputError, UnavailableError) as error:
            with self._taking:
                self._away = isinstance(error, UnavailableError)
                if not self._seen:
                    self._note(str(error))
            return False
        with self._taking:
            self._answered, self._away = True, False
            if changes is None:
                self._miss()
                return False
            self._take(changes, now_ms)
        return True

    def take_kept(self) -> None:
        """Begin with what was kept, unless Kafka has said something meanwhile; blocks."""
        copy = None if self._kept is None else self._kept.load()
        if copy is None:
            return
        with self._taking:
            if self._answered:
                return
            self._keyring.replace(copy.values)
            self._copy, self.as_of_ms = told_of(copy), copy.as_of_ms
            self._note(self.problem)

    async def _first_look(self) -> bool:
        looking = asyncio.create_task(asyncio.to_thread(self.look))
        await asyncio.wait([looking], timeout=self._patience_s)
        if not self._answered:
            await asyncio.to_thread(self.take_kept)
        return await looking

    def _take(self, changes: dict[bytes, bytes | None], now_ms: int) -> None:
        if self._feed.begun_anew:
            self._keyring.replace(changes)
        elif changes:
            self._keyring.put(changes)
        if self._feed.answered or changes:
            self.as_of_ms = now_ms
        self._changed |= self._feed.begun_anew or bool(changes)
        self._offset = self._feed.position
        self._seen, self._copy = True, ""
        self._note(None)

    def _miss(self) -> None:
        """There is no such topic. What this process has read of it stays; what an earlier one had read does not."""
        if self._seen:
            return
        if self._copy:
            self._copy, self.as_of_ms = "", 0
            self._keyring.replace({})
        missing = "no topic of keys: create it with `segue topics create`, or set SEGUE_WRITE_KEYS"
        self._note(missing if self._needed else None)

    def _begin_to_keep(self) -> None:
        """Keep what is known beside the following, which must not stand still with a disk that hangs."""
        if self._kept is None or (self._keeping is not None and not self._keeping.done()):
            return
        if self._keeping is not None:
            self._keeping.result()  # a bug comes out here
            self._keeping = None
        if self._kept.is_due(changed=self._changed):
            self._keeping = asyncio.create_task(asyncio.to_thread(self._keep, self._kept))

    def _keep(self, kept: KeptKeys) -> None:
        with self._taking:
            values, offset, as_of_ms = dict(self._keyring.values), self._offset, self.as_of_ms
            self._changed = False
        kept.keep(values, offset, as_of_ms)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._ending.wait()
        except TimeoutError:
            return

    def _note(self, problem: str | None) -> None:
        if problem is not None and self._copy:
            problem = f"{self._copy}, by the copy in the spool's directory, until Kafka tells: {problem}"
        if problem != self.problem:
            self.problem = problem
            if problem is None:
                _log.info("keys are known")
            else:
                _log.warning("keys are %s: %s", "taken from before" if self._copy else "not known", problem)
