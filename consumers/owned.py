"""One assigned partition: its gate, its window, and the lanes that its deliveries wait in."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from consumers.gate import Gate
from consumers.sink import Delivery
from consumers.start import Start
from consumers.window import Progress, Window


@dataclass(slots=True, eq=False)
class OwnedPartition:
    """Everything that goes when the partition goes."""

    number: int
    gate: Gate
    window: Window
    ahead: frozenset[int]
    """Offsets that an earlier owner settled beyond its progress."""
    stopped: str | None = None
    """Why nothing more is read."""
    paused: bool = False
    """Whether reading waits until the window has room."""
    overtaken: bool = False
    """Whether another consumer has gone further, so that this one's progress counts no more."""
    closing: bool = False
    """Whether no further attempt may begin."""
    lanes: dict[str, deque[Delivery]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    attempting: set[asyncio.Task[None]] = field(default_factory=set)
    """Of `tasks`, those whose attempt is under way."""

    @classmethod
    def begin(cls, number: int, start: Start, *, accept_gap: bool) -> OwnedPartition:
        """A partition that goes on from `start`."""
        gate = Gate(start.progress.epoch, start.progress.seq, accept_gap)
        return cls(number, gate, Window(start.progress), start.ahead)

    @property
    def progress(self) -> Progress:
        """How far it is settled without a hole."""
        return self.window.progress

    def end_waiting(self) -> None:
        """Let no further attempt begin."""
        self.closing = True
        for task in self.tasks - self.attempting:
            task.cancel()
