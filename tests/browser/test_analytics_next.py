"""Segment's browser library, as it is published, on a page of another origin than the collector's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.clients.conftest import node_modules, stage
from tests.clients.stage import KEY, Stage
from tests.support.page_server import PageServer
from tests.support.waiting import wait_until

__all__ = ["node_modules", "stage"]

_PAGE = """<!doctype html><title>Shoes</title>
<script src="/analytics.js"></script>
<script>
  const settings = {writeKey: %(key)s, cdnURL: %(collector)s};
  const analytics = AnalyticsNext.AnalyticsBrowser.load(settings, %(options)s);
</script>"""

Visit = Callable[..., None]


@pytest.fixture
def visit(page: Page, page_server: PageServer, stage: Stage, node_modules: Path) -> Visit:
    """Opens a page with the library on it, whose address and write key are all that it is told."""
    library = node_modules / "@segment" / "analytics-next" / "dist" / "umd" / "index.js"
    page_server.serve("/analytics.js", library.read_bytes(), "text/javascript")
    page_server.serve("/empty", "<!doctype html>")

    def opened(**options: object) -> None:
        values = {"key": KEY, "collector": stage.url, "options": options}
        text = _PAGE % {name: json.dumps(value) for name, value in values.items()}
        page.goto(page_server.serve("/shop", text))

    return opened


def _events(stage: Stage, count: int) -> dict[str, dict[str, Any]]:
    return {record["event"]: record for record in stage.by_event_id(count).values() if record["type"] == "track"}


def _links(stage: Stage) -> set[tuple[str, str]]:
    return {(record["contact_id"], record["to"]) for record in stage.records() if record["type"] == "link"}


def test_every_call_of_the_library_ends_as_the_right_record(page: Page, visit: Visit, stage: Stage) -> None:
    visit()
    page.evaluate("analytics.track('Product Viewed', {price: 30})")
    anonymous = page.evaluate("analytics.user().then(user => user.anonymousId())")
    stage.by_event_id(1)
    page.evaluate("analytics.identify('c1', {plan: 'pro'})")
    page.evaluate("analytics.page('Shop', 'Home')")
    page.evaluate("analytics.screen('Basket')")
    page.evaluate("analytics.group('g1', {plan: 'team'})")
    page.evaluate("analytics.alias('c2', 'c1')")
    page.evaluate("analytics.track('Order Completed', {revenue: 50})")
    events = _events(stage, 8)
    assert {name: record["contact_id"] for name, record in events.items()} == {
        "product_view": f"anon:{anonymous}",
        "page_view": "c1",
        "screen_view": "c1",
        "purchase": "c1",
    }
    assert events["purchase"]["properties"] == {"revenue": 50, "amount": 50}
    seen = events["page_view"]
    assert (seen["properties"]["name"], seen["properties"]["category"]) == ("Home", "Shop")
    assert seen["properties"]["title"] == "Shoes"
    assert seen["context"]["library"]["name"] == "analytics.js"
    assert "Chrom" in seen["context"]["userAgent"]
    others = [record["traits"] for record in stage.records() if record["type"] == "identify"]
    assert sorted(others, key=len) == [{"plan": "pro"}, {"group_id": "g1", "group": {"plan": "team"}}]
    wait_until(lambda: len(_links(stage)) == 2, 10, "what identify and alias link")
    # Of an alias the library puts whom it knows in the place of the id that was given.
    assert _links(stage) == {(f"anon:{anonymous}", "c1"), ("anon:c1", "c1")}


def test_what_waits_in_a_batch_is_sent_as_the_page_closes(
    page: Page, page_server: PageServer, visit: Visit, stage: Stage
) -> None:
    batching = {"strategy": "batching", "config": {"size": 100, "timeout": 600_000}}
    visit(integrations={"Segment.io": {"deliveryStrategy": batching}})
    for number in range(3):
        page.evaluate(f"analytics.track('Step {number}').then(() => null)")
    assert stage.records() == []
    page.goto(page_server.url + "/empty")
    assert set(_events(stage, 3)) == {"step_0", "step_1", "step_2"}


def test_a_beacon_needs_no_preflight_and_no_header(page: Page, page_server: PageServer, stage: Stage) -> None:
    page.goto(page_server.serve("/plain", "<!doctype html>"))
    batch = {"writeKey": KEY, "batch": [{"type": "page", "anonymousId": "a1", "messageId": "m1"}]}
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.evaluate("([url, body]) => navigator.sendBeacon(url, body)", [f"{stage.url}/v1/b", json.dumps(batch)])
    assert stage.by_event_id(1)["m1"]["event"] == "page_view"
    assert asked == ["POST"]


def test_a_purchase_on_a_page_leads_to_the_right_transition(page: Page, visit: Visit, stage: Stage) -> None:
    stage.start_worker()
    visit()
    page.evaluate("analytics.identify('c1')")
    page.evaluate("analytics.track('Order Completed', {revenue: 50}, {messageId: 'm-purchase'})")
    wait_until(stage.transitions, 30, "a transition")
    ((contact, segment, _),) = stage.transitions()
    assert (contact, segment) == ("c1", "buyers")


def test_a_site_that_is_not_named_cannot_send(page: Page, page_server: PageServer, stage: Stage) -> None:
    stage.restart(SEGUE_COLLECTOR_ORIGINS=page_server.url)
    event = json.dumps({"writeKey": KEY, "anonymousId": "a1", "messageId": "m1"})
    send = "([url, body]) => fetch(url, {method: 'POST', body}).then(answer => answer.status, error => error.name)"
    page.goto(page_server.serve("/plain", "<!doctype html>"))
    assert page.evaluate(send, [f"{stage.url}/v1/p", event]) == 200
    page.goto(page.url.replace("127.0.0.1", "localhost"))
    assert page.evaluate(send, [f"{stage.url}/v1/p", event.replace("m1", "m2")]) == "TypeError"
    assert set(stage.by_event_id(1)) == {"m1"}
