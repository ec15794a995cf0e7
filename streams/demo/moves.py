"""A transition as the demo shows it."""

from __future__ import annotations

from typing import NamedTuple

from schemas.transitions import Transition


class Moved(NamedTuple):
    """A transition, and how long after its cause it was read from Kafka."""

    transition: Transition
    latency_ms: int
