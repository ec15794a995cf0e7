"""Events as images."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.collector.doubles import WRITE_KEY, Door, open_door


def _data(body: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")


def _fetch(door: Door, path: str, query: dict[str, Any], **headers: str) -> httpx.Response:
    answer = door.client.get(f"{path}?{urlencode(query)}", headers={"User-Agent": "Mail/1.0", **headers})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert "no-store" in answer.headers["cache-control"]
    assert answer.content.startswith(b"GIF89a")
    return answer


@pytest.mark.parametrize("path", ["/v1/pixel/track", "/pixel/v1/track"])
def test_a_call_in_base64url_becomes_a_record(door: Door, path: str) -> None:
    body = {"writeKey": WRITE_KEY, "userId": "c1", "event": "Order Completed", "messageId": "m1",
            "properties": {"revenue": 5, "sign": "?>~"}}  # fmt: skip
    _fetch(door, path, {"data": _data(body)})
    (record,) = door.intake.records
    assert (record["event_id"], record["contact_id"], record["event"]) == ("m1", "c1", "purchase")
    assert record["properties"] == {"revenue": 5, "sign": "?>~", "amount": 5}
    assert (record["source"], record["context"]) == ("website", {"userAgent": "Mail/1.0"})
    assert "machine" not in record


def test_images_count_against_the_rate_of_their_key_and_are_served_past_it() -> None:
    body = {"writeKey": WRITE_KEY, "userId": "c1", "event": "page_view"}
    with open_door(collector_key_events_per_s=2, collector_rate_burst_s=1) as door:
        for _ in range(3):
            _fetch(door, "/v1/pixel/track", {"data": _data(body)})
        assert len(door.intake.entries) == 2
        assert door.metric("segue_collector_rejected_total", reason="key_rate") == 1


def test_half_an_emoji_in_the_json_of_an_image_costs_no_event(door: Door) -> None:
    body = {"writeKey": WRITE_KEY, "userId": "c1", "event": "page_view", "properties": {"title": "a\ud83d"}}
    _fetch(door, "/v1/pixel/track", {"data": _data(body)})
    assert door.intake.records[0]["properties"] == {"title": "a\ufffd"}


def test_both_alphabets_and_paddings_of_base64_are_read(door: Door) -> None:
    raw = json.dumps({"writeKey": WRITE_KEY, "userId": "c1", "event": "a?>~?>~"}).encode()
    for text in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        _fetch(door, "/v1/pixel/track", {"data": text.decode()})
        _fetch(door, "/v1/pixel/track", {"data": text.decode().rstrip("=")})
    assert len(door.intake.entries) == 4


def test_parameters_with_dots_are_fields_inside_others(door: Door) -> None:
    query = {
        "writeKey": WRITE_KEY,
        "anonymousId": "a1",
        "name": "Home",
        "properties.path": "/",
        "context.page.title": "Shoes",
        "context.userAgent": "its own",
    }
    _fetch(door, "/pixel/v1/page", query)
    (record,) = door.intake.records
    assert (record["contact_id"], record["event"]) == ("anon:a1", "page_view")
    assert record["properties"] == {"path": "/", "name": "Home"}
    assert record["context"] == {"userAgent": "its own", "page": {"title": "Shoes"}}
    assert door.metric("segue_collector_requests_total", route="pixel", status="200") == 1


def test_an_image_that_a_machine_fetched_says_so(door: Door) -> None:
    body = {"writeKey": WRITE_KEY, "userId": "c1", "event": "Email Opened"}
    _fetch(door, "/v1/pixel/track", {"data": _data(body)}, **{"User-Agent": "Mozilla/5.0"})
    assert door.intake.records[0]["machine"] == {"suspected": True, "reasons": ["prefetch_proxy"]}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({}, "unauthorized"),
        ({"writeKey": "another-key", "userId": "c1", "event": "a"}, "unauthorized"),
        ({"writeKey": WRITE_KEY, "event": "a"}, "invalid"),
        ({"writeKey": WRITE_KEY, "userId": "c1"}, "invalid"),
        ({"writeKey": WRITE_KEY, "userId": "c1", "event": "a", "context": "x", "context.y": "z"}, "invalid"),
        ({"writeKey": WRITE_KEY, "userId": "c1", "event": "a", "properties" + ".x" * 20_000: "z"}, "invalid"),
        ({"data": "%%%"}, "invalid"),
        ({"data": "é"}, "invalid"),
        ({"data": _data([1])}, "invalid"),
        ({"data": _data({"writeKey": WRITE_KEY, "userId": "c1", "event": "a", "x": "y" * 33_000})}, "invalid"),
    ],
)
def test_the_image_is_served_whatever_is_wrong_and_that_is_counted(
    door: Door, query: dict[str, str], reason: str
) -> None:
    _fetch(door, "/pixel/v1/track", query)
    assert door.intake.entries == []
    assert door.metric("segue_collector_rejected_total", reason=reason) == 1


def test_the_image_is_served_while_kafka_is_away_and_the_loss_is_counted(door: Door) -> None:
    door.intake.away = True
    _fetch(door, "/pixel/v1/track", {"writeKey": WRITE_KEY, "userId": "c1", "event": "a"})
    assert door.metric("segue_collector_lost_total", route="pixel") == 1


def test_asking_for_the_head_of_the_image_is_no_event(door: Door) -> None:
    answer = door.client.head(f"/pixel/v1/track?writeKey={WRITE_KEY}&userId=c1&event=a")
    assert answer.status_code == 200
    assert door.intake.entries == []
