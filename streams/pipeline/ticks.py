"""Ticks: when a timer is due and no record moves a partition's clock, its owner appends a record that does.

Time so stays an input like any other: the tick is read back in its place in the log and fires what is due. The
wall clock decides only *when* a tick is written, never what it does; a wrong one costs a tick, not a result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.metrics import Meters
from schemas.records import Tick, encode_record
from streams.ports import Clock, Message

TICK = encode_record(Tick(type="tick"))
_LOOK_MS = 10
_ASK_AGAIN_MS = 1_000


class Drift:
    """How far the broker's clock is ahead of ours: the largest `record timestamp - wall clock` lately seen.

    A record is stamped before it is seen, so every observation is too small by its way here; the largest is the
    best. Observations count for one to two half windows.
    """

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._half_ms = max(1, window_ms // 2)
        self._observed_at_ms: int | None = None
        self._half = -1
        self._current: int | None = None
        self._before: int | None = None

    def observe(self, timestamp_ms: int, now_ms: int) -> None:
        """A record with this timestamp has just arrived."""
        self._observed_at_ms = now_ms
        half, ahead = now_ms // self._half_ms, timestamp_ms - now_ms
        if half != self._half:
            # Nothing seen for long: what was known then is still the best guess there is.
            self._before = self._current if self._current is not None else self._before
            self._current, self._half = None, half
        self._current = ahead if self._current is None else max(self._current, ahead)

    @property
    def ahead_ms(self) -> int:
        """Add this to the wall clock to get the broker's; 0 before anything was seen."""
        known = [value for value in (self._current, self._before) if value is not None]
        return max(known, default=0)

    def is_unsure(self, now_ms: int) -> bool:
        """Whether nothing was seen for so long, or ever, that one of the clocks may have been set since."""
        return self._observed_at_ms is None or abs(now_ms - self._observed_at_ms) > self._window_ms


class TickTarget(Protocol):
    """A partition that is served, as far as ticks are concerned."""

    @property
    def partition(self) -> int:
        """Its number."""

    @property
    def earliest_due_ms(self) -> int | None:
        """When its next timer is due."""

    @property
    def next_offset(self) -> int:
        """The next record to fold."""

    @property
    def caught_up(self) -> bool:
        """Whether its log is read to the end."""


class TickAppender(Protocol):
    """Appends to the log; the producer of the ticks, and of nothing else."""

    async def append(self, message: Message) -> int:
        """Returns the offset. Raises `UnavailableError`."""


@dataclass(slots=True)
class _Appended:
    target: TickTarget
    at_ms: int
    offset: int | None = None  # None until the broker has it


class Ticker:
    """Appends ticks: one outstanding a partition, and no sooner than an interval after the one before.

    A worker that has seen no record of late cannot know what the broker's clock says. Where timers wait, it appends a
    tick to ask for that: else one whose clock is an hour behind would be an hour late on a quiet log.
    """

    def __init__(
        self,
        topic: str,
        targets: Callable[[], Sequence[TickTarget]],
        appender: TickAppender,
        clock: Clock,
        *,
        drift: Drift | None,
        interval_ms: int,
        meters: Meters,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """`drift` is None where ticks are stamped with our own wall clock (`create` topics).

        `on_failure` hears of an append that failed: its partition would get no tick any more.
        """
        self._topic = topic
        self._targets = targets
        self._appender = appender
        self._clock = clock
        self._drift = drift
        self._interval_ms = interval_ms
        self._ticks = meters.counter("segue_ticks_total")
        self._on_failure = on_failure
        self._last: dict[int, _Appended] = {}
        self._asked_at_ms: int | None = None
        self._appending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look for due timers until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_MS / 1000)

    def look(self) -> None:
        """Begin to append a tick to every partition that needs one now."""
        now_ms = self._clock.now_ms()
        for target in self._targets():
            if self._needs_tick(target, now_ms):
                appended = self._last[target.partition] = _Appended(target, now_ms)
                task = asyncio.create_task(self._append(appended))
                self._appending.add(task)
                task.add_done_callback(self._ended)

    def _needs_tick(self, target: TickTarget, now_ms: int) -> bool:
        if target.earliest_due_ms is None or not target.caught_up:
            return False
        last = self._last.get(target.partition)
        if last is not None and last.target is target:
            read_back = last.offset is not None and target.next_offset > last.offset
            # The wall clock may have been set back since.
            if not read_back or 0 <= now_ms - last.at_ms < self._interval_ms:
                return False
        ahead_ms = self._drift.ahead_ms if self._drift is not None else 0
        return now_ms + ahead_ms >= target.earliest_due_ms or self._asks(now_ms)

    def _asks(self, now_ms: int) -> bool:
        """Whether a tick is to ask what time the broker has; one partition's answer is good for all."""
        if self._drift is None or not self._drift.is_unsure(now_ms):
            return False
        if self._asked_at_ms is not None and 0 <= now_ms - self._asked_at_ms < _ASK_AGAIN_MS:
            return False
        self._asked_at_ms = now_ms
        return True

    async def _append(self, appended: _Appended) -> None:
        stamp_ms = appended.at_ms if self._drift is None else 0
        message = Message(self._topic, appended.target.partition, None, TICK, timestamp_ms=stamp_ms)
        appended.offset = await self._appender.append(message)
        self._ticks.inc()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._appending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)
