"""Mailgun's events over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from schemas.records import decode_record
from streams.collector.http.refusals import Refusal
from streams.collector.providers.mailgun import Mailgun, MailgunSettings
from streams.collector.providers.provider import Call
from tests.collector.doubles import NOW, NOW_MS, Door
from tests.collector.providers.hooks import NOW_S, OLDER_SECRET, SECRET, events_of, mailgun, refused, shapes, told

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


def event(kind: str, number: int = 1, /, **more: Any) -> dict[str, Any]:
    """One event as Mailgun sends it."""
    return {
        "event": kind,
        "id": f"Ase7i2zsRYeDXztHGENqR{number}",
        "timestamp": NOW_S - 60 + 0.873676,
        "log-level": "info",
        "recipient": "Ann@Example.com",
        "tags": ["spring"],
        "user-variables": {"contact_id": "c1", "campaign_id": "welcome", "plan": "gold"},
        "message": {"headers": {"message-id": "20261121095900.1.AB12@mg.shop.example", "to": "Ann <ann@example.com>"}},
        **more,
    }


def test_a_click_is_an_event_of_the_contact_in_the_user_variables(door: Door) -> None:
    client = {"client-name": "Firefox", "device-type": "desktop", "user-agent": BROWSER}
    click = event("clicked", url="https://shop.example/sale", ip="192.0.2.7", **{"client-info": client})
    assert mailgun(click).to(door).json() == {"accepted": 1, "passed_over": 0}
    (record,) = door.intake.records
    assert decode_record(door.intake.entries[0].value)
    assert record.pop("event_id").startswith("mailgun:")
    assert record == {
        "type": "track",
        "contact_id": "c1",
        "event": "email_click",
        "occurred_at": "2026-11-21T09:59:00.873Z",
        "received_at": NOW,
        "properties": {
            "campaign_id": "welcome",
            "email_id": "20261121095900.1.AB12@mg.shop.example",
            "link_url": "https://shop.example/sale",
            "provider_type": "clicked",
            "tags": ["spring"],
            "variables": {"plan": "gold"},
        },
        "context": {"userAgent": BROWSER, "ip": "192.0.2.7"},
        "source": "mailgun/receipts",
    }


@pytest.mark.parametrize(
    ("kind", "more", "name", "bounce_type"),
    [
        ("delivered", {}, "email_delivered", None),
        ("opened", {}, "email_open", None),
        ("complained", {}, "spam_complaint", None),
        ("unsubscribed", {}, "unsubscribe", None),
        ("failed", {"severity": "permanent", "reason": "bounce"}, "email_bounce", "hard"),
        ("failed", {"severity": "permanent", "reason": "suppress-bounce"}, "email_bounce", "hard"),
        ("failed", {"severity": "permanent", "reason": "old"}, "email_bounce", "soft"),
        ("failed", {"severity": "permanent", "reason": "espblock"}, "email_bounce", "soft"),
        ("failed", {"severity": "temporary", "reason": "old"}, "email_bounce", "soft"),
        ("failed", {"severity": "temporary", "reason": "generic"}, None, None),
        ("failed", {"severity": "permanent", "reason": "suppress-unsubscribe"}, None, None),
        ("accepted", {}, None, None),
        ("rejected", {"reject": {"reason": "a virus"}}, None, None),
    ],
)
def test_a_type_becomes_its_event_or_is_passed_over(
    door: Door, kind: str, more: dict[str, object], name: str | None, bounce_type: str | None
) -> None:
    status = {"code": 550, "message": "5.1.1 unknown user", "description": ""}
    assert mailgun(event(kind, **more, **{"delivery-status": status})).to(door).status_code == 200
    assert events_of(door) == ([] if name is None else [("c1", name)])
    assert told(door, "mailgun", name or "passed_over") == 1
    if name == "email_bounce":
        assert shapes(door.intake.records, "bounce_type", "reason") == [[bounce_type, "5.1.1 unknown user"]]


def test_an_open_by_a_prefetching_proxy_is_marked(door: Door) -> None:
    mailgun(event("opened", **{"client-info": {"user-agent": "Mozilla/5.0"}})).to(door)
    assert door.intake.records[0]["machine"] == {"suspected": True, "reasons": ["prefetch_proxy"]}


def test_a_forged_call_is_refused_and_leaves_nothing(door: Door) -> None:
    good = mailgun(event("opened"))
    body = json.loads(good.body)
    spoiled = [
        {**body, "signature": {**body["signature"], "timestamp": str(NOW_S - 1)}},
        {**body, "signature": {**body["signature"], "token": "u" * 50}},
        {**body, "signature": {**body["signature"], "signature": "0" * 64}},
        {**body, "signature": {**body["signature"], "signature": "é" * 64}},
        {**body, "signature": {"timestamp": NOW_S}},
        {**body, "signature": None},
        {"event-data": body["event-data"]},
        [body],
    ]
    calls = [good._replace(body=json.dumps(each).encode()) for each in spoiled]
    for call in [*calls, mailgun(event("opened"), key="a-key-of-somebody-else")]:
        assert call.to(door).status_code == 401
    assert door.intake.entries == []
    assert refused(door, "mailgun", "bad_signature") == len(spoiled) + 1


def test_a_subaccount_s_event_may_be_signed_by_the_account_above_it(door: Door) -> None:
    call = mailgun(event("opened"))
    body = json.loads(call.body)
    signed = body["signature"]
    own = {**signed, "signature": "0" * 64, "parent-signature": signed["signature"]}
    assert call._replace(body=json.dumps({**body, "signature": own}).encode()).to(door).status_code == 200
    own["parent-signature"] = "1" * 64
    assert call._replace(body=json.dumps({**body, "signature": own}).encode()).to(door).status_code == 401


def test_both_keys_verify_while_one_is_being_replaced(door: Door) -> None:
    for number, key in enumerate((SECRET, OLDER_SECRET)):
        assert mailgun(event("opened", number), token=f"token-{number}", key=key).to(door).status_code == 200
    assert len(door.intake.entries) == 2


def test_a_call_signed_too_long_ago_ends_with_406(door: Door) -> None:
    for signed_at_s in (NOW_S - 43_201, NOW_S + 301):
        assert mailgun(event("opened"), signed_at_s=signed_at_s).to(door).status_code == 406
    assert mailgun(event("opened"), signed_at_s=NOW_S - 43_200).to(door).status_code == 200
    assert refused(door, "mailgun", "stale") == 2


def test_a_token_fits_one_event_only_and_its_repetition_has_the_same_id(door: Door) -> None:
    assert mailgun(event("opened")).to(door).status_code == 200
    assert mailgun(event("opened")).to(door).status_code == 200, "a repetition after an answer that was lost"
    assert mailgun(event("complained")).to(door).status_code == 406, "a signature glued to another event"
    first, again = (record["event_id"] for record in door.intake.records)
    assert first == again
    assert refused(door, "mailgun", "replayed") == 1


def test_an_event_that_could_not_be_written_may_come_again_with_its_token(door: Door) -> None:
    door.intake.away = True
    assert mailgun(event("opened")).to(door).status_code == 503
    door.intake.away = False
    assert mailgun(event("opened")).to(door).status_code == 200
    assert refused(door, "mailgun", "kafka_away") == 1
    assert told(door, "mailgun", "email_open") == 1


def test_an_event_without_a_contact_is_given_up(door: Door) -> None:
    answer = mailgun(event("opened", **{"user-variables": []})).to(door)
    assert answer.status_code == 406
    assert answer.json()["problems"] == ["[0] contact_id: expected the contact's id"]
    assert mailgun({}, token="another").to(door).json()["problems"] == [
        "[0] event-data.event: expected a string of 1 to 64 characters"
    ]


def test_an_id_that_mailgun_uses_again_on_another_day_is_another_event(door: Door) -> None:
    for number, days in enumerate((0, 0, 1)):
        old = event("opened", timestamp=NOW_S - 86_400 * days)
        mailgun(old, token=f"token-{number}").to(door)
    today, again, yesterday = (record["event_id"] for record in door.intake.records)
    assert today == again != yesterday


async def _opened(hook: Mailgun, kind: str, token: str) -> object:
    return await hook.opened(Call({}, None, mailgun(event(kind), token=token).body, NOW_MS))


def test_tokens_are_remembered_within_a_bound() -> None:
    settings = MailgunSettings.model_validate({"provider": "mailgun", "signing_keys": [SECRET]})
    hook = Mailgun(settings, tokens_max=2)
    for token in ("t1", "t2", "t3"):
        assert asyncio.run(_opened(hook, "opened", token))
    assert asyncio.run(_opened(hook, "clicked", "t1")), "the first is forgotten"
    with pytest.raises(Refusal):
        asyncio.run(_opened(hook, "clicked", "t3"))
