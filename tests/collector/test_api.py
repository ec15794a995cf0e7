"""What calls of tracking SDKs become, and how calls that cannot be taken are answered."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.records import decode_record
from streams.collector.settings import BATCH_BYTES_MAX, BATCH_EVENTS_MAX, EVENT_BYTES_MAX
from tests.collector.doubles import NOW, WRITE_KEY, Door, open_door


def _event(**fields: object) -> dict[str, Any]:
    return {"type": "track", "userId": "c1", "event": "Product Added", **fields}


def test_a_track_call_becomes_a_record_that_the_worker_reads(door: Door) -> None:
    answer = door.track(
        messageId="m1",
        timestamp="2026-11-21T09:59:00.123Z",
        properties={"price": 50},
        context={"page": {"path": "/x"}},
    )
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": []})
    (entry,) = door.intake.entries
    assert entry.contact_id == "c1"
    assert decode_record(entry.value)
    assert json.loads(entry.value) == {
        "type": "track",
        "event_id": "m1",
        "contact_id": "c1",
        "occurred_at": "2026-11-21T09:59:00.123Z",
        "received_at": NOW,
        "event": "cart_add",
        "properties": {"price": 50, "value": 50},
        "context": {"page": {"path": "/x"}},
        "source": "website",
    }


def test_an_identify_call_becomes_traits_and_a_null_stays_a_null(door: Door) -> None:
    answer = door.post("/v1/identify", {"userId": "c1", "messageId": "m1", "traits": {"plan": "pro", "city": None}})
    assert answer.status_code == 200
    assert door.intake.records == [
        {
            "type": "identify",
            "event_id": "m1",
            "contact_id": "c1",
            "occurred_at": NOW,
            "received_at": NOW,
            "traits": {"plan": "pro", "city": None},
        }
    ]


def test_a_batch_keeps_its_order_and_its_context_lies_under_each_events_own(door: Door) -> None:
    batch = {
        "batch": [_event(messageId="a", context={"locale": "fr"}), {"type": "identify", "userId": "c2"}, _event()],
        "context": {"locale": "en", "library": "x"},
    }
    answer = door.post("/v1/batch", batch)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 3)
    first, second, third = door.intake.records
    assert first["context"] == {"locale": "fr", "library": "x"}
    assert second["type"] == "identify"
    assert third["context"] == {"locale": "en", "library": "x"}


def test_a_contact_without_a_user_id_is_anonymous_and_cannot_be_feigned(door: Door) -> None:
    door.post("/v1/track", {"anonymousId": "x9", "event": "page_view"})
    assert door.intake.entries[0].contact_id == "anon:x9"
    answer = door.track(userId="anon:x9")
    assert answer.status_code == 400
    assert answer.json()["rejected"][0]["problems"][0]["path"] == "userId"


def test_ids_are_made_for_events_that_have_none(door: Door) -> None:
    door.track()
    door.track()
    first, second = (record["event_id"] for record in door.intake.records)
    assert first != second


def test_a_wrong_clock_of_the_sender_is_corrected_and_the_time_on_the_way_is_not(door: Door) -> None:
    door.track(timestamp="2026-11-21T11:58:00.000Z", sentAt="2026-11-21T12:00:00.000Z")
    door.track(timestamp="2026-11-21T09:58:00.000Z", sentAt="2026-11-21T09:59:56.000Z")
    door.post("/v1/batch", {"batch": [_event(timestamp="2026-11-21T08:58:00Z")], "sentAt": "2026-11-21T09:00:00Z"})
    occurred = [record["occurred_at"] for record in door.intake.records]
    assert occurred == ["2026-11-21T09:58:00.000Z"] * 3


def test_a_batch_with_bad_events_takes_the_good_ones_and_names_the_others(door: Door) -> None:
    answer = door.post("/v1/batch", {"batch": [_event(), _event(event=7, messageId="bad"), 3, _event(type="wink")]})
    assert answer.status_code == 400
    body = answer.json()
    assert (body["accepted"], body["error"]) == (1, "rejected 3 of 4 events")
    assert [(one["index"], one["messageId"], one["problems"][0]["path"]) for one in body["rejected"]] == [
        (1, "bad", "event"),
        (2, None, ""),
        (3, None, "type"),
    ]
    assert len(door.intake.entries) == 1


def test_everything_wrong_with_an_event_is_told_at_once(door: Door) -> None:
    answer = door.track(event="", userId="", timestamp="yesterday", messageId=5, properties=[], sentAt=1)
    paths = {problem["path"] for problem in answer.json()["rejected"][0]["problems"]}
    assert paths == {"event", "userId", "timestamp", "messageId", "properties", "sentAt"}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"userId": None}, "userId"),
        ({"userId": 5}, "userId"),
        ({"userId": "x" * 257}, "userId"),
        ({"userId": None, "anonymousId": "x" * 252}, "anonymousId"),
        ({"messageId": "x" * 129}, "messageId"),
        ({"messageId": ""}, "messageId"),
        ({"event": None}, "event"),
        ({"event": "   "}, "event"),
        ({"timestamp": "2026-11-21T10:00:00"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "3000-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": 1_795_255_200_000}, "timestamp"),
        ({"timestamp": "1970-01-01T00:00:00Z", "sentAt": "2199-01-01T00:00:00Z"}, "timestamp"),
        ({"context": "x"}, "context"),
        ({"type": "identify"}, "type"),
    ],
)
def test_a_bad_field_is_refused_with_its_path(door: Door, change: dict[str, object], path: str) -> None:
    answer = door.track(**change)
    assert answer.status_code == 400
    assert answer.json()["rejected"][0]["problems"][0]["path"] == path
    assert door.intake.entries == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b'{"userId":"c1","event":"a","properties":{"x":NaN}}',
        b'{"userId":"c1","event":"a","properties":{"x":1e999}}',
        b'{"userId":"c1","event":"a","properties":{"x":' + b"9" * 5_000 + b"}}",
        b'{"userId":"c1","event":"a","properties":' + b'{"a":' * 64 + b"1" + b"}" * 64 + b"}",
    ],
)
def test_a_body_that_is_no_json_event_is_refused(door: Door, body: bytes) -> None:
    assert door.post("/v1/track", body).status_code == 400
    assert door.intake.entries == []


def test_half_an_emoji_costs_no_event_of_its_batch(door: Door) -> None:
    halves = rb'["a\ud83d", "\uDE00", "\ud83d\ud83d\ude00", "\\ud83d", "\ud83d\n"]'
    cut = b'{"type":"track","userId":"c1","event":"a","messageId":"cut","properties":{"titles":' + halves + b"}}"
    batch = b'{"writeKey":"%s","batch":[%s,%s]}' % (WRITE_KEY.encode(), cut, json.dumps(_event()).encode())
    for path, body in (("/v1/track", cut), ("/v1/batch", batch), (f"/beacon/v1/batch?writeKey={WRITE_KEY}", batch)):
        assert door.post(path, body).json()["rejected"] == []
    assert door.client.post("/v1/batch", content=batch).status_code == 200, "the key is found in such a body too"
    assert len(door.intake.entries) == 7
    titles = ["a\ufffd", "\ufffd", "\ufffd\U0001f600", "\\ud83d", "\ufffd\n"]
    assert [one["properties"]["titles"] for one in door.intake.records if one["event_id"] == "cut"] == [titles] * 4


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_json_nested_ten_thousand_deep_is_refused(door: Door, path: str) -> None:
    deep = b"[" * 10_000 + b"]" * 10_000
    event = b'{"type":"track","userId":"c1","event":"a","properties":{"a":' + deep + b"}}"
    answer = door.post(path, event if path == "/v1/track" else b'{"batch":[' + event + b"]}")
    assert answer.status_code == 400
    assert door.intake.entries == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"batch": None}, 400),
        ({"batch": {}}, 400),
        ([], 400),
        ({"batch": [], "context": 5}, 400),
        ({"batch": [], "sentAt": "noon"}, 400),
        ({"batch": [], "context": {"x": "y" * 5_000}}, 413),
        ({"batch": [1] * (BATCH_EVENTS_MAX + 1)}, 413),
        ({"batch": []}, 200),
    ],
)
def test_the_shape_of_a_batch_is_checked(door: Door, body: object, status: int) -> None:
    answer = door.post("/v1/batch", body)
    assert answer.status_code == status
    assert answer.json()["accepted"] == 0


def test_an_event_of_the_largest_size_is_taken_and_one_byte_more_is_not(door: Door) -> None:
    frame = len(json.dumps({"userId": "c1", "event": "Product Added", "properties": {"x": ""}}))
    assert door.track(properties={"x": "y" * (EVENT_BYTES_MAX - frame)}).status_code == 200
    answer = door.track(properties={"x": "y" * (EVENT_BYTES_MAX - frame + 1)})
    assert answer.status_code == 413
    assert len(door.intake.entries) == 1
    assert door.metric("segue_collector_rejected_total", reason="too_large") == 1


def test_an_event_too_large_in_a_batch_is_named_and_the_others_are_taken(door: Door) -> None:
    answer = door.post("/v1/batch", {"batch": [_event(), _event(properties={"x": "y" * EVENT_BYTES_MAX})]})
    assert (answer.status_code, answer.json()["accepted"]) == (413, 1)
    assert answer.json()["rejected"][0]["index"] == 1


def test_a_batch_above_its_bytes_is_refused_also_when_its_length_is_not_announced(door: Door) -> None:
    chunk = b"x" * 65_536

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BATCH_BYTES_MAX // len(chunk) + 1):
            yield chunk

    announced = door.post("/v1/batch", b"x" * (BATCH_BYTES_MAX + 1))
    streamed = door.client.post("/v1/batch", content=chunks(), auth=(WRITE_KEY, ""))
    assert [announced.status_code, streamed.status_code] == [413, 413]


def test_a_body_that_does_not_come_is_not_waited_for_long() -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with open_door(collector_body_timeout_ms=100) as door:
        assert door.client.post("/v1/track", content=stuck(), auth=(WRITE_KEY, "")).status_code == 408


def test_a_gzip_body_is_read_and_its_bomb_is_not(door: Door) -> None:
    batch = json.dumps({"batch": [_event()]}).encode()
    gzipped = {"Content-Encoding": "gzip"}
    assert door.post("/v1/batch", gzip.compress(batch), **gzipped).status_code == 200
    assert door.post("/v1/batch", gzip.compress(b"x" * 50_000_000), **gzipped).status_code == 413
    assert door.post("/v1/batch", batch, **gzipped).status_code == 400
    assert door.post("/v1/batch", gzip.compress(batch)[:-9], **gzipped).status_code == 400
    assert door.post("/v1/batch", batch, **{"Content-Encoding": "br"}).status_code == 415
    assert len(door.intake.entries) == 1


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"another-write-key:").decode(),
        "Basic " + base64.b64encode(WRITE_KEY.encode()).decode(),
        "Bearer " + WRITE_KEY,
    ],
)
def test_a_call_without_a_known_write_key_is_unauthorized(door: Door, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = door.client.post("/v1/track", content=b"{}", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert door.metric("segue_collector_rejected_total", reason="unauthorized") == 1


def test_each_source_is_told_by_its_own_key() -> None:
    keys = {"website": SecretStr(WRITE_KEY), "app": SecretStr("app-write-key")}
    with open_door(write_keys=keys) as door:
        door.post("/v1/track", _event(), key="app-write-key")
        door.post("/v1/track", _event())
        assert [record["source"] for record in door.intake.records] == ["app", "website"]


def test_a_full_queue_is_answered_503_with_retry_after(door: Door) -> None:
    door.intake.full = True
    answer = door.track()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert door.metric("segue_collector_rejected_total", reason="queue_full") == 1


def test_no_ack_from_kafka_is_answered_503_with_retry_after(door: Door) -> None:
    door.intake.away = True
    answer = door.track()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "messageId" in answer.json()["error"]
    assert door.metric("segue_collector_records_total", type="track") == 0
