"""The worker's one connection to Redis: calls of many partitions share round trips, errors become ours.

While a round trip is under way further calls gather; the next one carries them all. Nothing is retried here:
a call whose reply was lost may have been executed, and only the caller can find out.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from schemas.errors import BugError, InputError, SegueError, UnavailableError

Argument: TypeAlias = str | bytes | int
Call: TypeAlias = tuple[Argument, ...]

_CALLS_PER_ROUND_TRIP = 64
OLDEST_VERSION = (6, 2)
_PASSES = re.compile(
    r"\b(OOM|MISCONF|READONLY|NOREPLICAS|BUSY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOSCRIPT)\b"
)
"""Words of Redis' refusals that end by themselves, or when an operator has helped."""


class Script:
    """A Lua script of this package, called by its hash."""

    def __init__(self, name: str) -> None:
        self.text = resources.files("streams.adapters").joinpath("lua", f"{name}.lua").read_bytes()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()

    def call(self, keys: Iterable[str], arguments: Iterable[Argument]) -> Call:
        """The command that runs it."""
        names = tuple(keys)
        return ("EVALSHA", self.sha, len(names), *names, *arguments)


class RedisConnection:
    """Asynchronous calls on one connection, which is made anew after it broke."""

    def __init__(self, url: str, *, timeout_ms: int = 5_000) -> None:
        """`timeout_ms` bounds the wait for a connection, and for each reply."""
        self.address = address_of(url)
        self._client = redis.asyncio.Redis.from_url(
            url,
            protocol=2,
            socket_timeout=timeout_ms / 1000,
            socket_connect_timeout=timeout_ms / 1000,
            retry=Retry(NoBackoff(), 0),
        )
        self._waiting: deque[tuple[Call, asyncio.Future[Any]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Raises `InputError` when Redis is too old or may evict keys, `UnavailableError` when it is away."""
        check_info(await self.call("INFO"), self.address)

    async def call(self, *command: Argument) -> Any:
        """The reply to one command. Raises `UnavailableError`: then it is not known whether it was executed."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return await future

    async def run(self, script: Script, keys: Iterable[str], arguments: Iterable[Argument]) -> Any:
        """The reply of a script, which Redis is taught when it does not know it (any more)."""
        command = script.call(keys, arguments)
        try:
            return await self.call(*command)
        except _UnknownScriptError:
            return await self.call("EVAL", script.text, *command[2:])

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


class _UnknownScriptError(UnavailableError):
    """Redis was restarted, or its scripts were flushed."""


def _refuse(future: asyncio.Future[Any], error: SegueError) -> None:
    if not future.done():
        future.set_exception(error)


def as_segue_error(error: Exception, address: str) -> SegueError:
    """What a driver's error means: away, refused, or a bug of ours."""
    if isinstance(error, NoScriptError):
        return _UnknownScriptError(f"Redis at {address} does not know our script")
    if isinstance(error, AuthenticationError | NoPermissionError):
        return InputError(f"Redis at {address} refuses us: {error}; check user and password in SEGUE_REDIS_URL")
    if isinstance(error, ResponseError) and not _PASSES.search(str(error)):
        return BugError(f"Redis at {address} does not understand: {error}")
    if isinstance(error, ConnectionError | TimeoutError | OSError | ResponseError):
        return UnavailableError(f"Redis at {address} is away: {error}")
    return BugError(f"Redis at {address}: {error}")


def address_of(url: str) -> str:
    """Host and port of a URL, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}" if parts.scheme != "unix" else parts.path


def check_info(info: Mapping[str, Any], address: str) -> None:
    """Raises `InputError` when a Redis with this INFO cannot hold the state."""
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < OLDEST_VERSION:
        raise InputError(f"Redis at {address} is version {info['redis_version']}: expected 6.2 or later")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise InputError(
            f"Redis at {address} has maxmemory-policy {policy}: expected noeviction, since evicted keys would be "
            "lost state; set it with `CONFIG SET maxmemory-policy noeviction` and in its configuration"
        )
