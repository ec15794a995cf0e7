"""SendGrid's events over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import decode_record
from tests.collector.doubles import NOW, Door
from tests.collector.providers.hooks import (
    HOOKS,
    NOW_S,
    OTHER_EC_KEY,
    SENDGRID_KEY,
    Call,
    events_of,
    open_hooks,
    refused,
    sendgrid,
    shapes,
    shown_key,
    told,
)

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


def event(kind: str, number: int = 1, /, **more: Any) -> dict[str, Any]:
    """One event as SendGrid sends it, with the sender's own arguments on the same level."""
    return {
        "email": "Ann@Example.com",
        "timestamp": NOW_S - 60,
        "event": kind,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "sg_event_id": f"ZHVtbXk{number}==",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "category": ["spring", "sale"],
        "contact_id": "c1",
        "campaign_id": "welcome",
        **more,
    }


def test_a_click_is_an_event_of_the_contact_that_the_sender_named(door: Door) -> None:
    click = event("click", url="https://shop.example/sale", ip="192.0.2.7", useragent=BROWSER, plan=3, asm_group_id=9)
    answer = sendgrid([click]).to(door)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "passed_over": 0})
    assert decode_record(door.intake.entries[0].value)
    assert door.intake.records == [
        {
            "type": "track",
            "event_id": "sendgrid:ZHVtbXk1==",
            "contact_id": "c1",
            "event": "email_click",
            "occurred_at": "2026-11-21T09:59:00.000Z",
            "received_at": NOW,
            "properties": {
                "campaign_id": "welcome",
                "email_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
                "link_url": "https://shop.example/sale",
                "provider_type": "click",
                "tags": ["spring", "sale"],
                "variables": {"plan": 3, "asm_group_id": "9"},
            },
            "context": {"userAgent": BROWSER, "ip": "192.0.2.7"},
            "source": "sendgrid/newsletters",
        }
    ]


def test_every_type_of_a_batch_becomes_its_event_or_is_passed_over(door: Door) -> None:
    batch = [
        event("processed", 1),
        event("deferred", 2, response="400 try again later", attempt="5"),
        event("delivered", 3, response="250 OK", ip="198.51.100.1"),
        event("open", 4, sg_machine_open=False),
        event("bounce", 5, type="bounce", reason="550 unknown user", status="5.1.1"),
        event("bounce", 6, type="blocked", reason="421 too much mail"),
        event("dropped", 7, reason="Bounced Address"),
        event("dropped", 8, reason="Unsubscribed Address"),
        event("spamreport", 9),
        event("unsubscribe", 10),
        event("group_unsubscribe", 11, asm_group_id=7),
        event("group_resubscribe", 12, asm_group_id=7),
    ]
    assert sendgrid(batch).to(door).json() == {"accepted": 8, "passed_over": 4}
    assert [name for _, name in events_of(door)] == [
        "email_delivered", "email_open", "email_bounce", "email_bounce", "email_bounce", "spam_complaint",
        "unsubscribe", "unsubscribe",
    ]  # fmt: skip
    assert shapes(door.intake.records, "bounce_type", "reason")[2:5] == [
        ["hard", "550 unknown user"],
        ["soft", "421 too much mail"],
        ["hard", "Bounced Address"],
    ]
    assert door.intake.records[0]["context"] == {}, "the address beside a delivery is SendGrid's own"
    assert "machine" not in door.intake.records[1]
    assert told(door, "sendgrid", "email_bounce") == 3
    assert told(door, "sendgrid", "passed_over") == 4


def test_an_open_of_a_machine_is_kept_and_marked(door: Door) -> None:
    by_mark = event("open", 1, sg_machine_open=True, useragent=BROWSER)
    by_agent = event("open", 2, useragent="Mozilla/5.0")
    by_both = event("open", 3, sg_machine_open=True, useragent="Mozilla/5.0")
    sendgrid([by_mark, by_agent, by_both]).to(door)
    assert [record["machine"]["reasons"] for record in door.intake.records] == [
        ["provider_mark"], ["prefetch_proxy"], ["provider_mark", "prefetch_proxy"],
    ]  # fmt: skip


def _forged() -> list[Call]:
    good = sendgrid([event("open")])
    stamp, signature = "X-Twilio-Email-Event-Webhook-Timestamp", "X-Twilio-Email-Event-Webhook-Signature"
    return [
        good._replace(body=good.body + b" "),
        good._replace(headers=good.headers | {stamp: str(NOW_S + 1)}),
        good._replace(headers=good.headers | {signature: "bm90IGEgc2lnbmF0dXJl"}),
        good._replace(headers=good.headers | {signature: "%%%"}),
        good._replace(headers={stamp: str(NOW_S)}),
        good._replace(headers={}),
        sendgrid([event("open")], key=OTHER_EC_KEY),
    ]


def test_a_forged_call_is_refused_and_leaves_nothing(door: Door) -> None:
    for call in _forged():
        assert call.to(door).status_code == 401
    assert door.intake.entries == []
    assert refused(door, "sendgrid", "bad_signature") == len(_forged())
    assert door.metric("segue_collector_rejected_total", reason="bad_signature") == len(_forged())


def test_a_key_that_is_being_replaced_and_its_successor_both_verify() -> None:
    keys = [shown_key(OTHER_EC_KEY), shown_key(SENDGRID_KEY)]
    with open_hooks(newsletters={"public_keys": keys}) as door:
        for key in (SENDGRID_KEY, OTHER_EC_KEY):
            assert sendgrid([event("open")], key=key).to(door).status_code == 200


def test_a_call_signed_too_long_ago_or_ahead_of_now_is_not_taken_and_not_asked_for_again(door: Door) -> None:
    for signed_at_s in (NOW_S - 90_001, NOW_S + 301):
        answer = sendgrid([event("open")], signed_at_s=signed_at_s).to(door)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    assert sendgrid([event("open", 2)], signed_at_s=NOW_S - 90_000).to(door).json()["accepted"] == 1
    assert sendgrid([event("open", 3)], signed_at_s=NOW_S + 300).to(door).json()["accepted"] == 1
    assert len(door.intake.entries) == 2
    assert refused(door, "sendgrid", "stale") == 2


@pytest.mark.parametrize(
    "body", [b"", b"[", b'{"event": "open"}', b'"open"', b"[" * 100 + b"]" * 100, b"[{}", b"\xff[]"]
)
def test_a_signed_body_that_can_never_be_read_ends_the_repetitions(door: Door, body: bytes) -> None:
    answer = sendgrid(body).to(door)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    assert refused(door, "sendgrid", "invalid") == 1
    assert door.intake.entries == []


def test_bad_events_do_not_keep_the_good_ones_of_a_batch_from_being_written(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    batch = [
        event("open", 1),
        event("open", 2, timestamp="yesterday"),
        event("open", 3, contact_id=None),
        event("open", 4, sg_event_id=""),
        event("beamed", 5),
        "open",
        event("click", 6, contact_id=12, url="https://shop.example/"),
    ]
    answer = sendgrid(batch).to(door)
    assert answer.status_code == 200
    assert (answer.json()["accepted"], answer.json()["turned_away"]) == (2, 5)
    assert answer.json()["problems"] == [
        "[1] timestamp: expected seconds since 1970, up to the year 2199",
        "[2] contact_id: expected the contact's id",
        "[3] sg_event_id: expected a string of 1 to 200 characters",
        "[4] expected a type of event that is known",
        "[5] expected a JSON object",
    ]
    assert events_of(door) == [("c1", "email_open"), ("12", "email_click")]
    counted = [refused(door, "sendgrid", reason) for reason in ("invalid", "unidentified", "unknown_type")]
    assert counted == [3, 1, 1]
    for secret in ("Ann", "example.com", "c1", "ZHVtbXk", "yesterday", "beamed"):
        assert secret not in caplog.text
    assert "5 events of the hook sendgrid/newsletters" in caplog.text


def test_two_hooks_of_one_provider_have_a_key_each() -> None:
    second = HOOKS["newsletters"] | {"public_keys": [shown_key(OTHER_EC_KEY)], "contact": "email"}
    with open_hooks(tips=second) as door:
        assert sendgrid([event("open")], hook="tips").to(door).status_code == 401
        assert sendgrid([event("open")], key=OTHER_EC_KEY, hook="tips").to(door).status_code == 200
        assert sendgrid([event("open")]).to(door).status_code == 200
        assert [(each["contact_id"], each["source"]) for each in door.intake.records] == [
            ("ann@example.com", "sendgrid/tips"), ("c1", "sendgrid/newsletters"),
        ]  # fmt: skip
