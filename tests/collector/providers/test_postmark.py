"""Postmark's events over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import decode_record
from tests.collector.doubles import NOW, Door
from tests.collector.providers.hooks import (
    OLDER_SECRET,
    SECRET,
    basic,
    events_of,
    postmark,
    refused,
    shapes,
    told,
)

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
AT = "2026-11-21T09:59:00.9070259Z"


def event(kind: str, at: str, /, **more: Any) -> dict[str, Any]:
    """One event as Postmark sends it; `at` is the field of its time."""
    return {
        "RecordType": kind,
        "MessageStream": "outbound",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "ServerID": 23,
        "Recipient": "Ann@Example.com",
        "Tag": "welcome-email",
        "Metadata": {"contact_id": "c1", "campaign_id": "welcome", "plan": "gold"},
        at: AT,
        **more,
    }


def test_half_an_emoji_costs_no_event(door: Door) -> None:
    half = event("Click", "ReceivedAt", OriginalLink="https://shop.example/sale", UserAgent="Mail \ud83d")
    assert postmark(half).to(door).json() == {"accepted": 1, "passed_over": 0}
    assert door.intake.records[0]["context"] == {"userAgent": "Mail \ufffd"}


def test_a_click_is_an_event_of_the_contact_in_the_metadata(door: Door) -> None:
    more = {"OriginalLink": "https://shop.example/sale", "UserAgent": BROWSER, "ClickLocation": "HTML"}
    click = event("Click", "ReceivedAt", Geo={"IP": "192.0.2.7", "City": "Novi Sad"}, **more)
    assert postmark(click).to(door).json() == {"accepted": 1, "passed_over": 0}
    (record,) = door.intake.records
    assert decode_record(door.intake.entries[0].value)
    assert record.pop("event_id").startswith("postmark:")
    assert record == {
        "type": "track",
        "contact_id": "c1",
        "event": "email_click",
        "occurred_at": "2026-11-21T09:59:00.907Z",
        "received_at": NOW,
        "properties": {
            "campaign_id": "welcome",
            "email_id": "883953f4-6105-42a2-a16a-77a8eac79483",
            "link_url": "https://shop.example/sale",
            "provider_type": "Click",
            "tags": ["welcome-email"],
            "variables": {"plan": "gold"},
        },
        "context": {"userAgent": BROWSER, "ip": "192.0.2.7"},
        "source": "postmark/alerts",
    }


def bounce(kind: str) -> dict[str, object]:
    """A bounce, which names its recipient otherwise than other events do."""
    details = {"ID": 42, "Type": kind, "Email": "ann@example.com", "Details": "550 unknown", "Inactive": True}
    return {name: value for name, value in event("Bounce", "BouncedAt", **details).items() if name != "Recipient"}


def suppression(reason: str | None, origin: str, suppress: bool = True) -> dict[str, object]:
    """A change of Postmark's list of addresses to which it does not send."""
    more = {"SuppressSending": suppress, "SuppressionReason": reason, "Origin": origin}
    return event("SubscriptionChange", "ChangedAt", **more)


@pytest.mark.parametrize(
    ("sent", "name", "bounce_type"),
    [
        (event("Delivery", "DeliveredAt", Details="250 OK"), "email_delivered", None),
        (event("Open", "ReceivedAt", FirstOpen=True), "email_open", None),
        (bounce("HardBounce"), "email_bounce", "hard"),
        (bounce("BadEmailAddress"), "email_bounce", "hard"),
        (bounce("SoftBounce"), "email_bounce", "soft"),
        (bounce("Blocked"), "email_bounce", "soft"),
        (bounce("Transient"), None, None),
        (bounce("AutoResponder"), None, None),
        (event("SpamComplaint", "BouncedAt", Type="SpamComplaint"), "spam_complaint", None),
        (suppression("ManualSuppression", "Recipient"), "unsubscribe", None),
        (suppression("ManualSuppression", "Admin"), None, None),
        (suppression("HardBounce", "Recipient"), None, None),
        (suppression(None, "Customer", suppress=False), None, None),
    ],
)
def test_a_type_becomes_its_event_or_is_passed_over(
    door: Door, sent: dict[str, object], name: str | None, bounce_type: str | None
) -> None:
    assert postmark(sent).to(door).status_code == 200
    assert events_of(door) == ([] if name is None else [("c1", name)])
    assert told(door, "postmark", name or "passed_over") == 1
    if name == "email_bounce":
        assert shapes(door.intake.records, "bounce_type", "reason") == [[bounce_type, "550 unknown"]]


def test_an_open_by_a_prefetching_proxy_is_marked(door: Door) -> None:
    postmark(event("Open", "ReceivedAt", UserAgent="Mozilla/5.0")).to(door)
    assert door.intake.records[0]["machine"] == {"suspected": True, "reasons": ["prefetch_proxy"]}


def test_a_secret_is_taken_as_password_as_bearer_token_and_from_the_address(door: Door) -> None:
    good = postmark(event("Open", "ReceivedAt"))
    ways = [
        good,
        good._replace(headers=basic(OLDER_SECRET, "whoever")),
        good._replace(headers={"Authorization": f"Bearer {SECRET}"}),
        good._replace(headers={}, path=f"{good.path}?token={SECRET}"),
    ]
    assert [call.to(door).status_code for call in ways] == [200] * 4
    wrong = [
        good._replace(headers={}),
        good._replace(headers=basic("a-wrong-secret-there")),
        good._replace(headers=basic("")),
        good._replace(headers={"Authorization": "Basic %%%"}),
        good._replace(headers={"Authorization": SECRET}),
        good._replace(headers={}, path=f"{good.path}?token="),
        good._replace(headers=basic("a-wrong-secret-there"), path=f"{good.path}?token={SECRET}"),
    ]
    for call in wrong:
        answer = call.to(door)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="segue"')
    assert refused(door, "postmark", "bad_signature") == len(wrong)
    assert len(door.intake.entries) == 4


def test_a_repetition_has_the_same_id_and_another_event_has_another(door: Door) -> None:
    click = event("Click", "ReceivedAt", OriginalLink="https://shop.example/a")
    for sent in (
        click,
        click | {"Tag": "renamed"},
        click | {"OriginalLink": "https://shop.example/b"},
        click | {"ReceivedAt": "2026-11-21T09:59:00.9070260Z"},
        click | {"RecordType": "Open"},
        click | {"Recipient": "bob@example.com"},
    ):
        postmark(sent).to(door)
    ids = [record["event_id"] for record in door.intake.records]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 5
    assert "example" not in "".join(ids)


@pytest.mark.parametrize("sent", [{}, [], "Open", event("Open", "at"), event("Open", "ReceivedAt", Metadata={})])
def test_what_can_never_be_taken_is_answered_403_which_postmark_does_not_repeat(door: Door, sent: object) -> None:
    assert postmark(sent).to(door).status_code == 403
    assert door.intake.entries == []


def test_a_type_that_nobody_knows_is_counted_and_not_asked_for_again(door: Door) -> None:
    assert postmark(event("Teleport", "ReceivedAt")).to(door).status_code == 200
    assert refused(door, "postmark", "unknown_type") == 1
