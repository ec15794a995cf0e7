"""Worlds for the engine's tests: every test that takes `worlds` runs in memory and on a real Redis."""

from __future__ import annotations

import pytest

from tests.engine.world import StoreOpener, world_in_memory, world_on_redis


@pytest.fixture(params=["memory", "redis"])
def worlds(request: pytest.FixtureRequest) -> StoreOpener:
    """Opens worlds that share one store's contents where it is Redis, and are apart in memory."""
    if request.param == "memory":
        return world_in_memory
    url: str = request.getfixturevalue("redis_url")
    namespace: str = request.getfixturevalue("namespace")
    return lambda: world_on_redis(url, namespace)
