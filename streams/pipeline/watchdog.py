"""Ends a process that is behind and does not move: consumers can stall without a word, and a restart mends that.

Progress is what is committed, and nothing else: batches that are dropped and fences that are refused are none.
Runs in a thread of its own, so that an event loop that hangs is noticed too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

log = logging.getLogger("segue.worker")

_LOOK_S = 1.0


class Sign(NamedTuple):
    """A sign of life of one part of the process, such as a partition."""

    behind: bool  # there is something to do
    progress: Hashable  # differs from the sign before when something was done


class StallDetector:
    """Says which part was behind without progress for too long. Pure: time is an argument."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._looked_at: float | None = None
        self._still_since: dict[str, tuple[Hashable, float]] = {}

    def look(self, now_s: float, signs: Mapping[str, Sign]) -> str | None:
        """The name of a stalled part, if any. A long pause of the process itself (a stopped machine) is no stall."""
        if self._looked_at is None or now_s - self._looked_at > self._timeout_s / 4:
            self._still_since.clear()
        self._looked_at = now_s
        for gone in self._still_since.keys() - signs.keys():
            del self._still_since[gone]
        for name, sign in signs.items():
            progress, since = self._still_since.get(name, (None, now_s))
            if not sign.behind or name not in self._still_since or progress != sign.progress:
                self._still_since[name] = (sign.progress, now_s)
            elif now_s - since > self._timeout_s:
                return name
        return None


class Watchdog:
    """Looks once a second."""

    def __init__(
        self, timeout_ms: int, signs: Callable[[], Mapping[str, Sign]], on_stall: Callable[[str], None]
    ) -> None:
        """`signs` and `on_stall` are called on the watchdog's thread; `on_stall` at most once."""
        self._timeout_s = timeout_ms / 1000
        self._signs = signs
        self._on_stall = on_stall
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="segue-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _watch(self) -> None:
        detector = StallDetector(self._timeout_s)
        while not self._stopped.wait(min(_LOOK_S, self._timeout_s / 8)):
            stalled = detector.look(time.monotonic(), self._signs())
            if stalled is not None:
                log.error("%s is behind and has made no progress for %.0f s", stalled, self._timeout_s)
                self._on_stall(stalled)
                return
