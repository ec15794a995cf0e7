"""What the page on sending events says of names and properties is what the collector does."""

from __future__ import annotations

import re

import pytest

from schemas.event_names import STANDARD_NAMES
from streams.collector.calls.api import LETTERS
from streams.collector.calls.event_names import event_name
from streams.collector.calls.kinds import KINDS, ORIGINAL_NAME
from streams.collector.calls.properties import DERIVED
from tests.support.openapi_document import ways
from tests.support.run_directory import CHECKOUT

PAGE = (CHECKOUT / "ops" / "send-events.md").read_text()
NAMES = re.findall(r"^\| `([^`]+)` \| `([a-z0-9_]+)` \|$", PAGE, re.MULTILINE)
PROPERTIES = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("sent", "becomes"), NAMES)
def test_a_name_becomes_what_the_page_says(sent: str, becomes: str) -> None:
    name = event_name(sent)
    assert name is not None
    assert name.text == becomes


def test_the_page_has_every_standard_name() -> None:
    snake = {re.sub(r"\W+", "_", sent).lower(): becomes for sent, becomes in NAMES}
    assert snake.items() >= STANDARD_NAMES.items()
    assert f"`context.{ORIGINAL_NAME}`" in PAGE


def test_the_page_has_every_property_that_is_worked_out() -> None:
    assert [(event, derived.name, derived.sources) for event, derived in DERIVED.items()] == PROPERTIES


def test_the_page_has_every_path_of_a_call() -> None:
    paths = {way.path for way in ways() if way.name in (*LETTERS, "batch", "import", "sdk_settings", "sdk_metrics")}
    for path in paths:
        assert path.replace("{key}", "KEY") in PAGE, path
    for call in KINDS:
        assert f"`{call}`" in PAGE or f"/{call}" in PAGE
