"""What stands between a call and the queue: readiness, each source's share, and records that nobody sends again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from schemas.metrics import Meters
from schemas.topics import Names
from streams.collector.calls.payloads import Accepted
from streams.collector.readiness import Readiness
from streams.collector.writing import WriteError, Writer
from streams.ports import Entry
from tests.collector.doubles import MemoryIntake, MemoryTopics

RECORD = Accepted("track", Entry("c1", b"{}"))


class _Parts:
    def __init__(self, link_wait_ms: int) -> None:
        self.intake = MemoryIntake()
        self.meters = Meters("collector")
        self.readiness = Readiness(MemoryTopics(), Names(""), 1_000)
        self.writer = Writer(self.intake, self.readiness, self.meters, source_records=10, link_wait_ms=link_wait_ms)

    def lost(self, route: str) -> float:
        value = self.meters.registry.get_sample_value("segue_collector_lost_total", {"route": route})
        assert value is not None
        return value


def _run(story: Callable[[_Parts], Coroutine[None, None, None]], link_wait_ms: int = 0) -> None:
    async def with_parts() -> None:
        parts = _Parts(link_wait_ms)
        await parts.readiness.look()
        await story(parts)

    asyncio.run(with_parts())


def test_one_source_leaves_room_to_the_others() -> None:
    async def story(parts: _Parts) -> None:
        parts.intake.gate = asyncio.Event()
        held = asyncio.create_task(parts.writer.write("website", [RECORD] * 9))
        await asyncio.sleep(0)
        with pytest.raises(WriteError) as refused:
            await parts.writer.write("website", [RECORD] * 2)
        assert refused.value.reason == "source_busy"
        other = asyncio.create_task(parts.writer.write("app", [RECORD] * 2))
        parts.intake.gate.set()
        await asyncio.gather(held, other)
        await parts.writer.write("website", [RECORD] * 10)
        assert len(parts.intake.entries) == 21

    _run(story)


def test_an_open_is_answered_before_a_slow_ack_and_still_written() -> None:
    async def story(parts: _Parts) -> None:
        parts.intake.gate = asyncio.Event()
        await parts.writer.write_unanswered("open", RECORD)
        assert parts.intake.entries == []
        parts.intake.gate.set()
        await parts.writer.settle()
        assert len(parts.intake.entries) == 1
        assert parts.lost("open") == 0

    _run(story)


def test_a_click_waits_for_a_quick_ack() -> None:
    async def story(parts: _Parts) -> None:
        await parts.writer.write_unanswered("click", RECORD)
        assert len(parts.intake.entries) == 1

    _run(story, link_wait_ms=10_000)


def test_a_click_that_is_lost_after_its_answer_is_counted() -> None:
    async def story(parts: _Parts) -> None:
        parts.intake.gate = asyncio.Event()
        parts.intake.away = True
        await parts.writer.write_unanswered("click", RECORD)
        assert parts.lost("click") == 0
        parts.intake.gate.set()
        await parts.writer.settle()
        assert parts.lost("click") == 1

    _run(story)
