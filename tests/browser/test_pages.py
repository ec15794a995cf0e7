"""What the script tells of pages, and in which shape."""

from __future__ import annotations

import re
from typing import Any

import pytest

from schemas.instants import parse_instant
from tests.browser.site import WRITE_KEY, Site

ID = re.compile(r"[0-9a-f]{32}")


def _paths(events: list[dict[str, Any]]) -> list[str]:
    return [event["properties"]["path"] for event in events]


def test_a_page_view_comes_by_itself_in_segments_shape(site: Site) -> None:
    site.open("/lamps?utm_source=mail&utm_campaign=spring&size=2")
    (event,) = site.events(1)
    (call,) = site.calls()
    body = call.json
    assert (body["writeKey"], set(body)) == (WRITE_KEY, {"batch", "context", "sentAt", "writeKey"})
    assert body["context"] == {
        "locale": site.run("navigator.language"),
        "userAgent": site.run("navigator.userAgent"),
        "library": {"name": "segue.js"},
    }
    address = f"{site.pages.url}/lamps?utm_source=mail&utm_campaign=spring&size=2"
    search = "?utm_source=mail&utm_campaign=spring&size=2"
    page = {"url": address, "path": "/lamps", "search": search, "title": "Lamps", "referrer": ""}
    assert event.pop("timestamp") <= body["sentAt"]
    assert ID.fullmatch(event.pop("messageId"))
    assert ID.fullmatch(event.pop("anonymousId"))
    assert event == {
        "type": "page",
        "properties": page,
        "context": {"page": page, "campaign": {"source": "mail", "name": "spring"}},
    }
    assert parse_instant(body["sentAt"])


def test_an_event_goes_to_another_origin_without_a_preflight_and_without_cookies(site: Site) -> None:
    site.open()
    site.events(1)
    (call,) = site.collector.calls
    assert (call.method, call.path, call.headers["content-type"]) == ("POST", "/v1/b", "text/plain;charset=UTF-8")
    assert call.headers["origin"] == site.pages.url
    assert "cookie" not in call.headers


def test_each_new_address_of_a_single_page_app_is_a_page_view(site: Site) -> None:
    site.open("/")
    site.events(1)
    site.run("history.pushState({}, '', '/cart'); document.title = 'Cart'")
    site.events(2)
    site.run("history.replaceState({}, '', '/cart')")  # the same page
    site.run("history.replaceState({}, '', '/cart#pay')")  # the same page, further down
    site.run("history.replaceState({}, '', '/cart?step=2')")
    site.events(3)
    site.run("history.back()")
    views = site.events(4, "page")
    assert _paths(views) == ["/", "/cart", "/cart", "/"]
    assert [view["properties"]["title"] for view in views[:2]] == ["Lamps", "Cart"]
    addresses = [view["properties"]["url"].removeprefix(site.pages.url) for view in views]
    assert addresses == ["/", "/cart", "/cart?step=2", "/"]
    referrers = [view["properties"]["referrer"].removeprefix(site.pages.url) for view in views]
    assert referrers == ["", "/", "/cart", "/cart?step=2"]
    assert len({view["messageId"] for view in views}) == 4


def test_an_event_names_the_page_that_it_happened_on(site: Site) -> None:
    site.open("/a")
    site.run("segue.track('Seen')")
    site.run("history.pushState({}, '', '/b')")
    site.events(2, "page")
    site.run("segue.track('Seen')")
    tracked = site.events(2, "track")
    assert [event["context"]["page"]["path"] for event in tracked] == ["/a", "/b"]
    assert [event["context"]["page"]["referrer"] for event in tracked] == ["", site.pages.url + "/a"]


def test_pages_can_be_left_to_the_site(site: Site) -> None:
    site.open(pages="manual")
    site.run("history.pushState({}, '', '/cart')")
    site.run("segue.page('Cart', {items: 2})")
    (event,) = site.events(1)
    assert (event["name"], event["properties"]["items"], event["properties"]["path"]) == ("Cart", 2, "/cart")


def test_a_page_that_comes_back_from_the_browser_s_cache_is_viewed_again(site: Site) -> None:
    site.open()
    site.events(1)
    site.run("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: false}))")
    site.run("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    site.events(2, "page")


def test_a_page_that_is_rendered_ahead_is_viewed_when_it_is_shown(site: Site) -> None:
    site.page.add_init_script("Object.defineProperty(document, 'prerendering', {value: true})")
    site.pages.serve("/", site.html())
    site.page.goto(site.pages.url + "/", wait_until="load")
    assert site.run("[segue.loaded, document.cookie]") == [None, ""]
    assert site.requests == []
    site.run("document.dispatchEvent(new Event('prerenderingchange'))")
    site.events(1, "page")


def test_calls_made_before_the_script_is_there_are_not_lost(site: Site) -> None:
    before = "segue.identify('ada'); segue.track('Early', {n: 1}); window.kept = segue.track"
    site.open(before=before)
    site.run("kept('Late')")  # a page may hold on to the stub's functions
    identify, early, view, late = site.events(4)
    assert (identify["type"], early["event"], view["type"], late["event"]) == ("identify", "Early", "page", "Late")
    assert {event["userId"] for event in (identify, early, view, late)} == {"ada"}


def test_the_stub_is_not_needed(site: Site) -> None:
    site.pages.serve("/", site.html().replace("window.segue=window.segue||", "window.unused="))
    site.go("/")
    site.run("segue.track('Seen')")
    site.events(2)


def test_a_second_tag_counts_nothing_twice_and_is_told_of(site: Site) -> None:
    said: list[str] = []
    site.page.on("console", lambda message: said.append(message.text))
    tag = re.search(r"<script async.*</script>", site.html())
    assert tag is not None
    site.open(body=tag[0])
    site.run("segue.track('Seen')")
    site.events(1, "page")
    site.events(1, "track")
    assert [text for text in said if "segue" in text] == ["segue: expected one script tag, with data-write-key"]


def test_without_a_write_key_it_does_nothing_but_say_so(site: Site) -> None:
    said: list[str] = []
    site.page.on("console", lambda message: said.append(message.text))
    site.pages.serve("/", site.html().replace("data-write-key", "data-other"))
    site.page.goto(site.pages.url + "/", wait_until="load")
    assert said == ["segue: expected one script tag, with data-write-key"]
    assert (site.requests, site.cookies()) == ([], {})


@pytest.mark.parametrize("call", ["segue.track()", "segue.push(['nonsense'])", "segue.consent()"])
def test_a_wrong_call_does_not_stop_the_page(site: Site, call: str) -> None:
    site.open()
    assert site.run(f"{call}; 'still here'") == "still here"
