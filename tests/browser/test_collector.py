"""The script and `segue collector`, as they are, with a real Kafka behind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from schemas.topics import Names
from tests.browser.site import STUB, WRITE_KEY
from tests.conftest import Kafka
from tests.load.topics import create_topics, read_log
from tests.support.page_server import PageServer
from tests.support.processes import Commands
from tests.support.waiting import wait_until

SHOP = """
<button data-segue-cart-add data-segue-product-id="lamp" data-segue-price="19.90" data-segue-quantity="2">Add</button>
<form data-segue-form="signup" data-segue-user="email" data-segue-traits="city">
<input name="email" value="ada@shop.example"><input name="city" value="Bern">
<input type="checkbox" checked data-segue-consent="newsletter" data-segue-document="signup form, version 3">
<button>Send</button></form>
"""


@pytest.fixture
def names(kafka: Kafka, namespace: str) -> Names:
    """Topics of the collector."""
    return create_topics(kafka.bootstrap_servers, namespace, timestamps="LogAppendTime")


@pytest.fixture
def collector(names: Names, commands: Commands, tmp_path: Path) -> str:
    """The address of a collector that is ready."""
    assert names
    path = tmp_path / "definitions.yaml"
    path.write_text("version: 1\nsegments:\n  buyers: {when: {performed: {event: purchase}}}\n")
    assert commands.run("apply", str(path)).returncode == 0
    settings = {"SEGUE_WRITE_KEYS": json.dumps({"website": WRITE_KEY}), "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "100"}
    started = commands.start("collector", "--port", "0", environment=settings)
    url = started.wait_for_output(r"listens on (http://127\.0\.0\.1:\d+)\n").group(1)
    wait_until(lambda: httpx.get(f"{url}/readyz", trust_env=False).status_code == 200, 30, "the collector to be ready")
    return url


def _records(kafka: Kafka, names: Names) -> list[dict[str, Any]]:
    """Each once: what a page has under way when it goes is given to a beacon too, and may come twice with one id."""
    log = read_log(kafka.bootstrap_servers, names.tracking)
    records = [json.loads(record.value() or b"") for partition in log.values() for record in partition]
    once = {(one["type"], one["event_id"]): one for one in records if one["type"] != "definitions"}
    return sorted(once.values(), key=lambda one: str(one["occurred_at"]))


def test_what_happens_on_a_page_is_in_the_log_as_records(
    page: Page, page_server: PageServer, collector: str, kafka: Kafka, names: Names
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    tags = f"<script>{STUB}</script><script async src='{collector}/segue.js' data-write-key='{WRITE_KEY}'></script>"
    page_server.serve("/favicon.ico", "")
    page.goto(page_server.serve("/", f"<!doctype html><title>Lamps</title>{tags}{SHOP}") + "?utm_source=mail")
    page.wait_for_function("window.segue.loaded")
    page_server.serve("/thanks", "<title>thanks</title>")
    page.evaluate("document.querySelector('form').action = '/thanks'")
    page.click("button[data-segue-cart-add]")
    page.click("form button")  # the page goes, and what waits goes with it
    page.wait_for_url("**/thanks*")
    wait_until(lambda: len(_records(kafka, names)) >= 6, 30, "six records in the log")
    view, added, *rest = _records(kafka, names)
    submitted, linked, identified, consented = sorted(rest, key=lambda one: str(one["type"]), reverse=True)

    assert (view["event"], view["properties"]["path"], view["source"]) == ("page_view", "/", "website")
    assert view["contact_id"].startswith("anon:")
    assert view["context"]["campaign"] == {"source": "mail"}
    assert view["context"]["library"] == {"name": "segue.js"}
    assert "HeadlessChrome" in view["context"]["userAgent"]
    bought = {"product_id": "lamp", "price": 19.9, "quantity": 2, "value": 39.8}
    assert (added["event"], added["properties"], added["contact_id"]) == ("cart_add", bought, view["contact_id"])
    assert (identified["contact_id"], identified["traits"]) == ("ada@shop.example", {"city": "Bern"})
    assert (linked["contact_id"], linked["to"]) == (view["contact_id"], "ada@shop.example")
    assert (submitted["event"], submitted["contact_id"]) == ("form_submit", "ada@shop.example")
    assert submitted["properties"] == {"form": "signup"}
    decision = {name: consented[name] for name in ("contact_id", "purpose", "granted", "document")}
    assert decision == {
        "contact_id": "ada@shop.example",
        "purpose": "newsletter",
        "granted": True,
        "document": "signup form, version 3",
    }
    assert said == []  # neither CORS nor anything else that browsers complain of
