"""What is around every answer: guarding headers, nothing of our insides, and a log that names nobody."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import pytest

from streams.collector.guarding.addresses import Written
from streams.links import Link
from tests.collector.doubles import SIGNER, Door, open_door

_PATHS = ["/healthz", "/readyz", "/metrics", "/o/x.gif", "/c/x", "/v1/track", "/nowhere", "/v1/projects/x/settings"]


@pytest.mark.parametrize("path", _PATHS)
def test_no_answer_is_kept_or_runs_anything(door: Door, path: str) -> None:
    answer = door.client.get(path)
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in answer.headers


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/v1/track", 405)])
def test_what_is_not_served_is_told_in_json(door: Door, path: str, status: int) -> None:
    answer = door.client.get(path)
    assert answer.status_code == status
    assert answer.json()["code"] == "not_served"
    assert set(answer.json()) == {"error", "code", "message"}


def test_a_bug_is_told_to_the_log_and_not_to_a_stranger(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_entries: object) -> None:
        raise ZeroDivisionError("the-inside-of-it")

    monkeypatch.setattr(door.intake, "append", broken)

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(door.client.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
            return await client.post("/v1/track", json={"userId": "c1", "event": "x"}, auth=("website-write-key", ""))

    answer = asyncio.run(call())
    assert answer.status_code == 500
    assert answer.json()["code"] == "bug"
    assert answer.headers["cache-control"] == "no-store"
    for inside in ("the-inside-of-it", "Traceback", "ZeroDivision", "streams"):
        assert inside not in answer.text
    assert door.metric("segue_collector_requests_total", route="track", status="500") == 1


def test_the_access_log_names_the_way_and_the_key_and_nothing_of_a_person(caplog: pytest.LogCaptureFixture) -> None:
    token = SIGNER.make("open", Link("contact-4711", "welcome"))
    with caplog.at_level(logging.INFO, "segue.access"), open_door(collector_access_log=True) as door:
        door.post("/v1/track", {"userId": "contact-4711", "event": "page_view"}, **{"X-Forwarded-For": "198.51.100.7"})
        door.client.get(f"/o/{token}.gif")
        door.client.get("/a-path-that-a-stranger-made-up?email=c@shop.example")
    lines = [record.getMessage() for record in caplog.records if record.name == "segue.access"]
    shown = [line.split(" in ")[0] for line in lines if "readyz" not in line]
    assert shown == ["POST track 200", "GET open 200", "- other 404"]
    assert lines[-3].endswith("bytes, key website")
    for secret in ("4711", token, "stranger", "shop.example", "198.51.100.7", "website-write-key"):
        assert secret not in "\n".join(lines)


def test_without_the_setting_no_call_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), open_door() as door:
        door.track()
    assert not [record for record in caplog.records if record.name == "segue.access"]


@pytest.mark.parametrize(
    ("setting", "given", "browser", "kept"),
    [
        ("none", "198.51.100.77", True, None),
        ("none", None, True, None),
        ("truncated", "198.51.100.77", False, "198.51.100.0"),
        ("truncated", None, True, "203.0.113.0"),
        ("full", "198.51.100.77", True, "198.51.100.77"),
        ("full", None, True, "203.0.113.9"),
        ("full", None, False, None),
        ("full", "somewhere", True, None),
        ("full", 5, True, "203.0.113.9"),
    ],
)
def test_a_record_keeps_of_an_address_what_the_setting_allows(
    setting: Written, given: Any, browser: bool, kept: str | None
) -> None:
    """The address of a browser is filled in; that of a server, which is nobody's, is not."""
    with open_door(collector_addresses=setting, collector_proxies="127.0.0.1") as door:
        headers = {"X-Forwarded-For": "203.0.113.9", **({"Sec-Fetch-Site": "cross-site"} if browser else {})}
        context = {} if given is None else {"ip": given}
        answer = door.post("/v1/track", {"userId": "c1", "event": "page_view", "context": context}, **headers)
        assert answer.status_code == 200
        assert door.intake.records[0]["context"] == ({} if kept is None else {"ip": kept})


def test_an_open_keeps_the_address_that_the_setting_allows() -> None:
    token = SIGNER.make("open", Link("c1", "welcome"))
    with open_door(collector_addresses="truncated") as door:
        door.client.get(f"/o/{token}.gif", headers={"X-Forwarded-For": "203.0.113.9"})
        assert door.intake.records[0]["context"]["ip"] == "127.0.0.0", "nobody said that this proxy is ours"
