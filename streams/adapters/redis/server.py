"""One server of Redis, for commands that work through all that it holds; its errors become ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from schemas.errors import InputError
from schemas.redis_access import RedisAccess
from streams.adapters.redis.connection import Script
from streams.adapters.redis.errors import Argument, as_segue_error

TIMEOUT_MS = 10_000


def server_client(access: RedisAccess, *, timeout_ms: int = TIMEOUT_MS, one_connection: bool = False) -> Any:
    """A client that retries nothing. With `one_connection` a connection that broke is told, never replaced.

    Raises `InputError` for a cluster, where what is asked for would have to be put together of many servers.
    """
    if access.is_cluster:
        raise InputError(
            f"Redis Cluster at {access.shown}: this command knows one server only, expected SEGUE_REDIS_URL to begin "
            "with redis://, rediss:// or unix://; of a cluster, its own tools back up each master"
        )
    node = next(iter(access.nodes), None)
    return redis.Redis.from_url(
        access.url_of(node),
        retry=Retry(NoBackoff(), 0),
        single_connection_client=one_connection,
        **access.options(timeout_ms),
    )


def run_script(client: Any, script: Script, keys: Iterable[str], arguments: Iterable[Argument]) -> Any:
    """The reply of a script, which Redis is taught when it does not know it."""
    command = script.call(keys, arguments)
    try:
        return client.execute_command(*command)
    except NoScriptError:
        return client.execute_command("EVAL", script.text, *command[2:])


@contextmanager
def errors_of(access: RedisAccess) -> Iterator[None]:
    """Raises what an error of the driver means for this Redis."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise as_segue_error(error, access.shown) from error
