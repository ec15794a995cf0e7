"""Worlds for the engine's tests: each that takes `worlds` runs in memory, on a real Redis and on a real cluster."""

from __future__ import annotations

import pytest

from tests.engine.world import StoreOpener, world_in_memory, world_on_redis


@pytest.fixture(params=["memory", "redis", "cluster"])
def worlds(request: pytest.FixtureRequest) -> StoreOpener:
    """Opens worlds that share one store's contents where that is Redis, and are apart in memory."""
    if request.param == "memory":
        return world_in_memory
    url: str = request.getfixturevalue("cluster_url" if request.param == "cluster" else "redis_url")
    namespace: str = request.getfixturevalue("namespace")
    return lambda: world_on_redis(url, namespace)
