"""Planning runs in the worlds of the engine."""

from __future__ import annotations

from tests.engine.conftest import worlds

__all__ = ["worlds"]
