"""No definition and no contact holds the others of a partition up: what one record costs at most, in time of the CPU.

Each case once took seconds, or is the largest of its kind that still does not take long.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.engine.stories import MINUTE, LogWriter, definitions_value, story
from tests.engine.world import FENCE, drained, world_in_memory

_MOST_S = 0.1
_KEPT = 1_000
"""Entries that a window keeps at most."""


def _after_login(condition: dict[str, Any]) -> dict[str, Any]:
    return {"when": {"all": [{"performed": {"event": "login"}}, condition]}}


def _bought(days: int) -> dict[str, Any]:
    return {"event": "buy", "property": "amount", "within": f"{days}d", "full": 100_000, "scale": "log"}


_ABOVE = {"score": {"name": "s", "gte": 0.5}}


def _sequence(days: int) -> dict[str, Any]:
    return {"when": {"sequence": {"steps": [{"event": "buy"}] * 20, "within": "1m", "in_last": f"{days}d"}}}


def _tagged(number: int) -> dict[str, Any]:
    options = [f"{number}-{option}" for option in range(_KEPT)]
    return {"when": {"performed": {"event": "login", "where": [{"property": "tags", "in": options}]}}}


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # The search for `valid_until` stopped at each of 4,000 edges, and added up what was left.
    "a mix of sums": (
        {"a": _after_login(_ABOVE)},
        {"s": {"mix": [{"weight": 9, "monetary": _bought(days)} for days in range(30, 34)]}},
    ),
    "points that expire": (
        {"a": _after_login(_ABOVE)},
        {"s": {"points": [{"event": "buy", "points": 1, "expires_after": f"{30 + number}d"} for number in range(20)]}},
    ),
    "points that expire beside others that decay, in 60 segments": (
        {f"s{number}": _after_login({"score": {"name": "s", "gte": number + 0.5}}) for number in range(60)},
        {
            "s": {
                "half_life": "7d",
                "points": [{"event": "buy", "points": 1, "expires_after": "30d"}, {"event": "buy", "points": -1}],
            }
        },
    ),
    # Each of 1,000 ends was looked at, though what leads up to one rules out many before it.
    "sequences of 20 steps": ({f"s{number}": _sequence(30 + number) for number in range(30)}, {}),
    # Each of 1,000 values was compared with each of 1,000 options.
    "lists of options": ({f"s{number}": _tagged(number) for number in range(20)}, {}),
    "300 segments in a chain": (
        {"s0": {"when": {"performed": {"event": "login", "within": "30d"}}}}
        | {f"s{number}": {"when": {"in_segment": f"s{number - 1}"}} for number in range(1, 300)},
        {},
    ),
    "500 windows over one event": (
        {
            f"s{number}": _after_login({"performed": {"event": "buy", "within": f"{number + 1}h", "at_least": 2}})
            for number in range(500)
        },
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
@story
async def test_one_record_of_a_full_contact_takes_little_time(case: str) -> None:
    segments, scores = CASES[case]
    log = LogWriter(definitions=definitions_value({"version": 1, "segments": segments, "scores": scores}))
    for number in range(_KEPT):
        log.track("buy", "c1", after_ms=MINUTE, properties={"amount": 1 + number % 7})
    log.track("login", "c1", after_ms=MINUTE, properties={"tags": [f"t{number}" for number in range(_KEPT)]})
    log.track("buy", "c1", after_ms=MINUTE, properties={"amount": 1})
    async with world_in_memory() as world:
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        await pipeline.apply(log.records[:-2])
        started_s = time.thread_time()
        await pipeline.apply(log.records[-2:])
        taken_s = time.thread_time() - started_s
        await drained(pipeline)
        await pipeline.close()
    assert taken_s < _MOST_S


@story
async def test_no_record_of_a_contact_with_very_many_events_takes_long() -> None:
    log = LogWriter()
    for number in range(20_000):
        log.track(("email_open", "cart_add", "purchase")[number % 3], "busy", after_ms=500)
    async with world_in_memory() as world:
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        longest_s = 0.0
        for record in log.records:
            started_s = time.thread_time()
            await pipeline.apply([record])
            longest_s = max(longest_s, time.thread_time() - started_s)
        await drained(pipeline)
        await pipeline.close()
    assert longest_s < _MOST_S
