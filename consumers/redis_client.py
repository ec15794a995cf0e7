"""The consumers' way to Redis, one server or a cluster: each call concerns keys of one slot, so both serve alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

from redis import exceptions
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode

from consumers.settings import ConsumerSettings
from schemas.errors import SegueError, UnavailableError
from schemas.redis_access import RedisAccess, another_kind, passes, refusal

AnyRedis: TypeAlias = Redis | RedisCluster

_FORBIDDEN = (exceptions.AuthenticationError, exceptions.NoPermissionError)
_AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.AskError,
    exceptions.TryAgainError,
    exceptions.ClusterError,
    OSError,
)

_NO_CLUSTER = "Cluster mode is not enabled"
"""What the library says of a server that it was to take for a node of a cluster."""


@contextmanager
def redis_answers() -> Iterator[None]:
    """Raises `UnavailableError` where Redis is away, may not be written to, or is full.

    Raises `AccessError` where it does not let us in, or not do this.
    """
    try:
        yield
    except exceptions.CrossSlotTransactionError:
        raise  # a bug of ours, though the library takes it for trouble with the cluster
    except (exceptions.RedisError, exceptions.RedisClusterException, OSError) as error:
        found = _as_segue_error(error)
        if found is None:
            raise
        raise found from error


def _as_segue_error(error: Exception) -> SegueError | None:
    """What an error of the library means; None is a bug of ours."""
    told = error.__cause__ if isinstance(error, exceptions.RedisClusterException) else error
    forbidden = refusal("", str(error), forbidden=isinstance(told, _FORBIDDEN))
    if forbidden is not None:
        return forbidden
    if isinstance(error, exceptions.MovedError):  # the client of a cluster follows it
        return another_kind("", is_cluster=True)
    if _NO_CLUSTER in str(error):
        return another_kind("", is_cluster=False)
    if isinstance(error, (*_AWAY, exceptions.RedisClusterException)) or passes(str(error)):
        return UnavailableError(f"Redis does not answer: {error}")
    return None


@asynccontextmanager
async def connect_redis(settings: ConsumerSettings) -> AsyncIterator[AnyRedis]:
    """A client of a Redis that answers. Raises `UnavailableError` where it does not, `AccessError` as above."""
    async with open_redis(settings.redis, settings.consumer_redis_timeout_ms) as client:
        with redis_answers():
            await client.ping()
        yield client


@asynccontextmanager
async def open_redis(access: RedisAccess, timeout_ms: int) -> AsyncIterator[AnyRedis]:
    """A client that is not connected yet."""
    options = access.options(timeout_ms)
    client: AnyRedis
    if access.is_cluster:
        first, *others = access.nodes
        nodes = [ClusterNode(node.host, node.port) for node in others]
        client = RedisCluster.from_url(
            access.url_of(first), startup_nodes=nodes, require_full_coverage=False, **options
        )
    else:
        client = Redis.from_url(access.url_of(None), **options)
    try:
        yield client
    finally:
        await client.aclose()
