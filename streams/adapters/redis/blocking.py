"""Redis for commands that run once, one server or a cluster: each question goes to the server that holds its key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from schemas.errors import BugError, UnavailableError
from schemas.redis_access import Node, RedisAccess, another_kind
from streams.adapters.redis.connection import Script
from streams.adapters.redis.errors import Argument, MovedAwayError, UnknownScriptError, as_segue_error
from streams.adapters.redis.slots import SLOTS_COMMAND, SlotMap, read_slots

_MOVES_FOLLOWED = 3
T = TypeVar("T")


class BlockingRedis:
    """Blocks for at most `timeout_ms` on each reply. Nothing that may have been executed is repeated."""

    def __init__(self, access: RedisAccess, timeout_ms: int) -> None:
        self.address = access.shown
        self._access = access
        self._options = access.options(timeout_ms)
        self._clients: dict[Node | None, Any] = {}  # the library types no call by name
        self._slots: SlotMap | None = None

    def ask(self, key: str, question: Callable[[Any], T]) -> T:
        """The answer of the server that holds `key`; where the key has moved, which changes nothing, it is asked again.

        Raises `UnavailableError` when Redis is away, `AccessError` when it does not let us.
        """
        for _ in range(_MOVES_FOLLOWED):
            node = self._node_of(key)
            try:
                return question(self._client(node))
            except (RedisError, OSError) as error:
                self._slots = None  # another node may hold the key by now
                reason = as_segue_error(error, self.address if node is None else str(node))
                if not isinstance(reason, MovedAwayError):
                    raise reason from error
                if not self._access.is_cluster:
                    raise another_kind(self.address, is_cluster=True) from None
        raise UnavailableError(f"Redis Cluster at {self.address}: the slot of a key moves about")

    def run(self, script: Script, keys: Sequence[str], arguments: Iterable[Argument]) -> Any:
        """The reply of a script, which Redis is taught when it does not know it."""
        command = script.call(keys, arguments)
        try:
            return self.ask(keys[0], lambda client: client.execute_command(*command))
        except UnknownScriptError:
            return self.ask(keys[0], lambda client: client.execute_command("EVAL", script.text, *command[2:]))

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()

    def _client(self, node: Node | None) -> Any:
        client = self._clients.get(node)
        if client is None:
            url = self._access.url_of(node)
            client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **self._options)
            self._clients[node] = client
        return client

    def _node_of(self, key: str) -> Node | None:
        if not self._access.is_cluster:
            return next(iter(self._access.nodes), None)
        if self._slots is None:
            self._slots = self._ask_for_slots()
        node = self._slots.node_of(key)
        if node is None:
            self._slots = None
            raise UnavailableError(f"Redis Cluster at {self.address}: no node holds the slot of a key now")
        return node

    def _ask_for_slots(self) -> SlotMap:
        reason: Exception | None = None
        for node in dict.fromkeys([*(node for node in self._clients if node is not None), *self._access.nodes]):
            try:
                return read_slots(self._client(node).execute_command(*SLOTS_COMMAND), node)
            except (RedisError, OSError) as error:
                reason = as_segue_error(error, str(node))
            if isinstance(reason, BugError):  # it does not know the command
                raise another_kind(str(node), is_cluster=False)
            if not isinstance(reason, UnavailableError):
                raise reason
        raise UnavailableError(f"no node of Redis Cluster at {self.address} answers: {reason}") from reason
