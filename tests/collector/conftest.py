"""A collector for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.collector.doubles import Door, open_door


@pytest.fixture
def door() -> Iterator[Door]:
    """A collector that is ready, on ports in memory."""
    with open_door() as opened:
        yield opened
