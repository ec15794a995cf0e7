"""Worlds for the engine's tests: each that takes `worlds` runs in memory, on a real Redis and on a real cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from streams.cli import segue
from tests.engine.world import StoreOpener, world_in_memory, world_on_redis
from tests.support.run_directory import free_port

Run: TypeAlias = Callable[..., Result]


@pytest.fixture(params=["memory", "redis", "cluster"])
def worlds(request: pytest.FixtureRequest) -> StoreOpener:
    """Opens worlds that share one store's contents where that is Redis, and are apart in memory."""
    if request.param == "memory":
        return world_in_memory
    url: str = request.getfixturevalue("cluster_url" if request.param == "cluster" else "redis_url")
    namespace: str = request.getfixturevalue("namespace")
    return lambda: world_on_redis(url, namespace)


@pytest.fixture
def run(redis_url: str, namespace: str) -> Run:
    """Runs `segue ARGUMENTS` in the test's namespace, with no Kafka unless one is given."""
    environment = {
        "SEGUE_REDIS_URL": redis_url,
        "SEGUE_NAMESPACE": namespace,
        "SEGUE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "COLUMNS": "200",
    }

    def run(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(segue, arguments, env=environment | variables)

    return run
