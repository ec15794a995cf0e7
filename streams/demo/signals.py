"""Signals that end the demo: the first in order, the second at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Self

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Cancels the task that entered it at the first signal; calls `at_once` at every further one."""

    def __init__(self, at_once: Callable[[], None]) -> None:
        self._at_once = at_once
        self._task: asyncio.Task[object] | None = None
        self.number: signal.Signals | None = None
        """The first signal; None while there was none."""
        self.hurried = False
        """A second one came."""

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        for number in _ENDING:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in _ENDING:
            asyncio.get_running_loop().remove_signal_handler(number)

    def answered(self) -> bool:
        """To be asked after a cancellation: whether a signal was its reason; the task may then go on."""
        if self.number is None or self._task is None:
            return False
        self._task.uncancel()
        return True

    def _on_signal(self, number: signal.Signals) -> None:
        if self.number is not None:
            self.hurried = True
            self._at_once()
            return
        self.number = number
        assert self._task is not None
        self._task.cancel()
