"""A line to Redis, as `tests/engine/proxy.py` has it, served by a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.engine.proxy import LossyLine, lossy_line


class Line:
    """Between workers and a Redis, or between a Redis and its replica."""

    def __init__(self, port: int) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(port,), name="line", daemon=True)
        self._line: LossyLine
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._thread.start()
        self._ready.wait(10)
        self.url = self._line.url
        own_port = urlsplit(self.url).port
        assert own_port is not None
        self.port = own_port

    @property
    def lost(self) -> int:
        """Requests and replies that were lost on it."""
        return self._line.lost

    def cut(self) -> None:
        """Break all connections."""
        self._call(self._line.cut)

    def lose_replies(self, count: int = 1) -> None:
        """Swallow the next `count` replies, and break the connection each time."""
        self._call(lambda: self._line.lose_replies(count))

    def lose_requests(self, count: int = 1) -> None:
        """Let only half of the next `count` requests through, and break the connection each time."""
        self._call(lambda: self._line.lose_requests(count))

    def hold(self) -> None:
        """Let nothing through."""
        self._call(self._line.hold)

    def let_go(self) -> None:
        """Let everything through again."""
        self._call(self._line.let_go)

    def lead_to(self, port: int) -> None:
        """Break all connections; new ones lead there."""

        def turn() -> None:
            self._line.port = port
            self._line.cut()

        self._call(turn)

    def close(self) -> None:
        """Break all connections, take no more."""
        self._call(self._line.cut)
        self._call(self._end.set)
        self._thread.join(10)

    def _call(self, function: Callable[[], object]) -> None:
        done = threading.Event()

        def run() -> None:
            function()
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait(10)

    def _run(self, port: int) -> None:
        async def serve() -> None:
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            async with lossy_line(port) as self._line:
                self._ready.set()
                await self._end.wait()
                self._line.cut()

        asyncio.run(serve())
