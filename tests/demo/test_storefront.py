"""The demo's page for a person with a browser, as a server."""

from __future__ import annotations

import httpx
import pytest

from streams.demo.guests import GUEST, Guests
from streams.demo.moves import Moved
from streams.demo.storefront import Storefront
from streams.demo.why import Phrases
from tests.browser.site import STUB
from tests.demo.records import transition
from tests.demo.test_shop import definitions


def test_the_page_has_the_two_tags_that_any_site_needs() -> None:
    with Storefront("http://127.0.0.1:8080", 'a-key"><b>') as storefront:
        page = httpx.get(storefront.url, trust_env=False)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<script>{STUB}</script>" in page.text
    assert 'src="http://127.0.0.1:8080/segue.js" data-write-key="a-key&#34;&gt;&lt;b&gt;"' in page.text


def test_the_page_is_told_where_its_person_stands_and_why_newest_first() -> None:
    guests, phrases = Guests(), Phrases(definitions())
    with Storefront("http://127.0.0.1:8080", "a-key") as storefront:
        assert httpx.get(f"{storefront.url}moves", trust_env=False).json() == {}
        guests.move(Moved(transition(GUEST, "buyers", 1), 12))
        guests.move(Moved(transition(GUEST, "buyers", 2, "timer"), 7))
        guests.move(Moved(transition(GUEST, "hot_leads", 1), 9))
        storefront.tell(guests, phrases)
        told = httpx.get(f"{storefront.url}moves", trust_env=False).json()
    assert told["segments"] == ["hot_leads"]
    assert [(move["segment"], move["entered"], move["by_time"]) for move in told["moves"]] == [
        ("hot_leads", True, False), ("buyers", False, True), ("buyers", True, False),
    ]  # fmt: skip
    assert told["moves"][1] == {
        "at": "14:13:20.000",
        "segment": "buyers",
        "entered": False,
        "by_time": True,
        "why": "the purchase is 20 s old",
        "latency_ms": 7,
    }


@pytest.mark.parametrize(("method", "path"), [("GET", "nowhere"), ("POST", ""), ("POST", "moves")])
def test_there_is_nothing_else(method: str, path: str) -> None:
    with Storefront("http://127.0.0.1:8080", "a-key") as storefront:
        assert httpx.request(method, storefront.url + path, trust_env=False).status_code == 404
