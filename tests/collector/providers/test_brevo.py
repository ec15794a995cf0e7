"""Brevo's events over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.records import decode_record
from tests.collector.doubles import NOW, NOW_MS, Door
from tests.collector.providers.hooks import NOW_S, basic, brevo, events_of, open_hooks, refused, shapes, told


def event(kind: str, **more: Any) -> dict[str, Any]:
    """One event as Brevo sends it."""
    return {
        "event": kind,
        "email": "Ann@Example.com",
        "id": 26224,
        "date": "2026-11-21 10:59:00",
        "ts": NOW_S + 3_540,
        "ts_event": NOW_S - 60,
        "ts_epoch": NOW_MS - 59_750,
        "message-id": "<202611210959.44565651587@smtp-relay.mailin.fr>",
        "subject": "Welcome",
        "X-Mailin-custom": '{"contact_id": "c1", "campaign_id": "welcome", "plan": "gold"}',
        "tags": ["spring"],
        "template_id": 22,
        **more,
    }


def test_a_click_is_an_event_of_the_contact_in_the_custom_header(door: Door) -> None:
    assert brevo(event("click", link="https://shop.example/sale")).to(door).json() == {"accepted": 1, "passed_over": 0}
    (record,) = door.intake.records
    assert decode_record(door.intake.entries[0].value)
    assert record.pop("event_id").startswith("brevo:")
    assert record == {
        "type": "track",
        "contact_id": "c1",
        "event": "email_click",
        "occurred_at": "2026-11-21T09:59:00.250Z",
        "received_at": NOW,
        "properties": {
            "campaign_id": "welcome",
            "email_id": "<202611210959.44565651587@smtp-relay.mailin.fr>",
            "link_url": "https://shop.example/sale",
            "provider_type": "click",
            "tags": ["spring"],
            "variables": {"plan": "gold"},
        },
        "context": {},
        "source": "brevo/shop",
    }


@pytest.mark.parametrize(
    ("kind", "name", "bounce_type"),
    [
        ("delivered", "email_delivered", None),
        ("opened", "email_open", None),
        ("unique_opened", "email_open", None),
        ("hard_bounce", "email_bounce", "hard"),
        ("invalid_email", "email_bounce", "hard"),
        ("soft_bounce", "email_bounce", "soft"),
        ("spam", "spam_complaint", None),
        ("complaint", "spam_complaint", None),
        ("unsubscribe", "unsubscribe", None),
        ("unsubscribed", "unsubscribe", None),
        ("request", None, None),
        ("deferred", None, None),
        ("blocked", None, None),
    ],
)
def test_a_type_becomes_its_event_or_is_passed_over(
    door: Door, kind: str, name: str | None, bounce_type: str | None
) -> None:
    assert brevo(event(kind, reason="550 unknown user")).to(door).status_code == 200
    assert events_of(door) == ([] if name is None else [("c1", name)])
    assert told(door, "brevo", name or "passed_over") == 1
    if name == "email_bounce":
        assert shapes(door.intake.records, "bounce_type", "reason") == [[bounce_type, "550 unknown user"]]


@pytest.mark.parametrize("kind", ["proxy_open", "unique_proxy_open"])
def test_an_open_by_a_proxy_is_marked(door: Door, kind: str) -> None:
    brevo(event(kind)).to(door)
    (record,) = door.intake.records
    assert (record["event"], record["machine"]["reasons"]) == ("email_open", ["provider_mark"])


def test_a_first_open_that_is_told_twice_counts_once_and_others_count(door: Door) -> None:
    later = {"ts_event": NOW_S, "ts_epoch": NOW_MS}
    for sent in (event("opened"), event("unique_opened"), event("opened", **later), event("proxy_open")):
        brevo(sent).to(door)
    first, unique, second, proxy = (record["event_id"] for record in door.intake.records)
    assert first == unique
    assert len({first, second, proxy}) == 3


@pytest.mark.parametrize(
    ("custom", "tags", "contact"),
    [
        ('{"contact_id": 17}', [], "17"),
        ("plan:gold|contact_id:shop:c2", [], "shop:c2"),
        (None, ["spring", "contact_id:c3"], "c3"),
        ("plan:gold", ["contact_id:c4"], "c4"),
        ("[1, 2]", ["contact_id:c5"], "c5"),
        ('{"contact_id": "c6"}', ["contact_id:other"], "c6"),
    ],
)
def test_the_contact_may_stand_in_the_custom_header_or_in_a_tag(
    door: Door, custom: str | None, tags: list[str], contact: str
) -> None:
    brevo(event("opened", **{"X-Mailin-custom": custom, "tags": tags})).to(door)
    assert events_of(door) == [(contact, "email_open")]


@pytest.mark.parametrize(
    ("times", "occurred_at"),
    [
        ({"ts_epoch": NOW_MS + 5}, "2026-11-21T10:00:00.005Z"),
        ({"ts_epoch": NOW_S}, "2026-11-21T10:00:00.000Z"),
        ({"ts_epoch": None}, "2026-11-21T09:59:00.000Z"),
    ],
)
def test_the_time_is_that_of_the_event_in_utc_in_whichever_unit(
    door: Door, times: dict[str, object], occurred_at: str
) -> None:
    brevo(event("opened", **times)).to(door)
    assert [record["occurred_at"] for record in door.intake.records] == [occurred_at]


def test_a_batch_is_taken_event_by_event(door: Door) -> None:
    bad = event("click", ts_epoch=None, ts_event=None)
    answer = brevo([event("delivered"), bad, event("opened")]).to(door)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["turned_away"]) == (200, 2, 1)
    assert events_of(door) == [("c1", "email_delivered"), ("c1", "email_open")]
    assert brevo([event("request"), bad]).to(door).json()["passed_over"] == 1
    assert [brevo(batch).to(door).status_code for batch in ([event("request"), bad], [bad, bad])] == [200, 400]


def test_what_can_never_be_taken_is_answered_400_and_a_busy_collector_429(door: Door) -> None:
    bad: list[Any] = [{}, 7, event("opened", ts_epoch="soon"), event("opened", **{"X-Mailin-custom": None})]
    for sent in bad:
        assert brevo(sent).to(door).status_code == 400
    door.intake.away = True
    busy = brevo(event("opened")).to(door)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "5"), "Brevo may give up at a 503"
    assert brevo(event("opened"), basic("a-wrong-secret-there")).to(door).status_code == 401
    assert door.intake.entries == []
    assert refused(door, "brevo", "kafka_away") == 1


def test_without_the_field_the_address_is_the_contact_if_the_hook_is_set_so() -> None:
    bare = event("opened", **{"X-Mailin-custom": None})
    with open_hooks(shop={"contact": "field_or_email"}) as door:
        brevo(bare).to(door)
        brevo(event("opened")).to(door)
        assert events_of(door) == [("ann@example.com", "email_open"), ("c1", "email_open")]
    with open_hooks(shop={"contact": "email"}) as door:
        brevo(event("opened", email="Ann <ANN@example.com>")).to(door)
        assert events_of(door) == [("ann@example.com", "email_open")]
        answer = brevo(event("opened", email="nobody")).to(door)
        assert answer.json()["problems"] == ["[0] recipient: expected a contact's id or one recipient"]
    with open_hooks(shop={"contact_field": "customer"}) as door:
        brevo(event("opened", **{"X-Mailin-custom": json.dumps({"customer": "c7"})})).to(door)
        assert events_of(door) == [("c7", "email_open")]
