"""Blocking connections to Redis, for commands that run once; their errors become ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from streams.adapters.redis_connection import Argument, Script, address_of, as_segue_error

TIMEOUT_MS = 10_000


def blocking_client(url: str, *, timeout_ms: int = TIMEOUT_MS, one_connection: bool = False) -> Any:
    """A client that retries nothing. With `one_connection` a connection that broke is told, never replaced."""
    timeout_s = timeout_ms / 1000
    return redis.Redis.from_url(
        url,
        protocol=2,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=one_connection,
    )


def run_script(client: Any, script: Script, keys: Iterable[str], arguments: Iterable[Argument]) -> Any:
    """The reply of a script, which Redis is taught when it does not know it."""
    command = script.call(keys, arguments)
    try:
        return client.execute_command(*command)
    except NoScriptError:
        return client.execute_command("EVAL", script.text, *command[2:])


@contextmanager
def redis_at(url: str) -> Iterator[None]:
    """Raises what an error of the driver means for the Redis at `url`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise as_segue_error(error, address_of(url)) from error
