"""Forms over HTTP: traits, an event and consent, from browsers with and without scripts, and from servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.records import decode_record
from streams.write_keys import issue
from tests.collector.doubles import NOW, NOW_MS, WRITE_KEY, Door, open_door
from tests.support.waiting import wait_until

FORMS = """
forms:
  news:
    contact: email
    fields:
      email: {type: email, required: true}
      name: {type: name, trait: full_name}
      message: {type: long_text, into: properties}
    consents:
      - {purpose: marketing, document: news-v3, field: agree}
      - {purpose: terms, document: terms-v1, field: terms, required: true, method: tick_box}
    honeypot: website
    redirects: ["https://shop.example/thanks", "https://shop.example/merci"]
    origins: ["https://shop.example"]
  plain:
    contact: email
    fields: {email: {type: email, required: true, into: properties}}
    consents: [{purpose: newsletter, document: plain-v1}]
  account:
    contact: user
    key_required: true
    fields: {user: {type: id, required: true, into: properties}, city: {}}
"""
FILLED = {"email": "Ann@Example.org", "terms": "on"}
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forms") / "forms.yaml"
    path.write_text(FORMS)
    return path


@pytest.fixture
def door(forms: Path) -> Iterator[Door]:
    """A collector that takes these forms."""
    with open_door(forms=forms) as opened:
        yield opened


def _send(door: Door, fields: dict[str, Any], form: str = "news", **more: Any) -> httpx.Response:
    return door.client.post(f"/v1/form/{form}", data=fields, **more)


def test_a_form_is_traits_an_event_and_consent_of_the_address(door: Door) -> None:
    fields = {**FILLED, "name": " Ann  A. ", "message": "Hello\nthere", "agree": "on", "send": "Send"}
    answer = _send(door, fields, headers={**JSON, "User-Agent": "Firefox"})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "ignored": ["send"]})
    identify, submit, marketing, terms = door.intake.records
    for entry in door.intake.entries:
        assert decode_record(entry.value)
        assert entry.contact_id == "ann@example.org"
    assert len({record.pop("event_id") for record in (identify, submit, marketing, terms)}) == 4
    shared = {"contact_id": "ann@example.org", "occurred_at": NOW, "received_at": NOW}
    assert identify == {"type": "identify", "traits": {"email": "ann@example.org", "full_name": "Ann A."}, **shared}
    assert submit == {
        "type": "track",
        "event": "form_submit",
        "properties": {"message": "Hello\nthere", "form": "news"},
        "context": {"userAgent": "Firefox"},
        "source": "form",
        **shared,
    }
    consent = {"type": "consent", "granted": True, **shared}
    assert marketing == {"purpose": "marketing", "document": "news-v3", "method": "web_form", **consent}
    assert terms == {"purpose": "terms", "document": "terms-v1", "method": "tick_box", **consent}


def test_multipart_is_read_like_the_rest_and_without_files(door: Door) -> None:
    fields = {name: (None, value) for name, value in FILLED.items()}
    assert door.client.post("/v1/form/news", files=fields).status_code == 303
    written = len(door.intake.entries)
    refused = door.client.post("/v1/form/news", files={**fields, "name": ("a.txt", b"Ann")}, headers=JSON)
    assert (refused.status_code, "no files" in refused.json()["error"]) == (400, True)
    assert len(door.intake.entries) == written


def test_text_beyond_ascii_is_utf_8_whether_it_is_percent_encoded_or_not(door: Door) -> None:
    for body in ("email=a%40b%C3%BCcher.example&terms=on&name=Jos%C3%A9", "email=a@bücher.example&terms=on&name=José"):
        door.intake.entries.clear()
        content_type = {"Content-Type": "application/x-www-form-urlencoded", **JSON}
        assert door.client.post("/v1/form/news", content=body.encode(), headers=content_type).status_code == 200
        assert door.intake.records[0]["traits"] == {"email": "a@xn--bcher-kva.example", "full_name": "José"}


def test_a_box_that_is_not_ticked_is_no_decision(door: Door) -> None:
    _send(door, {**FILLED, "agree": "off"})
    assert [record["purpose"] for record in door.intake.records if record["type"] == "consent"] == ["terms"]


def test_a_consent_without_a_box_is_given_by_sending_the_form(door: Door) -> None:
    answer = _send(door, {"email": "ann@example.org"}, "plain")
    assert (answer.status_code, "Thank you" in answer.text) == (200, True)
    assert [record["type"] for record in door.intake.records] == ["track", "consent"]


def test_a_browser_is_led_to_the_forms_page_or_to_one_of_its_others_and_nowhere_else(door: Door) -> None:
    first = _send(door, FILLED)
    assert (first.status_code, first.headers["location"]) == (303, "https://shop.example/thanks")
    second = _send(door, {**FILLED, "redirect": "https://shop.example/merci"})
    assert second.headers["location"] == "https://shop.example/merci"
    for target in ("https://evil.example/", "https://shop.example/merci/", "//evil.example"):
        refused = _send(door, {**FILLED, "redirect": target})
        assert (refused.status_code, "location" in refused.headers) == (400, False)


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_written(door: Door) -> None:
    fields = {"email": "ann", "name": "x" * 300, "agree": "perhaps"}
    answer = _send(door, fields, headers=JSON)
    problems = {problem["path"]: problem["expected"] for problem in answer.json()["problems"]}
    assert answer.status_code == 400
    assert problems == {
        "email": "expected an e-mail address like name@example.org",
        "name": "expected 1 to 256 characters",
        "agree": "expected on, yes, true or 1, or nothing, off, no, false or 0",
        "terms": "expected it to be ticked",
    }
    page = _send(door, fields)
    assert (page.status_code, "email: expected an e-mail address" in page.text) == (400, True)
    assert "email: expected it to be filled in" in _send(door, {"terms": "on"}).text
    assert door.intake.entries == []
    assert door.metric("segue_collector_rejected_total", reason="form_fields") == 3


def test_what_was_sent_is_never_repeated_on_a_page(door: Door) -> None:
    assert "<script>" not in _send(door, {"email": "<script>", "<script>": "<script>"}).text


def test_a_filled_honeypot_is_answered_like_success_and_counted_and_leaves_no_record(door: Door) -> None:
    for headers in ({}, JSON):
        good = _send(door, FILLED, headers=headers)
        written = len(door.intake.entries)
        trapped = _send(door, {**FILLED, "website": "https://spam.example"}, headers=headers)
        assert (trapped.status_code, trapped.text) == (good.status_code, good.text)
        assert trapped.headers.get("location") == good.headers.get("location")
        assert len(door.intake.entries) == written
    assert door.metric("segue_collector_rejected_total", reason="honeypot") == 2


def test_a_submission_that_is_sent_again_with_its_id_makes_the_same_records(door: Door) -> None:
    for _ in range(2):
        _send(door, {**FILLED, "messageId": "m1"})
    ids = [record["event_id"] for record in door.intake.records]
    assert ids[: len(ids) // 2] == ids[len(ids) // 2 :]
    assert len(set(ids)) == len(ids) // 2
    assert _send(door, {**FILLED, "messageId": "x" * 129}).status_code == 400


def test_only_pages_of_the_forms_origins_may_send_it_and_read_the_answer(door: Door) -> None:
    ours, theirs = {"Origin": "https://shop.example"}, {"Origin": "https://evil.example"}
    answer = _send(door, FILLED, headers=ours | JSON)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    assert answer.headers["vary"] == "Origin"
    wrong = _send(door, {"email": "ann"}, headers=ours | JSON)
    assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (400, "https://shop.example")
    written = len(door.intake.entries)
    for headers in (theirs, {"Origin": "null"}):
        refused = _send(door, FILLED, headers=headers)
        assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (403, False)
    assert len(door.intake.entries) == written


def test_a_browser_may_ask_beforehand(door: Door) -> None:
    asked = door.client.options("/v1/form/news", headers={"Origin": "https://shop.example"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-methods"] == "POST"
    assert door.client.options("/v1/form/news", headers={"Origin": "https://evil.example"}).status_code == 403


def test_ids_of_ones_own_are_taken_only_from_who_has_a_key(door: Door) -> None:
    fields = {"user": "u-1", "city": "Paris"}
    assert _send(door, fields, "account").status_code == 401
    assert _send(door, fields, "account", auth=("wrong-write-key", "")).status_code == 401
    assert door.intake.entries == []
    assert _send(door, fields, "account", auth=(WRITE_KEY, "")).status_code == 200
    identify, submit = door.intake.records
    assert (identify["contact_id"], identify["traits"]) == ("u-1", {"city": "Paris"})
    assert submit["source"] == "website"


def test_a_form_that_is_sent_with_a_key_counts_as_what_else_is_sent_with_it(forms: Path) -> None:
    with open_door(forms=forms, collector_key_events_per_s=2, collector_rate_burst_s=1) as door:
        sent = [_send(door, FILLED, headers=JSON, auth=(WRITE_KEY, "")) for _ in range(2)]
        assert [answer.status_code for answer in sent] == [200, 429]
        assert (sent[1].json()["code"], "retry-after" in sent[1].headers) == ("key_rate", True)
        assert door.track().status_code == 429, "the same bucket"
        assert len(door.intake.records) == 3
        assert _send(door, FILLED).status_code == 303, "without a key it is nobody's rate"


def test_a_form_counts_as_a_call_of_its_address_with_a_key_and_without(forms: Path) -> None:
    with open_door(forms=forms, collector_address_calls_per_s=2, collector_rate_burst_s=1) as door:
        assert _send(door, FILLED, auth=(WRITE_KEY, "")).status_code == 303
        assert _send(door, FILLED).status_code == 303
        answer = _send(door, FILLED, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (429, "address_rate")
        assert len(door.intake.records) == 6


@pytest.mark.parametrize(
    ("bounds", "error"),
    [
        ({"types": ["track"]}, "type: expected track, which is what this key may send"),
        ({"events": ["page_view"]}, "event: expected page_view, which is what this key may send"),
        ({"types": ["track", "identify", "consent"], "events": ["form_submit"]}, None),
    ],
)
def test_a_form_may_only_become_what_its_key_may_send(door: Door, bounds: dict[str, Any], error: str | None) -> None:
    issued = issue("app", NOW_MS, scopes=["write"], **bounds)
    door.keys.put(issued.entry)
    auth = (issued.secret, "")
    wait_until(lambda: _send(door, {}, auth=auth).status_code != 401, 10, "the key to be known")
    answer = _send(door, FILLED, headers=JSON, auth=auth)
    assert (answer.status_code, answer.json().get("error")) == (200 if error is None else 403, error)
    assert len(door.intake.records) == (3 if error is None else 0)


def test_a_key_that_is_none_is_refused_also_where_none_is_needed(door: Door) -> None:
    assert _send(door, FILLED, auth=("wrong-write-key", "")).status_code == 401


def test_a_form_that_is_not_written_is_not_confirmed(door: Door) -> None:
    door.intake.away = True
    as_json, as_page = _send(door, FILLED, headers=JSON), _send(door, FILLED)
    assert (as_json.status_code, as_json.headers["retry-after"]) == (503, "5")
    assert (as_page.status_code, as_page.headers["content-type"]) == (503, "text/html; charset=utf-8")


def test_a_form_that_is_not_in_the_file_is_not_found(door: Door) -> None:
    assert _send(door, FILLED, "none").status_code == 404
    assert door.client.get("/v1/form/news").status_code == 405


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"email": "ann@example.org"}', "application/json", 415),
        (b"", "", 415),
        (b"email=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"email=" + b"x" * 20_000, "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 201, "application/x-www-form-urlencoded", 400),
        (b"x", "multipart/form-data", 400),
        (b"x", "multipart/form-data; boundary=b", 400),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b", 400),
        (b"x", "multipart/form-data; boundary=" + "b" * 5_000, 400),
        (b"email=%ff%fe", "application/x-www-form-urlencoded", 400),
    ],
)
def test_a_body_out_of_bounds_or_shape_is_refused(door: Door, body: bytes, content_type: str, status: int) -> None:
    answer = door.client.post("/v1/form/news", content=body, headers={"Content-Type": content_type, **JSON})
    assert answer.status_code == status
    assert "expected" in answer.text
    assert door.intake.entries == []


_part = st.sampled_from(
    [
        b"--b",
        b"--b--",
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Disposition: form-data; name=",
        b'"email"',
        b'"terms"',
        b"=",
        b"&",
    ]
)
_charset = st.sampled_from(["", "; charset=utf-16", "; charset=base64", "; charset=no-such", "; charset=idna"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(_part | st.binary(max_size=12), max_size=20),
    media_type=st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]),
    charset=_charset,
)
def test_no_body_makes_the_collector_fail(door: Door, pieces: list[bytes], media_type: str, charset: str) -> None:
    headers = {"Content-Type": media_type + charset, **JSON}
    answer = door.client.post("/v1/form/news", content=b"".join(pieces), headers=headers)
    assert answer.status_code in (200, 400)
