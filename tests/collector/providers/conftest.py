"""A collector with hooks for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.collector.doubles import Door
from tests.collector.providers.hooks import open_hooks


@pytest.fixture
def door() -> Iterator[Door]:
    """A collector with a hook of each provider."""
    with open_hooks() as opened:
        yield opened
