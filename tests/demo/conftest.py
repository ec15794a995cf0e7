"""The embedded pair, for tests of what the demo relies on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from streams.demo.servers import start_kafka, start_redis
from streams.demo.supervision import Supervisor


@dataclass(frozen=True, slots=True)
class EmbeddedPair:
    """A started embedded broker and a started embedded Redis."""

    bootstrap_servers: str
    redis_url: str


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedPair]:
    """An embedded broker with the topic `tracking`, and an embedded Redis, for one test module."""
    supervisor = Supervisor()
    with asyncio.Runner() as runner:
        try:
            url = runner.run(start_redis(supervisor))
            yield EmbeddedPair(runner.run(start_kafka(supervisor, "tracking")), url)
        finally:
            runner.run(supervisor.close())
