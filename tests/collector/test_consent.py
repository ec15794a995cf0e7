"""Consent at the door: decisions become records, and an event without the consent it needs is not written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from streams.collector.guarding.consent_policy import read_consent_policy
from streams.links import Link
from tests.collector.doubles import NOW, SIGNER, Door, open_door

POLICY = """\
version: 1
rules:
  - {sources: [warehouse], needs: []}
  - {events: [email_open], needs: [email_opens], without: count}
  - {events: [purchase], needs: []}
  - {events: [survey_response], needs: [research], unsaid: granted}
  - {types: [identify], needs: [profiling, storage]}
  - {needs: [analytics], without: count}
"""


def _policy(tmp_path: Path, text: str = POLICY) -> Path:
    path = tmp_path / "consent.yaml"
    path.write_text(text)
    return path


def _said(**purposes: object) -> dict[str, Any]:
    return {"consent": {"categoryPreferences": purposes}}


@pytest.mark.parametrize(
    ("event", "written"),
    [
        ({"event": "page_view"}, False),
        ({"event": "page_view", "context": _said(analytics=True)}, True),
        ({"event": "page_view", "context": _said(analytics=False)}, False),
        ({"event": "page_view", "context": _said(analytics="true")}, False),
        ({"event": "page_view", "context": {"consent": {"analytics": True}}}, True),
        ({"event": "page_view", "context": {"consent": "all of it"}}, False),
        ({"event": "page_view", "context": {"consent": {"categoryPreferences": []}}}, False),
        ({"event": "Order Completed"}, True),
        ({"event": "Email Opened", "context": _said(analytics=True)}, False),
        ({"event": "Email Opened", "context": _said(email_opens=True)}, True),
        ({"event": "survey_response"}, True),
        ({"event": "survey_response", "context": _said(research=False)}, False),
        ({"type": "identify", "context": _said(profiling=True)}, False),
        ({"type": "identify", "context": _said(profiling=True, storage=True)}, True),
    ],
)
def test_an_event_is_written_where_its_call_says_that_what_it_needs_is_granted(
    tmp_path: Path, event: dict[str, Any], written: bool
) -> None:
    with open_door(consent=_policy(tmp_path)) as door:
        answer = door.post("/v1/batch", {"batch": [{"type": "track", "userId": "c1", **event}]})
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": []}), "nobody sends it again"
        assert len(door.intake.entries) == written


def test_the_context_of_a_batch_speaks_for_its_events_and_an_events_own_goes_before_it(tmp_path: Path) -> None:
    with open_door(consent=_policy(tmp_path)) as door:
        events = [
            {"type": "track", "userId": "c1", "event": "page_view"},
            {"type": "track", "userId": "c2", "event": "page_view", "context": _said(analytics=False)},
        ]
        assert door.post("/v1/batch", {"batch": events, "context": _said(analytics=True)}).status_code == 200
        assert [entry.contact_id for entry in door.intake.entries] == ["c1"]


def test_what_is_withheld_is_counted_by_names_of_the_policy_and_no_others(tmp_path: Path) -> None:
    with open_door(consent=_policy(tmp_path)) as door:
        for name in ("email_open", "email_open", "page_view", "a_name_that_a_stranger_made_up"):
            door.track(event=name)
        door.post("/v1/identify", {"userId": "c1", "traits": {}})
        names = ("email_open", "other", "dropped")
        assert [door.metric("segue_collector_withheld_total", event=name) for name in names] == [2, 2, 1]
        assert "stranger" not in door.client.get("/metrics").text
        assert door.intake.entries == []


def test_a_rule_may_be_about_one_source(tmp_path: Path) -> None:
    policy = "version: 1\nrules: [{sources: [website], needs: []}, {needs: [analytics]}]\n"
    with open_door(consent=_policy(tmp_path, policy)) as door:
        door.track()
        assert len(door.intake.entries) == 1
    with open_door(consent=_policy(tmp_path, policy.replace("website", "app"))) as door:
        door.track()
        assert door.intake.entries == []


def test_an_open_of_an_e_mail_that_needs_consent_shows_its_image_and_is_not_written(tmp_path: Path) -> None:
    with open_door(consent=_policy(tmp_path)) as door:
        answer = door.client.get(f"/o/{SIGNER.make('open', Link('c1', 'welcome'))}.gif")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        assert door.intake.entries == []
        assert door.metric("segue_collector_withheld_total", event="email_open") == 1


def test_an_event_that_is_wrong_is_refused_whatever_its_consent(tmp_path: Path) -> None:
    with open_door(consent=_policy(tmp_path)) as door:
        assert door.track(event="page_view", userId=5).status_code == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\nrules: [{needs: analytics}]", "rules[0].needs: expected a list, found 'analytics'"),
        (
            "version: 1\nrules: [{events: [Page Viewed], needs: []}]",
            "rules[0].events[0]: expected a name in snake_case",
        ),
        ("version: 1\nrules: [{needs: [yes]}]", "rules[0].needs[0]: expected text, found True"),
        ("version: 1\nrules: [{}]", "rules[0].needs: expected a value, and it is missing"),
        ("version: 2\nrules: []", "version: Input should be 1, found 2"),
        ("", "the file: expected an object"),
        ("a: [", "expected YAML"),
        ("[" * 5_000, "expected YAML"),
    ],
)
def test_a_policy_that_cannot_serve_is_refused_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError) as refused:
        read_consent_policy(_policy(tmp_path, text))
    assert expected in str(refused.value)
    assert "SEGUE_CONSENT" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_policy_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml cannot be read: .*No such file"):
        read_consent_policy(tmp_path / "none.yaml")


def test_a_decision_becomes_a_record_for_each_purpose(door: Door) -> None:
    decision = {"purposes": {"newsletter": True, "ads": False}, "document": "form-v3", "method": "web_form"}
    for _ in range(2):
        answer = door.post("/v1/consent", {"userId": "c1", "messageId": "m1", **decision})
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": []})
    first, second, *again = door.intake.records
    shared = {"type": "consent", "contact_id": "c1", "occurred_at": NOW, "received_at": NOW}
    told = {"document": "form-v3", "method": "web_form"}
    assert first == {**shared, "event_id": first["event_id"], "purpose": "newsletter", "granted": True, **told}
    assert second == {**shared, "event_id": second["event_id"], "purpose": "ads", "granted": False, **told}
    assert first["event_id"] != second["event_id"]
    assert again == [first, second], "what is sent again is the same"


def test_a_decision_on_one_purpose_keeps_the_id_that_it_was_sent_with(door: Door) -> None:
    body = {"anonymousId": "a1", "messageId": "m1", "purpose": "ads", "granted": False, "document": "d", "method": "m"}
    assert door.post("/v1/consent", body).status_code == 200
    (record,) = door.intake.records
    assert (record["event_id"], record["contact_id"], record["granted"]) == ("m1", "anon:a1", False)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"granted": "yes"}, "purpose"),
        ({"purpose": ""}, "purpose"),
        ({"purpose": None}, "purpose"),
        ({"purpose": "x" * 129}, "purpose"),
        ({"purposes": {}}, "purposes"),
        ({"purposes": {"a": 1}}, "purposes"),
        ({"purposes": {f"p{number}": True for number in range(101)}}, "purposes"),
        ({"document": None}, "document"),
        ({"method": ""}, "method"),
        ({"userId": None}, "userId"),
        ({"type": "track"}, "type"),
    ],
)
def test_a_decision_that_says_too_little_is_refused_with_the_place(
    door: Door, changes: dict[str, Any], path: str
) -> None:
    body = {"userId": "c1", "purpose": "ads", "granted": True, "document": "d", "method": "m", **changes}
    answer = door.post("/v1/consent", body)
    assert answer.status_code == 400
    assert [problem["path"] for problem in answer.json()["rejected"][0]["problems"]] == [path]
    assert door.intake.entries == []


@pytest.mark.parametrize("path", ["/v1/consent", "/v1/erase"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"5", b"\xff", b"[" * 20_000])
def test_a_body_that_is_no_object_is_refused(door: Door, path: str, body: bytes) -> None:
    answer = door.post(path, body)
    assert answer.status_code == (403 if path == "/v1/erase" else 400)


def test_what_a_consent_manager_sends_becomes_decisions_and_no_event(door: Door) -> None:
    event = {
        "type": "track",
        "userId": "c1",
        "messageId": "m1",
        "event": "Segment Consent Preference Updated",
        "context": _said(advertising=True, functional=False),
        "properties": {"version": "banner-7"},
    }
    answer = door.post("/v1/batch", {"batch": [event]})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    decisions = [(record["type"], record["purpose"], record["granted"]) for record in door.intake.records]
    assert decisions == [("consent", "advertising", True), ("consent", "functional", False)]
    assert {record["document"] for record in door.intake.records} == {"banner-7"}


def test_a_change_of_preferences_without_preferences_is_refused(door: Door) -> None:
    answer = door.track(event="Segment Consent Preference Updated")
    assert answer.status_code == 400
    assert answer.json()["rejected"][0]["problems"][0]["path"] == "context.consent.categoryPreferences"


def test_a_consent_decision_comes_in_a_batch_as_the_browser_script_sends_it(door: Door) -> None:
    decision = {"type": "consent", "anonymousId": "a1", "purpose": "p", "granted": True, "document": "d", "method": "m"}
    assert door.post("/v1/b", {"batch": [decision]}).status_code == 200
    assert [record["type"] for record in door.intake.records] == ["consent"]
    erasure = door.post("/v1/b", {"batch": [{"type": "erase", "userId": "c1"}]})
    assert erasure.status_code == 400, "whoever may write may not erase"
