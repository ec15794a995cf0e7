"""Amazon SES' events over HTTP, in messages that SNS signed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.records import decode_record
from streams.collector.providers.ses import Notified
from tests.collector.doubles import NOW, Door
from tests.collector.providers.hooks import events_of, open_hooks, refused, ses, shapes, told

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
AT = "2026-11-21T09:59:00.669Z"


def event(kind: str, destinations: tuple[str, ...] = ("Ann@Example.com",), /, **part: Any) -> dict[str, Any]:
    """One event as SES publishes it; `part` is the object of its type."""
    name = kind[:1].lower() + kind[1:]
    return {
        "eventType": kind,
        "mail": {
            "timestamp": "2026-11-21T09:58:00.000Z",
            "source": "Shop <news@shop.example>",
            "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
            "destination": list(destinations),
            "tags": {
                "ses:configuration-set": ["ConfigSet"],
                "contact_id": ["c1"],
                "campaign_id": ["welcome"],
                "plan": ["gold"],
            },
        },
        name: {"timestamp": AT, **part},
    }


def bounce(kind: str, *addresses: str, sub: str = "General") -> dict[str, Any]:
    """A bounce of some recipients."""
    recipients = [
        {"emailAddress": each, "status": "5.1.1", "diagnosticCode": "smtp; 550 unknown"} for each in addresses
    ]
    return event("Bounce", addresses, bounceType=kind, bounceSubType=sub, bouncedRecipients=recipients)


def complaint(**more: object) -> dict[str, object]:
    """A complaint of the one recipient."""
    return event("Complaint", complainedRecipients=[{"emailAddress": "ann@example.com"}], **more)


def test_a_click_is_an_event_of_the_contact_in_the_tags(door: Door) -> None:
    click = event("Click", link="https://shop.example/sale", ipAddress="192.0.2.7", userAgent=BROWSER)
    assert ses(click).to(door).json() == {"accepted": 1, "passed_over": 0}
    (record,) = door.intake.records
    assert decode_record(door.intake.entries[0].value)
    assert record.pop("event_id").startswith("ses:")
    assert record == {
        "type": "track",
        "contact_id": "c1",
        "event": "email_click",
        "occurred_at": "2026-11-21T09:59:00.669Z",
        "received_at": NOW,
        "properties": {
            "campaign_id": "welcome",
            "email_id": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
            "link_url": "https://shop.example/sale",
            "provider_type": "Click",
            "variables": {"plan": "gold"},
        },
        "context": {"userAgent": BROWSER, "ip": "192.0.2.7"},
        "source": "ses/aws",
    }


@pytest.mark.parametrize(
    ("sent", "name", "bounce_type"),
    [
        (event("Delivery", recipients=["ann@example.com"]), "email_delivered", None),
        (event("Open", userAgent=BROWSER), "email_open", None),
        (bounce("Permanent", "ann@example.com"), "email_bounce", "hard"),
        (bounce("Permanent", "ann@example.com", sub="OnAccountSuppressionList"), "email_bounce", "hard"),
        (bounce("Transient", "ann@example.com", sub="MailboxFull"), "email_bounce", "soft"),
        (bounce("Undetermined", "ann@example.com"), "email_bounce", "soft"),
        (complaint(complaintFeedbackType="abuse"), "spam_complaint", None),
        (complaint(complaintFeedbackType="not-spam"), None, None),
        (complaint(complaintSubType="OnAccountSuppressionList"), None, None),
        (event("Subscription", newTopicPreferences={"unsubscribeAll": True}), "unsubscribe", None),
        (event("Subscription", newTopicPreferences={"unsubscribeAll": False}), None, None),
        (event("Send"), None, None),
        (event("Rendering Failure", errorMessage="no name"), None, None),
        (event("DeliveryDelay", delayType="MailboxFull"), None, None),
        (event("Reject", reason="Bad content"), None, None),
    ],
)
def test_a_type_becomes_its_event_or_is_passed_over(
    door: Door, sent: dict[str, object], name: str | None, bounce_type: str | None
) -> None:
    assert ses(sent).to(door).status_code == 200
    assert events_of(door) == ([] if name is None else [("c1", name)])
    assert told(door, "ses", name or "passed_over") == 1
    if name == "email_bounce":
        assert shapes(door.intake.records, "bounce_type", "reason") == [[bounce_type, "smtp; 550 unknown"]]


def test_a_notification_without_event_publishing_is_understood_too() -> None:
    sent = bounce("Permanent", "Ann@Example.com")
    sent["notificationType"] = sent.pop("eventType")
    with open_hooks(aws={"contact": "field_or_email"}) as door:
        del sent["mail"]["tags"]
        assert ses(sent).to(door).status_code == 200
        assert events_of(door) == [("ann@example.com", "email_bounce")]


def test_each_recipient_of_an_email_has_an_event_and_no_other_s_contact() -> None:
    with open_hooks(aws={"contact": "field_or_email"}) as door:
        ses(bounce("Permanent", "ann@example.com", "Bob@example.com")).to(door)
        assert events_of(door) == [("ann@example.com", "email_bounce"), ("bob@example.com", "email_bounce")]
        assert len({record["event_id"] for record in door.intake.records}) == 2
        assert "example" not in "".join(record["event_id"] for record in door.intake.records)


def test_an_open_by_one_of_several_recipients_is_nobody_s() -> None:
    sent = event("Open", ("ann@example.com", "bob@example.com"), userAgent=BROWSER)
    with open_hooks(aws={"contact": "field_or_email"}) as door:
        answer = ses(sent).to(door)
        assert (answer.status_code, door.intake.entries) == (400, [])
        assert answer.json()["problems"] == ["[0] contact_id: expected a contact's id or one recipient"]
        assert refused(door, "ses", "unidentified") == 1


def test_an_open_by_a_prefetching_proxy_is_marked(door: Door) -> None:
    ses(event("Open", userAgent="Mozilla/5.0")).to(door)
    assert door.intake.records[0]["machine"] == {"suspected": True, "reasons": ["prefetch_proxy"]}


def test_a_message_that_is_delivered_again_has_the_same_id(door: Door) -> None:
    for message in ("m1", "m1", "m2"):
        ses(event("Open"), MessageId=message).to(door)
    first, again, other = (record["event_id"] for record in door.intake.records)
    assert first == again != other


def test_the_message_with_which_ses_tries_a_topic_is_passed_over(door: Door) -> None:
    tried = "Successfully validated SNS topic for Amazon SES event publishing."
    assert ses(tried).to(door).json() == {"accepted": 0, "passed_over": 1}


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("hello", "Message: expected JSON in UTF-8"),
        ("[" * 100, "Message: expected JSON in UTF-8"),
        ("[" * 100 + "]" * 100, "Message: expected at most 64 levels of nesting"),
        ("[]", "Message.: expected a JSON object"),
        ({"mail": {}}, "Message.notificationType: expected a string of 1 to 64 characters"),
        ({"eventType": "Open", "open": {"timestamp": AT}}, "Message.mail.destination: expected 1 to 50 recipients"),
        (event("Open") | {"open": {}}, "Message.open.timestamp: expected a string of 1 to 512 characters"),
        (event("Open", tuple(f"c{n}@example.com" for n in range(51))), "Message.mail.destination: expected 1 to 50"),
    ],
)
def test_what_can_never_be_taken_is_answered_400_which_sns_does_not_repeat(
    door: Door, sent: object, problem: str
) -> None:
    answer = ses(sent).to(door)
    assert answer.status_code == 400
    assert answer.json()["problems"][0].startswith(f"[0] {problem}")
    assert door.intake.entries == []


def notified(event: object) -> Notified:
    """An event as it is read, once its message is opened."""
    return Notified("message-1", event if isinstance(event, str) else json.dumps(event))
