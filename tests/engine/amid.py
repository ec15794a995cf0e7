"""A change of definitions in whose midst something happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import UnavailableError
from streams.adapters.memory import MemoryStateStore
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import Fence, RawRecord
from tests.engine.stories import (
    EVER,
    OFTEN,
    LogWriter,
    definitions_value,
    edited,
)
from tests.engine.world import StoreOpener, World

STEPWISE = PipelineBounds(transitions_per_commit_max=1)
OTHERS = edited(active=OFTEN, ever=EVER, hot=None)


def small_log() -> tuple[list[RawRecord], int]:
    """Some contacts, then other definitions that differ about six of them, then a little more; and where they come."""
    writer = LogWriter()
    for number in range(8):
        for _ in range(2 if number < 5 else 1):
            writer.track("email_open", f"contact-{number}", 1)
    for name in ("contact-5", "contact-0"):
        writer.track("cart_add", name, 1)
    for _ in range(2):
        writer.track("email_open", "contact-8", 1)
    writer.tick(10 * 60_000)  # who has left must be known to have been there
    for number in range(5):
        for _ in range(2):
            writer.track("email_open", f"contact-{number}", 1)
    at = len(writer.records)
    writer.append(None, definitions_value(OTHERS, number=2), 1)
    writer.track("email_open", "contact-0", 1)
    writer.tick(10 * 60_000)
    return writer.records, at


class Amid:
    """Passes calls on to a port, and does something else in front of one of them."""

    def __init__(self, real: Any, call: str, number: int, interruption: Callable[[], Awaitable[None]]) -> None:
        self._real = real
        self._call = call
        self._left = number
        self._interruption = interruption

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name != self._call:
            return real

        async def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                await self._interruption()
            return await real(*arguments, **named)

        return call


def amid(world: World, call: str, interruption: Callable[[], Awaitable[None]], number: int = 1) -> World:
    """The world as a process sees it to which something happens in front of a call of its change."""
    if call in ("begin", "load"):
        return replace(world, builds=Amid(world.builds, call, number, interruption))
    if call == "build commit":
        return replace(world, builds=Amid(world.builds, "commit", number, interruption))
    if call == "commit":
        return replace(world, store=Amid(world.store, call, number, interruption))
    return replace(world, generations=Amid(world.generations, call, number, interruption))


@asynccontextmanager
async def beside(world: World, worlds: StoreOpener) -> AsyncIterator[World]:
    """The same world as another process sees it."""
    if isinstance(world.store, MemoryStateStore):
        yield world
        return
    async with worlds() as other:
        yield replace(other, logs=world.logs, history=world.history, bounds=world.bounds)


async def fail() -> None:
    raise UnavailableError("cut short")


def values(world: World) -> list[bytes | None]:
    return [message.value for message in world.published()]


async def is_cut_short(world: World, records: Sequence[RawRecord], call: str, number: int) -> None:
    """Fold all in a process that meets an error in front of a call."""
    process = amid(world, call, fail, number)
    pipeline = process.pipeline()
    await pipeline.load(Fence(1, "member-1"))
    with pytest.raises(UnavailableError):
        await pipeline.apply(records)
    await pipeline.close()
