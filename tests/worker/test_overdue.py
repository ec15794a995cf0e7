"""How long a timer has been due shows as a metric, as long as somebody is to fire it by the wall clock."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.metrics import Meters
from streams.settings import WorkerSettings
from streams.worker import Worker

NOW_MS = 1_000_000


def shown(ticker: object, *, serving: bool = True, due_ms: int | None = NOW_MS - 2_500) -> float:
    """The gauge of a partition whose next timer is due at an instant."""

    async def story() -> float:
        lane = SimpleNamespace(serving=serving, earliest_due_ms=due_ms, lag=0)
        parts: Any = SimpleNamespace(
            settings=WorkerSettings(),
            meters=Meters("worker"),
            app=SimpleNamespace(consumer=None),
            lanes=SimpleNamespace(lanes={3: lane}),
            ticker=ticker,
        )
        worker = Worker(parts)
        worker._show_lanes(NOW_MS)
        value: float = parts.meters.gauge("segue_timer_overdue_seconds", "3")._value.get()
        parts.lanes.lanes.clear()
        worker._show_lanes(NOW_MS)
        assert parts.meters.registry.get_sample_value("segue_timer_overdue_seconds", {"partition": "3"}) is None
        return value

    return asyncio.run(story())


def test_a_timer_that_is_due_shows_for_how_long() -> None:
    assert shown(object()) == pytest.approx(2.5)


@pytest.mark.parametrize("due_ms", [None, NOW_MS, NOW_MS + 1])
def test_no_timer_that_is_due_shows_as_none(due_ms: int | None) -> None:
    assert shown(object(), due_ms=due_ms) == 0


def test_where_nobody_is_to_fire_it_nothing_is_overdue() -> None:
    assert shown(None) == 0
    assert shown(object(), serving=False) == 0
