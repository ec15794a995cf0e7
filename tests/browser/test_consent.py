"""What is sent and kept before consent, after a refusal, and where the browser asks not to be tracked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.site import Site

GRANT = "segue.consent({purpose: 'analytics', granted: true, document: 'banner v2', method: 'banner'})"
REFUSE = GRANT.replace("true", "false")
SIGNALS = {
    "Global Privacy Control": "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})",
    "Do Not Track": "Object.defineProperty(navigator, 'doNotTrack', {value: '1'})",
}
LIFE = "segue.track('Seen'); segue.page(); segue.identify('ada', {plan: 'gold'})"


def _let_time_pass(site: Site) -> None:
    """Every timer of the page, and the page's end."""
    site.pass_ms(120_000)
    site.run("dispatchEvent(new PageTransitionEvent('pagehide'))")


def _names(events: list[dict[str, Any]]) -> list[str]:
    return [event.get("event", event["type"]) for event in events]


def test_before_required_consent_nothing_is_sent_and_nothing_kept(site: Site) -> None:
    site.stop_clock()
    site.open(consent="required")
    site.run(LIFE)
    _let_time_pass(site)
    assert site.requests == []
    assert (site.cookies(), site.kept()) == ({}, {})


def test_with_consent_what_waited_leaves_behind_the_decision(site: Site) -> None:
    site.open(consent="required")
    site.run(LIFE)
    site.run(GRANT)
    site.run("segue.track('After')")
    events = site.events(6)
    assert _names(events) == ["consent", "page", "Seen", "page", "identify", "After"]
    decision = {key: events[0][key] for key in ("purpose", "granted", "document", "method")}
    assert decision == {"purpose": "analytics", "granted": True, "document": "banner v2", "method": "banner"}
    assert len({event["anonymousId"] for event in events}) == 1
    assert events[1]["timestamp"] <= events[0]["timestamp"]
    assert site.cookies()["segue_id"]["value"] == events[0]["anonymousId"]
    assert site.kept() == {"segue.user": "ada"}
    # So that a collector which asks every call for consent finds it there.
    contexts = [call.json["context"]["consent"] for call in site.collector.calls]
    assert contexts == [{"categoryPreferences": {"analytics": True}}] * len(contexts)


def test_where_consent_is_not_required_no_call_claims_any(site: Site) -> None:
    site.open()
    site.events(1)
    assert "consent" not in site.calls()[0].json["context"]


def test_consent_is_remembered_on_the_next_page(site: Site) -> None:
    site.open(consent="required")
    site.run(GRANT)
    first = site.events(2)
    site.go("/")
    *_, view = site.events(3)
    assert (view["type"], view["anonymousId"]) == ("page", first[0]["anonymousId"])


def test_a_site_may_name_the_purpose_that_it_asks_for(site: Site) -> None:
    site.stop_clock()
    site.open(consent="required", consent_purpose="personalisation")
    site.run(GRANT)  # of another purpose: it waits, like all the rest
    _let_time_pass(site)
    assert (site.requests, site.cookies()) == ([], {})
    site.run(GRANT.replace("analytics", "personalisation"))
    site.pass_ms(1_000)
    assert _names(site.events(3)) == ["consent", "page", "consent"]


def test_at_most_fifty_events_wait_for_consent(site: Site) -> None:
    site.open(consent="required", pages="manual")
    site.run("for (let n = 0; n < 60; n++) segue.track('Seen', {n})")
    site.run(GRANT)
    _, *held = site.events(51)
    assert [event["properties"]["n"] for event in held] == list(range(10, 60))


def test_who_refuses_and_was_never_known_stays_unknown(site: Site) -> None:
    site.stop_clock()
    site.open(consent="required")
    site.run(LIFE)
    site.run(REFUSE)
    site.run(LIFE)
    _let_time_pass(site)
    assert (site.requests, site.cookies(), site.kept()) == ([], {}, {})
    site.run(GRANT)  # after all: only from here on
    site.run("segue.track('After')")
    site.pass_ms(1_000)
    assert _names(site.events(2)) == ["consent", "After"]


def test_who_takes_consent_back_is_recorded_and_forgotten(site: Site) -> None:
    site.open(consent="required", pages="manual")
    site.run(GRANT)
    site.run("segue.identify('ada')")
    site.events(2)
    site.run(REFUSE)
    site.run(LIFE)
    granted, identified, refused = site.events(3)
    assert (refused["granted"], refused["userId"], refused["anonymousId"]) == (False, "ada", granted["anonymousId"])
    assert identified["type"] == "identify"
    assert (site.cookies(), site.kept()) == ({}, {})


def test_where_consent_is_not_required_a_refusal_is_remembered_and_tells_nothing_else(site: Site) -> None:
    site.stop_clock()
    site.open()
    site.run("segue.identify('ada')")
    site.run(REFUSE)
    site.pass_ms(1_000)
    assert _names(site.events(3)) == ["page", "identify", "consent"]
    site.requests.clear()
    site.go("/")
    site.run(LIFE)
    _let_time_pass(site)
    assert (site.requests, site.kept()) == ([], {})
    assert site.cookies()["segue_id"]["value"] == "-"
    site.run(GRANT)
    site.pass_ms(1_000)
    *_, granted = site.events(4)
    assert site.cookies()["segue_id"]["value"] == granted["anonymousId"] != "-"


def test_a_decision_on_another_purpose_is_recorded_and_changes_nothing_here(site: Site) -> None:
    site.open()
    site.run(REFUSE.replace("analytics", "newsletter"))
    site.run("segue.track('Seen')")
    assert _names(site.events(3)) == ["page", "consent", "Seen"]


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("consent", ["required", "given"])
def test_a_browser_that_asks_not_to_be_tracked_sends_and_keeps_nothing(site: Site, signal: str, consent: str) -> None:
    site.stop_clock()
    site.page.add_init_script(SIGNALS[signal])
    site.open(consent=consent, body="<button data-segue-click=Clicked></button>")
    site.page.click("button")
    site.run(LIFE)
    site.run(GRANT)
    site.run(REFUSE)
    site.run("segue.reset()")
    _let_time_pass(site)
    assert (site.requests, site.cookies(), site.kept()) == ([], {}, {})


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_site_may_know_better_than_the_browser_s_signal(site: Site, signal: str) -> None:
    site.page.add_init_script(SIGNALS[signal])
    site.open(respect_signals="false")
    site.events(1)


@pytest.mark.parametrize(
    ("name", "value"), [("globalPrivacyControl", "false"), ("globalPrivacyControl", "'1'"), ("doNotTrack", "'0'")]
)
def test_only_the_very_signal_counts(site: Site, name: str, value: str) -> None:
    site.page.add_init_script(f"Object.defineProperty(navigator, '{name}', {{value: {value}}})")
    site.open()
    site.events(1)


def test_a_signal_that_is_set_later_forgets_the_visitor(site: Site) -> None:
    site.open()
    site.run("segue.identify('ada')")
    site.events(2)
    site.page.add_init_script(SIGNALS["Global Privacy Control"])
    site.requests.clear()
    site.go("/")
    assert (site.requests, site.cookies(), site.kept()) == ([], {}, {})


def test_a_signal_does_not_undo_a_refusal(site: Site) -> None:
    site.open()
    site.run(REFUSE)
    site.page.add_init_script(SIGNALS["Global Privacy Control"])
    site.go("/")
    assert site.cookies()["segue_id"]["value"] == "-"
