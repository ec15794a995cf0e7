"""Calls drawn from the OpenAPI document, good and bad: each is answered as the document says, and none breaks us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from schemathesis import checks

from schemas.metrics import Meters
from streams.collector.app import create_app
from streams.collector.settings import CollectorSettings
from tests.collector.doubles import (
    LINK_KEYS,
    WRITE_KEY,
    MemoryFetcher,
    MemoryIntake,
    MemoryKeys,
    MemoryTopics,
    StillClock,
)
from tests.support.openapi_document import DOCUMENT
from tests.support.page_server import served

SCHEMA = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A collector that serves."""
    settings = CollectorSettings(write_keys={"website": SecretStr(WRITE_KEY)}, link_keys=LINK_KEYS)
    intake, topics = MemoryIntake(), MemoryTopics()
    app = create_app(
        settings, intake, topics, StillClock(), Meters("collector"), lambda _: None, MemoryFetcher(), MemoryKeys()
    )
    with served(app) as address:
        yield address


@SCHEMA.parametrize()
@settings(max_examples=6, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_a_drawn_call_is_answered_as_the_document_says(case: schemathesis.Case[Any], address: str) -> None:
    case.call_and_validate(base_url=address, auth=(WRITE_KEY, ""), checks=CHECKS)
