"""Who a visitor is to the script, and what of it is kept in the browser."""

from __future__ import annotations

import time

from streams.collector.browser_script import BUILT
from tests.browser.site import Site

COOKIE = "segue_id"
YEAR_S = 365 * 24 * 3600


def _who(event: dict[str, str]) -> tuple[str, str | None]:
    return event["anonymousId"], event.get("userId")


def test_the_cookie_is_first_party_lax_and_lasts_a_year(site: Site) -> None:
    site.open()
    (event,) = site.events(1)
    cookie = site.cookies()[COOKIE]
    assert cookie["value"] == event["anonymousId"]
    assert (cookie["sameSite"], cookie["path"], cookie["secure"]) == ("Lax", "/", False)
    assert cookie["domain"] == "127.0.0.1"
    assert abs(cookie["expires"] - time.time() - YEAR_S) < 60
    assert site.kept() == {}


def test_on_a_page_with_tls_the_cookie_goes_by_tls_only(site: Site) -> None:
    address = "https://www.shop.test/"
    site.page.route(
        address, lambda route: route.fulfill(body=site.html(cookie_domain="shop.test"), content_type="text/html")
    )
    script = site.collector.url + "/segue.js"
    site.page.route(script, lambda route: route.fulfill(response=route.fetch()))
    site.page.goto(address)
    site.page.wait_for_function("window.segue?.loaded && document.cookie")
    cookie = site.cookies()[COOKIE]
    assert (cookie["secure"], cookie["domain"], cookie["sameSite"]) == (True, ".shop.test", "Lax")


def test_a_page_without_tls_works_alike(site: Site) -> None:
    """Where browsers offer less, `crypto.randomUUID` among it."""
    html = site.html().replace(site.collector.url, "http://events.shop.test")
    script = BUILT.read_text()
    site.page.route("http://www.shop.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
    site.page.route("**/segue.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    site.page.route("**/v1/b", lambda route: route.fulfill(body="{}"))
    with site.page.expect_request("**/v1/b") as request:
        site.page.goto("http://www.shop.test/")
    assert site.run("[isSecureContext, typeof crypto.randomUUID]") == [False, "undefined"]
    assert site.cookies()[COOKIE]["value"] in (request.value.post_data or "")


def test_a_visitor_is_the_same_on_the_next_page(site: Site) -> None:
    site.open("/a")
    site.open("/b")
    first, second = site.events(2)
    assert _who(first) == _who(second)


def test_who_is_identified_stays_so_until_reset(site: Site) -> None:
    site.open("/a", pages="manual")
    site.run("segue.identify('ada', {plan: 'gold'})")
    site.run("segue.track('Seen')")
    assert site.kept() == {"segue.user": "ada"}
    site.go("/a")
    site.run("segue.track('Seen')")
    site.run("segue.identify({city: 'Bern'})")
    site.run("segue.reset()")
    site.run("segue.track('Seen')")
    # What a page sends as it goes may arrive after what the next one sends.
    identified, *same, after = sorted(site.events(5), key=lambda event: str(event["timestamp"]))
    assert (identified["type"], identified["traits"]) == ("identify", {"plan": "gold"})
    assert same[-1]["traits"] == {"city": "Bern"}
    assert {_who(event) for event in same} == {_who(identified)} == {(identified["anonymousId"], "ada")}
    assert "userId" not in after
    assert after["anonymousId"] != identified["anonymousId"]
    assert site.cookies()[COOKIE]["value"] == after["anonymousId"]
    assert site.kept() == {}


def test_another_person_at_the_same_browser_is_another_visitor(site: Site) -> None:
    site.open(pages="manual")
    for user in ("ada", "ada", "ben"):
        site.run(f"segue.identify('{user}')")
    first, again, other = site.events(3)
    assert _who(first) == _who(again)
    assert (other["userId"], other["anonymousId"] != first["anonymousId"]) == ("ben", True)


def test_a_browser_that_keeps_nothing_still_tells_what_happens(site: Site) -> None:
    site.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }});"
        "Object.defineProperty(document, 'cookie', {get: () => '', set() {}});"
    )
    site.open()
    site.run("segue.identify('ada')")
    viewed, identified = site.events(2)
    assert viewed["anonymousId"] == identified["anonymousId"]
