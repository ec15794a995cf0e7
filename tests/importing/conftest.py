"""A place for a worker, as the live tests have it."""

from __future__ import annotations

from tests.live.conftest import place

__all__ = ["place"]
