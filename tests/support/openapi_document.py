"""Writes `schemas/generated/openapi.json` from the collector's ways in: `python -m tests.support.openapi_document`."""

from __future__ import annotations

from pydantic import SecretStr

from schemas.documents import GENERATED, OPENAPI, render
from schemas.metrics import Meters
from streams.collector.app import create_app
from streams.collector.front_door import Way
from streams.collector.http.openapi import openapi
from streams.collector.settings import CollectorSettings
from tests.collector.doubles import MemoryFetcher, MemoryIntake, MemoryTopics, StillClock

DOCUMENT = GENERATED / OPENAPI


def ways() -> list[Way]:
    """Every way into a collector."""
    settings = CollectorSettings(write_keys={"website": SecretStr("a-write-key")})
    meters, fetcher = Meters("collector"), MemoryFetcher()
    app = create_app(settings, MemoryIntake(), MemoryTopics(), StillClock(), meters, lambda _: None, fetcher)
    found: list[Way] = app.state.ways
    return found


def text() -> str:
    """The document as it is committed."""
    return render(openapi(ways()))


if __name__ == "__main__":
    DOCUMENT.write_text(text())
