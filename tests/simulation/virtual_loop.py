"""An event loop whose time is a number, and processes that may die or hang at any await.

Nothing waits here: where nothing is ready to run, time jumps to the next thing that is due. A *process* is a set of
tasks that share a fate. A dead one's callbacks are never run again, so that not even its `finally` blocks speak, as
after `kill -9`; those of a paused one are kept until it wakes up, as after SIGSTOP.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_PROCESS: ContextVar[SimProcess | None] = ContextVar("process", default=None)


class StuckError(Exception):
    """Nothing is left that could ever happen."""


class SimProcess:
    """A process of the simulation."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.dead = False
        self.paused = False
        self.steps = 0
        """How often one of its tasks has run on from an await."""
        self.dies_at_step: int | None = None
        self.on_death: Callable[[], None] = lambda: None
        self._loop = loop
        self._kept: list[tuple[Callable[..., object], tuple[Any, ...], Context]] = []
        self._context = copy_context()
        self._context.run(_PROCESS.set, self)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work`; the tasks that it makes belong to the process too."""
        return self._loop.create_task(work, context=self._context)

    def kill(self) -> None:
        """End it without another word."""
        if not self.dead:
            self.dead = True
            self._kept.clear()
            self.on_death()

    def pause(self) -> None:
        """Let it hang."""
        self.paused = True

    def resume(self) -> None:
        """Let it go on with all that came in meanwhile."""
        self.paused = False
        kept, self._kept = self._kept, []
        for callback, arguments, context in kept:
            self._loop.call_soon(callback, *arguments, context=context)

    def step(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Run a callback of the process as its state allows."""
        if self.dead:
            return
        if self.paused:
            self._kept.append((callback, arguments, copy_context()))
            return
        self.steps += 1
        if self.steps == self.dies_at_step:
            self.kill()
            return
        callback(*arguments)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop of one run."""

    def __init__(self) -> None:
        self._now = 0.0
        self.unexpected: list[str] = []
        """What the loop was told of that no task heard."""
        self._tasks: list[asyncio.Task[Any]] = []
        super().__init__(_NeverWaiting(self))
        self._clock_resolution = 1e-6  # of a clock that may stand at a billion: else what is due is never quite due
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]  # its type takes no generic function
        self.set_exception_handler(self._note_unexpected)

    def time(self) -> float:
        """Virtual seconds since the run began."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def process(self, name: str) -> SimProcess:
        """A new process, not started yet."""
        return SimProcess(name, self)

    def later(self, delay_s: float, callback: Callable[[], object]) -> None:
        """Do something outside of every process: what is on the wire does not die with its sender."""
        self.call_later(delay_s, callback, context=Context())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end, then let go of all tasks that are left."""
        try:
            return self.run_until_complete(work)
        finally:
            for task in self._tasks:
                if not task.done():
                    with suppress(RuntimeError):  # a `finally` that waits, in a process that is no more
                        task.get_coro().close()
            self.close()

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's, but for the process to which the callback belongs."""
        return super().call_soon(*_guarded(callback, args, context), context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's, but for the process to which the callback belongs."""
        return super().call_at(when, *_guarded(callback, args, context), context=context)

    def _make_task(
        self, _loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], context: Context | None = None
    ) -> asyncio.Task[T]:
        task = asyncio.Task(work, loop=self, context=context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # a dead process leaves tasks behind
        self._tasks.append(task)
        return task

    def _note_unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.unexpected.append(f"{context['message']}: {context.get('exception')!r}")


class _NeverWaiting(selectors.SelectSelector):
    """Lets virtual time pass where the loop would wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("no task can ever go on")
        self._loop.advance(max(0.0, timeout))
        return []


def _guarded(
    callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
) -> tuple[Callable[..., object], Any, Any] | tuple[Any, ...]:
    process = _PROCESS.get() if context is None else context.get(_PROCESS)
    if process is None:
        return (callback, *args)
    return process.step, callback, args
