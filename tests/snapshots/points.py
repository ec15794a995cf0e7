"""Points of a partition's state, and what surrounds them, for tests to vary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streams.adapters.redis.keys import STATE_FORMAT
from streams.pipeline.relay import Published
from streams.ports import Cursor, Fence, LogBounds, LogIdentity
from streams.snapshots.manifest import StatePoint
from streams.snapshots.plan import Surroundings

LOG = LogIdentity("cluster-1", "topic-1", 2)


def point(partition: int = 0, offset: int = 100, **other: Any) -> StatePoint:
    """A state at `offset`."""
    usual = StatePoint(
        partition=partition,
        generation=1,
        state_format=STATE_FORMAT,
        log=LOG,
        cursor=Cursor(offset, 0),
        index=0,
        clock_ms=1_000,
        seq=10,
        epoch=1,
        definitions="{}",
        definitions_number=1,
        fence=Fence(3, "member-1"),
    )
    return replace(usual, **other)


def around(**other: Any) -> Surroundings:
    """What a state at offset 100 fits to."""
    usual = Surroundings(
        log=LOG,
        bounds=LogBounds(0, 200),
        published=Published(1, 15, (150, 0), "t15"),
        first_waiting_seq=None,
        serving=point(offset=80),
    )
    return replace(usual, **other)
