"""How events reach the collector: in batches, when the page goes, and again where that may help."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.site import Site

TRACK = "for (let n = 0; n < {count}; n++) segue.track('Seen', {{n, text: '{text}'}})"
MEAN_JITTER = "Math.random = () => 0.5"  # the wait is then three quarters of what it doubles to


def _ids(batch: list[dict[str, Any]]) -> list[str]:
    return [event["messageId"] for event in batch]


def _numbers(site: Site, count: int) -> list[int]:
    return [event["properties"]["n"] for event in site.events(count)]


@pytest.fixture
def held(site: Site) -> Site:
    """A page whose time passes only when the test lets it."""
    site.stop_clock()
    site.page.add_init_script(MEAN_JITTER)
    site.open(pages="manual", batch_ms="250")
    return site


def test_events_of_a_moment_go_together(held: Site) -> None:
    held.run(TRACK.format(count=3, text=""))
    assert held.pass_ms(249) == 0
    assert held.pass_ms(1) == 1
    assert _numbers(held, 3) == [0, 1, 2]
    assert len(held.calls()) == 1


def test_twenty_events_do_not_wait_for_the_moment_to_end(held: Site) -> None:
    held.run(TRACK.format(count=19, text=""))
    assert held.requests == []
    held.run(TRACK.format(count=1, text=""))
    (call,) = held.calls()
    assert len(call.json["batch"]) == 20


def test_a_batch_is_never_larger_than_what_a_browser_lets_go_with_a_page(site: Site) -> None:
    site.open(pages="manual")
    site.run(TRACK.format(count=6, text="é" * 10_000))
    assert _numbers(site, 6) == list(range(6))
    assert len(site.calls(2)) > 1
    assert max(len(call.body) for call in site.collector.calls) < 64 * 1024


def test_an_event_that_the_collector_would_refuse_for_its_size_is_told_of_and_not_sent(site: Site) -> None:
    said: list[str] = []
    site.page.on("console", lambda message: said.append(message.text))
    site.open(pages="manual")
    site.run(TRACK.format(count=1, text="é" * 20_000))
    site.run(TRACK.format(count=1, text="small"))
    assert site.events(1)[0]["properties"]["text"] == "small"
    assert "expected an event of at most 32000 bytes" in "\n".join(said)


def test_what_waits_when_the_page_goes_goes_with_it(site: Site) -> None:
    site.pages.serve("/next", "<title>next</title>")
    site.open(pages="manual", batch_ms="60000")
    site.run(TRACK.format(count=4, text="") + "; location = '/next'")
    site.page.wait_for_url("**/next")
    assert _numbers(site, 4) == [0, 1, 2, 3]
    (call,) = site.collector.calls
    # Only a beacon goes in this mode; what `fetch` sends says "cors".
    assert (call.headers["sec-fetch-mode"], call.headers["content-type"]) == ("no-cors", "text/plain;charset=UTF-8")


def test_what_is_more_than_a_browser_lets_go_with_a_page_is_kept_for_the_next(site: Site) -> None:
    site.pages.serve("/next", "<title>next</title>")
    site.open(pages="manual", batch_ms="60000")
    site.run(TRACK.format(count=4, text="é" * 10_000) + "; location = '/next'")
    site.page.wait_for_url("**/next")
    site.go("/")
    assert _numbers(site, 4) == [0, 1, 2, 3]


def test_a_page_that_is_hidden_sends_what_waits(held: Site) -> None:
    held.run(TRACK.format(count=1, text=""))
    held.run("Object.defineProperty(document, 'hidden', {value: true})")
    held.run("document.dispatchEvent(new Event('visibilitychange'))")
    held.events(1)
    assert [request.resource_type for request in held.requests] == ["ping"]
    assert held.pass_ms(60_000) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_the_collector_cannot_take_now_is_sent_again_ever_less_often(held: Site, status: int) -> None:
    # On a connection that it had used before, Chromium by itself tries again after a 408.
    held.collector.answers.extend([(status, {"Connection": "close"})] * 8)
    held.run(TRACK.format(count=2, text=""))
    assert held.pass_ms(250) == 1
    waits_s = [1, 2, 4, 8, 16, 32, 60, 60]
    for tries, wait_s in enumerate(waits_s, start=1):
        held.answered(tries)
        wait_ms = wait_s * 750
        assert held.pass_ms(wait_ms - 1) == tries
        assert held.pass_ms(1) == tries + 1
    held.answered(9)
    bodies = [call.json for call in held.collector.calls]
    assert {tuple(_ids(body["batch"])) for body in bodies} == {tuple(_ids(bodies[0]["batch"]))}
    assert len({body["sentAt"] for body in bodies}) == 9
    assert len({event["timestamp"] for body in bodies for event in body["batch"]}) <= 2
    assert held.pass_ms(120_000) == 9


def test_the_wait_is_as_long_as_the_collector_says_if_that_is_longer(held: Site) -> None:
    shown = {"Access-Control-Expose-Headers": "Retry-After"}
    held.collector.answers.extend([(503, {"Retry-After": "7", **shown}), (429, {"Retry-After": "soon", **shown})])
    held.run(TRACK.format(count=1, text=""))
    assert held.pass_ms(250) == 1
    held.answered(1)
    assert held.pass_ms(6_999) == 1
    assert held.pass_ms(1) == 2
    held.answered(2)
    assert held.pass_ms(1_500) == 3


def test_without_a_network_events_wait_and_go_when_it_is_back(held: Site) -> None:
    held.page.context.set_offline(True)
    held.run(TRACK.format(count=1, text=""))
    assert held.pass_ms(250) == 1
    held.answered(1)
    held.run(TRACK.format(count=30, text=""))
    assert len(held.requests) == 1
    held.page.context.set_offline(False)
    assert held.pass_ms(750) == 2
    assert _numbers(held, 31) == [0, *range(30)]


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_what_the_collector_will_never_take_is_not_sent_again(held: Site, status: int) -> None:
    held.collector.answers.append((status, {}))
    held.run(TRACK.format(count=1, text=""))
    assert held.pass_ms(250) == 1
    held.answered(1)
    assert held.pass_ms(120_000) == 1
    held.run(TRACK.format(count=1, text="next"))
    assert held.pass_ms(250) == 2
    assert held.calls(2)[1].json["batch"][0]["properties"]["text"] == "next"


def test_what_comes_while_a_batch_is_under_way_goes_in_the_next_one(held: Site) -> None:
    held.run(TRACK.format(count=20, text="") + "; " + TRACK.format(count=1, text="later"))
    held.answered(1)
    assert held.pass_ms(250) == 2
    assert [len(call.json["batch"]) for call in held.calls(2)] == [20, 1]


def test_two_hundred_events_wait_at_most_and_the_oldest_go(held: Site) -> None:
    held.collector.answers.append((503, {}))
    held.run(TRACK.format(count=1, text="first"))
    assert held.pass_ms(250) == 1
    held.answered(1)
    held.run(TRACK.format(count=210, text=""))
    held.pass_ms(750)
    held.answered(2)
    # They may be more than goes at once.
    held.pass_ms(60_000)
    assert _numbers(held, 201) == [0, *range(10, 210)]


def _leave_with_events_unsent(site: Site, **attributes: str) -> None:
    """A page that ends while the collector is away."""
    site.pages.serve("/next", "<title>next</title>")
    site.open(pages="manual", batch_ms="1", **attributes)
    site.collector.answers.extend([(503, {})] * 50)
    site.run("segue.consent({purpose: 'analytics', granted: true, document: 'd', method: 'm'})")
    site.run(TRACK.format(count=2, text=""))
    site.answered(1)


@pytest.mark.parametrize("consent", ["given", "required"])
def test_what_could_not_be_sent_is_kept_for_the_next_page(site: Site, consent: str) -> None:
    _leave_with_events_unsent(site, consent=consent)
    before = len(site.collector.calls)
    site.page.goto(site.pages.url + "/next")
    assert len(json.loads(site.kept()["segue.queue"])) == 3
    assert len(site.collector.calls) == before  # a beacon would be lost
    site.collector.answers.clear()
    site.go("/")
    after = site.collector.wait_for_call(count=before + 1)[before:]
    assert [event["type"] for call in after for event in call.json["batch"]] == ["consent", "track", "track"]
    assert "segue.queue" not in site.kept()


def test_two_tabs_keep_what_each_could_not_send(site: Site) -> None:
    _leave_with_events_unsent(site)
    other = site.page.context.new_page()
    other.goto(site.pages.url + "/next")
    other.evaluate("localStorage.setItem('segue.queue', JSON.stringify(['{\"type\":\"track\"}']))")
    site.page.goto(site.pages.url + "/next")
    assert len(json.loads(site.kept()["segue.queue"])) == 4


@pytest.mark.parametrize("kept", ["nonsense", "{}", "7"])
def test_what_somebody_else_left_in_its_place_does_not_stop_it(site: Site, kept: str) -> None:
    site.page.goto(site.pages.serve("/next", "<title>next</title>"))
    site.page.evaluate(f"localStorage.setItem('segue.queue', '{kept}')")
    site.open()
    site.events(1, "page")
    assert site.kept() == {}


def test_without_consent_nothing_is_kept_for_the_next_page(site: Site) -> None:
    _leave_with_events_unsent(site)
    site.run("segue.consent({purpose: 'analytics', granted: false, document: 'd', method: 'm'})")
    site.page.goto(site.pages.url + "/next")
    assert site.kept() == {}
    before = site.collector.wait_for_call(lambda call: b'"granted":false' in call.body)
    assert before  # it went as a beacon: the record of the refusal has no second chance
