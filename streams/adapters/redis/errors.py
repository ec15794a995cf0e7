"""What a refusal of Redis, or of its driver, means to us: away, moved, not allowed, not fit, or a bug of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterDownError,
    ConnectionError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from schemas.errors import BugError, InputError, SegueError, UnavailableError
from schemas.redis_access import another_kind, passes, refusal

Argument: TypeAlias = str | bytes | int
Call: TypeAlias = tuple[Argument, ...]

OLDEST_VERSION = (6, 2)


class UnknownScriptError(UnavailableError):
    """Redis was restarted, or its scripts were flushed."""


class MovedAwayError(UnavailableError):
    """The key lies on another node of the cluster by now. Nothing was executed."""


def as_segue_error(error: Exception, address: str) -> SegueError:
    """What a driver's error means."""
    text = str(error)
    if isinstance(error, NoScriptError):
        return UnknownScriptError(f"Redis at {address} does not know our script")
    forbidden = refusal(address, text, forbidden=isinstance(error, AuthenticationError | NoPermissionError))
    if forbidden is not None:
        return forbidden
    if isinstance(error, MovedError):
        return MovedAwayError(f"slot {error.slot_id} of Redis Cluster moved from {address} to {error.node_addr}")
    if isinstance(error, AskError | TryAgainError | ClusterDownError):
        return UnavailableError(f"Redis Cluster at {address} moves or misses slots: {text}")
    return _away(error, text, address) or BugError(f"Redis at {address} does not understand: {text}")


def _away(error: Exception, text: str, address: str) -> UnavailableError | None:
    """Where it passes by itself, or by what an operator does to Redis."""
    if isinstance(error, OutOfMemoryError) or "-OOM " in text:  # of a script, the code stands in the text alone
        return UnavailableError(f"Redis at {address} has no memory left (OOM), so raise its maxmemory: {text}")
    away = isinstance(error, ConnectionError | TimeoutError | ReadOnlyError | OSError)
    if away or (isinstance(error, ResponseError) and passes(text)):
        return UnavailableError(f"Redis at {address} is away: {text}")
    return None


def check_info(info: Mapping[str, Any], address: str, *, is_cluster: bool) -> None:
    """Raises `InputError` when a Redis with this INFO cannot hold the state, or is not what its address says."""
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < OLDEST_VERSION:
        raise InputError(f"Redis at {address} is version {info['redis_version']}: expected 6.2 or later")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise InputError(
            f"Redis at {address} has maxmemory-policy {policy}: expected noeviction, since evicted keys would be "
            "lost state; set it with `CONFIG SET maxmemory-policy noeviction` and in its configuration"
        )
    found_cluster = info.get("redis_mode") == "cluster"
    if is_cluster != found_cluster:
        raise another_kind(address, is_cluster=found_cluster)
