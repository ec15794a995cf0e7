"""A place for workers, on the shared pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Kafka
from tests.live.workers import Place
from tests.support.processes import Commands


@pytest.fixture
def place(commands: Commands, kafka: Kafka, redis_url: str, namespace: str, tmp_path: Path) -> Place:
    """A namespace without topics yet."""
    return Place(commands, kafka.bootstrap_servers, redis_url, namespace, tmp_path)
