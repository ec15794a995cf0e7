"""A line to one server of Redis: calls that come while a round trip is under way share the next one.

Nothing is retried here: a call whose reply was lost may have been executed, and only the caller can find out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from schemas.errors import BugError, SegueError, UnavailableError
from schemas.redis_access import Node, RedisAccess
from streams.adapters.redis.errors import Call, as_segue_error

_CALLS_PER_ROUND_TRIP = 64


class RedisLine:
    """Asynchronous calls on one connection, which is made anew after it broke."""

    def __init__(self, access: RedisAccess, node: Node | None, timeout_ms: int) -> None:
        """`node` is None for a server behind a socket."""
        self.address = access.shown if node is None else str(node)
        self._client = redis.asyncio.Redis.from_url(
            access.url_of(node), retry=Retry(NoBackoff(), 0), **access.options(timeout_ms)
        )
        self._waiting: deque[tuple[Call, asyncio.Future[Any]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def call(self, command: Call) -> Any:
        """The reply to one command. Raises `UnavailableError`: then it is not known whether it was executed."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return await future

    async def close(self) -> None:
        """Let go of the connection; calls under way end with an error."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])
        for _, future in self._waiting:
            _refuse(future, UnavailableError(f"the connection to Redis at {self.address} was closed"))
        self._waiting.clear()
        await self._client.aclose()

    async def _send(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), _CALLS_PER_ROUND_TRIP))]
            try:
                await self._round_trip(taken)
            except Exception as error:
                for _, future in taken:
                    _refuse(future, BugError(f"a round trip to Redis at {self.address} broke off: {error!r}"))
                raise
            finally:  # cancelled: by then nobody else would answer
                for _, future in taken:
                    _refuse(future, UnavailableError(f"the connection to Redis at {self.address} was closed"))

    async def _round_trip(self, taken: list[tuple[Call, asyncio.Future[Any]]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for command, _ in taken:
            pipeline.execute_command(*command)
        try:
            replies = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            replies = [error] * len(taken)
        if any(isinstance(reply, Exception) and "READONLY" in str(reply) for reply in replies):
            # A former master that became a replica would answer so for ever: the name may lead elsewhere by now.
            await self._client.connection_pool.disconnect()
        for (_, future), reply in zip(taken, replies, strict=True):
            if isinstance(reply, Exception):
                _refuse(future, as_segue_error(reply, self.address))
            elif not future.done():
                future.set_result(reply)


def _refuse(future: asyncio.Future[Any], error: SegueError) -> None:
    if not future.done():
        future.set_exception(error)
