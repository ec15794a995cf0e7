"""Why the process ends: asked to, or because of an error. The first reason stands."""

from __future__ import annotations

import asyncio
import logging

from schemas.errors import BugError, SegueError

log = logging.getLogger("segue.worker")


class Ending:
    """Set once, awaited by whoever runs the process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._reason: asyncio.Future[SegueError | None] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        """Somebody asked the process to end."""
        if not self._reason.done():
            self._reason.set_result(None)

    def fail(self, error: BaseException) -> None:
        """End because of `error`; one that is no `SegueError` is a bug, and is logged with where it arose."""
        if isinstance(error, SegueError):
            reason = error
        else:
            log.error("a bug stops the worker", exc_info=error)
            reason = BugError(f"{type(error).__name__}: {error}")
            reason.__cause__ = error
        if not self._reason.done():
            self._reason.set_result(reason)

    def watch(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """End the process if the task ends with an exception."""
        task.add_done_callback(self._on_done)
        return task

    async def reason(self) -> SegueError | None:
        """Wait for the end; None when it was asked for."""
        return await asyncio.shield(self._reason)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self.fail(error)
