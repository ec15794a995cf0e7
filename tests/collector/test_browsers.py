"""What browsers need beside the calls: keys in bodies, leave to call from other sites, and the library's settings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.settings import load_settings
from streams.collector.calls.api import LETTERS
from streams.collector.settings import CollectorSettings
from tests.collector.doubles import WRITE_KEY, Door, open_door

SITE = "https://shop.example"
CALLS: dict[str, dict[str, Any]] = {
    "track": {"event": "Product Added"},
    "page": {},
    "identify": {"traits": {"plan": "pro"}},
    "group": {"groupId": "g1"},
    "alias": {"previousId": "a1"},
    "screen": {},
}


@pytest.mark.parametrize(("call", "letter"), LETTERS.items())
def test_a_browsers_call_has_the_key_in_its_body_and_needs_no_preflight(door: Door, call: str, letter: str) -> None:
    body = json.dumps({"type": call, "userId": "c1", "writeKey": WRITE_KEY, **CALLS[call]})
    answer = door.client.post(
        f"/v1/{letter}", content=body.encode(), headers={"Content-Type": "text/plain", "Origin": SITE}
    )
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert len(door.intake.records) == 1
    assert "writeKey" not in str(door.intake.records)
    assert door.metric("segue_collector_requests_total", route=call, status="200") == 1


@pytest.mark.parametrize("path", ["/v1/b", "/v1/batch"])
def test_a_batch_that_a_closing_page_sends_has_the_key_in_its_body(door: Door, path: str) -> None:
    batch = {"writeKey": WRITE_KEY, "batch": [{"type": "page", "anonymousId": "a1"}]}
    content = json.dumps(batch).encode()
    answer = door.client.post(path, content=content, headers={"Content-Type": "text/plain;charset=UTF-8"})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert door.intake.records[0]["source"] == "website"


def test_a_beacon_has_the_key_in_its_address(door: Door) -> None:
    content = json.dumps({"batch": [{"type": "page", "anonymousId": "a1"}]}).encode()
    assert door.client.post(f"/beacon/v1/batch?writeKey={WRITE_KEY}", content=content).status_code == 200
    assert door.client.post("/beacon/v1/batch?writeKey=another-key", content=content).status_code == 401
    assert door.client.post("/beacon/v1/batch", content=content).status_code == 401
    assert len(door.intake.entries) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"writeKey":5}', b'{"writeKey":"another-key"}', b"[" * 100_000])
@pytest.mark.parametrize("path", ["/v1/t", "/v1/b"])
def test_a_body_without_a_known_key_is_unauthorized(door: Door, path: str, body: bytes) -> None:
    expected = 413 if path == "/v1/t" and len(body) > 50_000 else 401
    assert door.client.post(path, content=body).status_code == expected
    assert door.intake.entries == []


def test_a_header_counts_before_the_key_in_the_body(door: Door) -> None:
    body = {"userId": "c1", "event": "a", "writeKey": WRITE_KEY}
    assert door.post("/v1/track", body, key="another-write-key").status_code == 401


def test_a_visitor_is_not_asked_for_a_password_when_a_sites_key_is_wrong(door: Door) -> None:
    answer = door.client.post("/v1/t", content=b"{}", headers={"Origin": SITE})
    assert answer.status_code == 401
    assert "www-authenticate" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == "*", "a script may read why"


def test_a_preflight_is_answered_for_an_hour(door: Door) -> None:
    answer = door.client.options(
        "/v1/t",
        headers={
            "Origin": SITE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-max-age"] == "3600"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert {"Authorization", "Content-Type"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers


def test_only_sites_that_are_named_may_call_and_servers_always() -> None:
    with open_door(collector_origins=(SITE,)) as door:
        allowed = door.track()
        assert (allowed.status_code, allowed.headers.get("vary", "")) == (200, "")
        allowed = door.post("/v1/track", {"userId": "c1", "event": "a"}, Origin=SITE)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SITE)
        assert allowed.headers["vary"] == "Origin"
        for origin in ("https://other.example", "null", SITE + ".evil.example", "http://shop.example"):
            refused = door.post("/v1/track", {"userId": "c1", "event": "a"}, Origin=origin)
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in refused.headers
        assert door.client.options("/v1/t", headers={"Origin": "https://other.example"}).status_code == 403
        assert len(door.intake.entries) == 2
        assert door.metric("segue_collector_rejected_total", reason="forbidden") == 5


def test_ways_that_are_not_for_browsers_say_nothing_of_other_sites(door: Door) -> None:
    answer = door.client.get("/metrics", headers={"Origin": SITE})
    assert "access-control-allow-origin" not in answer.headers
    assert door.client.options("/v1/import", headers={"Origin": SITE}).status_code == 405


@pytest.mark.parametrize(
    "given", ["", " , ", "shop.example", "https://shop.example/", "https://Shop.example", "*,https://shop.example"]
)
def test_origins_that_are_none_are_refused_with_what_is_expected(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_WRITE_KEYS", '{"website": "a-write-key"}')
    monkeypatch.setenv("SEGUE_COLLECTOR_ORIGINS", given)
    with pytest.raises(InputError, match=r"SEGUE_COLLECTOR_ORIGINS: .*expected"):
        load_settings(CollectorSettings)


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_WRITE_KEYS", '{"website": "a-write-key"}')
    monkeypatch.setenv("SEGUE_COLLECTOR_ORIGINS", "https://shop.example, http://localhost:3000")
    assert load_settings(CollectorSettings).collector_origins == ("https://shop.example", "http://localhost:3000")


def test_the_librarys_settings_lead_back_to_this_collector(door: Door) -> None:
    answer = door.client.get(f"/v1/projects/{WRITE_KEY}/settings", headers={"Origin": SITE})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert answer.json() == {
        "integrations": {"Segment.io": {"apiKey": WRITE_KEY, "apiHost": "collector/v1", "protocol": "http"}},
        "metrics": {"sampleRate": 0},
    }
    assert answer.headers["cache-control"] == "no-store"


def test_behind_a_proxy_the_librarys_settings_lead_to_the_public_address() -> None:
    with open_door(collector_public_url="https://t.shop.example/") as door:
        settings = door.client.get(f"/v1/projects/{WRITE_KEY}/settings").json()["integrations"]["Segment.io"]
    assert (settings["protocol"], settings["apiHost"]) == ("https", "t.shop.example/v1")


@pytest.mark.parametrize(
    ("key", "host", "status"),
    [("another-key", "collector", 404), (WRITE_KEY, "evil.example/x?", 400), (WRITE_KEY, "a b", 400)],
)
def test_settings_are_given_for_keys_and_names_that_are_ours(door: Door, key: str, host: str, status: int) -> None:
    answer = door.client.get(f"/v1/projects/{key}/settings", headers={"Host": host})
    assert answer.status_code == status
    assert "www-authenticate" not in answer.headers


def test_what_the_library_counts_of_itself_is_taken_and_passed_over(door: Door) -> None:
    assert door.client.post("/v1/m", content=b'{"series":[]}').status_code == 200
    assert door.client.post("/v1/m", content=b"x" * 70_000).status_code == 413
    assert door.intake.entries == []
    assert door.metric("segue_collector_unwritten_total", call="sdk_metrics") == 1


def test_a_refusal_has_the_fields_by_which_sdks_know_not_to_try_again(door: Door) -> None:
    answer = door.post("/v1/track", {"event": "a"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert "userId or anonymousId" in answer.json()["message"]
    answer = door.post("/v1/track", {"event": "a"}, key="another-write-key")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.json()["message"]
