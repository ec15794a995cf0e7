"""What a contender is told when it is started. Standard library alone: it is imported in every environment."""

from __future__ import annotations

import os
from typing import NamedTuple


class Terms(NamedTuple):
    """Where a contender reads and writes."""

    servers: str
    """Kafka, HOST:PORT."""
    source: str
    """The topic of events, which is complete before the contender starts."""
    target: str
    """The topic of transitions, as many partitions."""
    group: str
    """The consumer group; nobody else uses it."""
    redis_url: str
    """An empty Redis of the contender's own."""
    directory: str
    """An empty directory of the contender's own, for state on disk."""
    garbage_thresholds: str
    """Of the garbage collector, with commas between, for a start that is frozen as Segue's worker's is; else empty."""

    def variables(self) -> dict[str, str]:
        """The environment variables that say all this."""
        return {f"BENCH_{name.upper()}": value for name, value in self._asdict().items()}


def terms() -> Terms:
    """What this process was told."""
    return Terms(*(os.environ[f"BENCH_{name.upper()}"] for name in Terms._fields))
