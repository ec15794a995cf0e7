"""Waiting for a condition instead of for an amount of time: the only place in the tests that pauses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_S = 0.02


def wait_until(condition: Callable[[], T], timeout_s: float, what: str = "the condition") -> T:
    """Return the first truthy value of `condition`; `AssertionError` naming `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s (last value: {value!r})"
        time.sleep(_PAUSE_S)


async def wait_until_async(
    condition: Callable[[], T | Awaitable[T]], timeout_s: float, what: str = "the condition"
) -> T:
    """`wait_until` on an event loop; `condition` may be a plain function or return an awaitable."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        value: T = await found if isinstance(found, Awaitable) else found
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s (last value: {value!r})"
        await asyncio.sleep(_PAUSE_S)
