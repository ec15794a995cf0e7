"""The worker's way to Redis, one server or a cluster: calls of many partitions share round trips to each server.

Nothing that may have been executed is repeated here; only the caller can find out whether it was. A call that a node
of a cluster refuses because the key has moved was not executed: it goes on to where the key is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from importlib import resources
from typing import Any

from schemas.errors import BugError, UnavailableError
from schemas.redis_access import Node, RedisAccess, another_kind
from streams.adapters.redis.errors import Argument, Call, MovedAwayError, UnknownScriptError, check_info
from streams.adapters.redis.line import RedisLine
from streams.adapters.redis.slots import SLOTS_COMMAND, SlotMap, read_slots

_MOVES_FOLLOWED = 3


class Script:
    """A Lua script of this package, called by its hash."""

    def __init__(self, name: str, *before: str) -> None:
        """`before` are files that stand in front of it, since a script can load no other."""
        lua = resources.files("streams.adapters.redis").joinpath("lua")
        self.text = b"\n".join(lua.joinpath(f"{part}.lua").read_bytes() for part in (*before, name))
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()

    def call(self, keys: Iterable[str], arguments: Iterable[Argument]) -> Call:
        """The command that runs it."""
        names = tuple(keys)
        return ("EVALSHA", self.sha, len(names), *names, *arguments)


class RedisConnection:
    """Asynchronous calls; a connection to each server, made anew after it broke."""

    def __init__(self, access: RedisAccess, *, timeout_ms: int = 5_000) -> None:
        """`timeout_ms` bounds the wait for a connection, and for each reply."""
        self.address = access.shown
        self._access = access
        self._is_cluster = access.is_cluster
        self._only = None if self._is_cluster else next(iter(access.nodes), None)
        self._timeout_ms = timeout_ms
        self._lines: dict[Node | None, RedisLine] = {}
        self._slots: SlotMap | None = None
        self._asking = asyncio.Lock()

    async def check(self) -> None:
        """Raises `InputError` when a server is too old, may evict keys, or is not what its address says it is.

        Raises `AccessError` when one does not let us in, `UnavailableError` when it is away.
        """
        for line in [self._line(node) for node in await self._masters()]:
            info = await line.call(("INFO",))
            check_info(info, line.address, is_cluster=self._is_cluster)

    async def call(self, *command: Argument, near: str | None = None) -> Any:
        """The reply to one command, of the server that holds the key `near`; by default the command's first argument.

        Raises `UnavailableError`: then it is not known whether it was executed.
        """
        key = str(command[1]) if near is None else near  # keys are text here: those that Redis listed have a `near`
        for _ in range(_MOVES_FOLLOWED):
            line = await self._line_to(key)
            try:
                return await line.call(command)
            except MovedAwayError:
                if not self._is_cluster:
                    raise another_kind(line.address, is_cluster=True) from None
                self._slots = None
            except UnavailableError:
                self._slots = None  # another node may hold the key by now
                raise
        raise UnavailableError(f"Redis Cluster at {self.address}: the slot of a key moves about")

    async def run(self, script: Script, keys: Iterable[str], arguments: Iterable[Argument]) -> Any:
        """The reply of a script, which Redis is taught when it does not know it (any more)."""
        names = tuple(keys)
        command = script.call(names, arguments)
        try:
            return await self.call(*command, near=names[0])
        except UnknownScriptError:
            return await self.call("EVAL", script.text, *command[2:], near=names[0])

    async def close(self) -> None:
        """Let go of the connections; calls under way end with an error."""
        for line in self._lines.values():
            await line.close()

    async def _line_to(self, key: str) -> RedisLine:
        if not self._is_cluster:
            return self._line(self._only)
        node = (await self._slot_map()).node_of(key)
        if node is None:
            self._slots = None
            raise UnavailableError(f"Redis Cluster at {self.address}: no node holds the slot of a key now")
        return self._line(node)

    async def _masters(self) -> tuple[Node | None, ...]:
        return (await self._slot_map()).masters if self._is_cluster else (self._only,)

    def _line(self, node: Node | None) -> RedisLine:
        line = self._lines.get(node)
        if line is None:
            line = self._lines[node] = RedisLine(self._access, node, self._timeout_ms)
        return line

    async def _slot_map(self) -> SlotMap:
        """What the first node that answers says; all calls that need it wait for one question."""
        async with self._asking:
            if self._slots is None:
                self._slots = await self._ask_for_slots()
                await self._close_lines_but(self._slots)
            return self._slots

    async def _ask_for_slots(self) -> SlotMap:
        """All are asked at once: one that hangs must not hold up what others could say."""
        nodes = dict.fromkeys([*(node for node in self._lines if node is not None), *self._access.nodes])
        asked = [asyncio.create_task(self._slots_by(node)) for node in nodes]
        reason: UnavailableError | None = None
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    return await answer
                except UnavailableError as error:
                    reason = error
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise UnavailableError(f"no node of Redis Cluster at {self.address} answers: {reason}") from reason

    async def _slots_by(self, node: Node) -> SlotMap:
        try:
            return read_slots(await self._line(node).call(SLOTS_COMMAND), node)
        except BugError:  # it does not know the command
            raise another_kind(str(node), is_cluster=False) from None

    async def _close_lines_but(self, slots: SlotMap) -> None:
        """Nodes come and go in the life of a cluster; lines to those that are gone would gather."""
        for node in self._lines.keys() - set(slots.masters) - set(self._access.nodes):
            await self._lines.pop(node).close()
