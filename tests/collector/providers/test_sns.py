"""Who may say that a message is SNS'."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.instants import format_instant
from tests.collector.doubles import NOW_MS, Door
from tests.collector.providers.hooks import (
    CERTIFICATE_URL,
    OTHER_EC_KEY,
    OTHER_RSA_KEY,
    SNS_KEY,
    TOPIC,
    certificate,
    notification,
    refused,
    ses,
    sns,
)
from tests.collector.providers.test_ses import event

OPEN = event("Open")
TOKEN = "2336412f37f" * 12
SUBSCRIBE_URL = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}"


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Amazon SES Email Event Notification", None])
def test_both_versions_of_the_signature_are_verified_with_and_without_a_subject(
    door: Door, version: str, subject: str | None
) -> None:
    good = ses(OPEN, SignatureVersion=version, Subject=subject)
    assert good.to(door).status_code == 200
    body = json.loads(good.body)
    for name, value in {"Message": body["Message"] + " ", "Subject": "another", "MessageId": "m2"}.items():
        assert good._replace(body=json.dumps(body | {name: value}).encode()).to(door).status_code == 401
    assert len(door.intake.entries) == 1


def test_a_signature_of_somebody_else_is_refused(door: Door) -> None:
    for call in (sns(notification(OPEN), key=OTHER_RSA_KEY), ses(OPEN)._replace(headers={})):
        assert call.to(door).status_code == 401
    good = json.loads(ses(OPEN).body)
    for signature in ("", "%%%", "bm90IG9uZQ=="):
        call = ses(OPEN)._replace(body=json.dumps(good | {"Signature": signature}).encode())
        assert call.to(door).status_code == 401
    assert refused(door, "ses", "bad_signature") == 5
    assert door.intake.entries == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://user@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/a.pem#x",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "https://sns.eu-west-1.amazonaws.com/../a.pem",
        "https://sns.eu-west-1.amazonaws.com/b/a.pem",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/a.pem",
        "https://SNS.eu-west-1.amazonaws.com/a.pem",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        " https://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a\n.pem",
    ],
)
def test_a_certificate_is_fetched_from_sns_in_the_topic_s_region_and_nowhere_else(door: Door, url: str) -> None:
    door.fetcher.pages[url] = certificate()
    answer = ses(OPEN, SigningCertURL=url).to(door)
    assert answer.status_code == 401
    assert answer.json()["error"] == "SigningCertURL: expected https://sns.eu-west-1.amazonaws.com/….pem"
    assert door.fetcher.fetched == []


@pytest.mark.parametrize(
    "changes",
    [
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:mail-events"},
        {"TopicArn": None},
        {"SignatureVersion": "3"},
        {"Type": "Invitation"},
        {"MessageId": None},
    ],
)
def test_a_message_that_cannot_be_ours_is_refused_before_anything_is_fetched(
    door: Door, changes: dict[str, Any]
) -> None:
    assert ses(OPEN, **changes).to(door).status_code == 401
    assert door.fetcher.fetched == []
    assert door.intake.entries == []


def test_the_header_must_say_the_type_that_is_in_the_body(door: Door) -> None:
    answer = sns(notification(OPEN), header="SubscriptionConfirmation").to(door)
    assert (answer.status_code, answer.json()["error"]) == (
        401,
        "Type: expected the same as in the header x-amz-sns-message-type",
    )


def test_raw_delivery_is_refused_since_it_is_not_signed(door: Door) -> None:
    call = ses(OPEN)
    answer = call._replace(headers=call.headers | {"x-amz-sns-rawdelivery": "true"}).to(door)
    assert (answer.status_code, "raw message delivery" in answer.json()["error"]) == (401, True)


CHAIN = certificate(issuer=OTHER_RSA_KEY) + certificate(OTHER_RSA_KEY, name="An Authority")


@pytest.mark.parametrize("pem", [certificate(), certificate(name="sns.eu-west-1.amazonaws.com"), CHAIN])
def test_a_valid_certificate_of_sns_is_trusted_alone_or_with_its_issuers(door: Door, pem: bytes) -> None:
    door.fetcher.pages[CERTIFICATE_URL] = pem
    assert ses(OPEN).to(door).status_code == 200


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        (b"", "a certificate in PEM"),
        (b"<html>not found</html>", "a certificate in PEM"),
        (certificate(name="evil.example"), "a certificate for sns.amazonaws.com"),
        (certificate(name="sns.amazonaws.com.evil.example"), "a certificate for sns.amazonaws.com"),
        (certificate(valid_days=(-300, -1)), "a certificate that is valid now"),
        (certificate(valid_days=(1, 300)), "a certificate that is valid now"),
        (certificate(OTHER_EC_KEY), "an RSA key of at least 2048 bits"),
        (certificate() + certificate(OTHER_RSA_KEY, name="An Authority"), "a certificate in PEM, with those that"),
        (certificate(issuer=OTHER_RSA_KEY) + certificate(SNS_KEY, name="An Authority"), "a certificate in PEM, with"),
    ],
)
def test_a_certificate_that_is_not_to_be_trusted_verifies_nothing(door: Door, pem: bytes, expected: str) -> None:
    door.fetcher.pages[CERTIFICATE_URL] = pem
    answer = ses(OPEN).to(door)
    assert answer.status_code == 401
    assert answer.json()["error"].startswith(f"SigningCertURL: expected there {expected}")
    assert door.intake.entries == []


def test_a_certificate_is_kept_for_a_day_and_no_longer_than_it_is_valid(door: Door) -> None:
    hour = 3_600_000
    door.fetcher.pages[CERTIFICATE_URL] = certificate(valid_days=(-30, 2))
    for after_ms, fetched in ((0, 1), (1, 1), (24 * hour - 1, 1), (30 * hour, 2), (48 * hour - 1, 2)):
        door.clock.now = NOW_MS + after_ms
        at = format_instant(NOW_MS + after_ms)
        assert ses(OPEN, Timestamp=at).to(door).status_code == 200
        assert len(door.fetcher.fetched) == fetched
    door.clock.now = NOW_MS + 48 * hour
    assert ses(OPEN, Timestamp="2026-11-23T10:00:00.000Z").to(door).status_code == 401


def test_certificates_are_remembered_within_a_bound(door: Door) -> None:
    urls = [f"https://sns.eu-west-1.amazonaws.com/certificate-{number}.pem" for number in range(17)]
    for url in urls:
        door.fetcher.pages[url] = certificate()
        assert ses(OPEN, SigningCertURL=url).to(door).status_code == 200
    for url in (urls[16], urls[0]):
        ses(OPEN, SigningCertURL=url).to(door)
    assert door.fetcher.fetched == [*urls, urls[0]], "the first was forgotten"


def test_while_the_certificate_cannot_be_had_the_message_is_asked_for_again(door: Door) -> None:
    pem = door.fetcher.pages.pop(CERTIFICATE_URL)
    answer = ses(OPEN).to(door)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "20")
    assert refused(door, "ses", "no_certificate") == 1
    door.fetcher.pages[CERTIFICATE_URL] = pem
    assert ses(OPEN).to(door).status_code == 200


def test_a_message_signed_too_long_ago_is_not_taken(door: Door) -> None:
    for at in ("2026-11-21T07:59:59.999Z", "2026-11-21T10:05:00.001Z"):
        assert ses(OPEN, Timestamp=at).to(door).status_code == 400
    assert refused(door, "ses", "stale") == 2
    assert ses(OPEN, Timestamp="2026-11-21T08:00:00.000Z").to(door).status_code == 200


def confirmation(kind: str = "SubscriptionConfirmation", **changes: object) -> dict[str, Any]:
    """A message about a subscription, before it is signed."""
    text = "You have chosen to subscribe to the topic."
    about = {"Subject": None, "Token": TOKEN, "SubscribeURL": SUBSCRIBE_URL}
    return notification(text, Type=kind, **{**about, **changes})


def test_a_subscription_of_the_hook_s_topic_is_confirmed(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    door.fetcher.pages[SUBSCRIBE_URL] = b"<ConfirmSubscriptionResponse/>"
    answer = sns(confirmation()).to(door)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "passed_over": 0})
    assert door.fetcher.fetched == [CERTIFICATE_URL, SUBSCRIBE_URL]
    assert TOKEN not in caplog.text


def test_a_subscription_that_could_not_be_confirmed_is_asked_for_again(door: Door) -> None:
    assert sns(confirmation()).to(door).status_code == 503
    assert refused(door, "ses", "not_confirmed") == 1


@pytest.mark.parametrize(
    "url",
    [
        SUBSCRIBE_URL.replace("https:", "http:"),
        SUBSCRIBE_URL.replace("amazonaws.com", "amazonaws.com.evil.example"),
        SUBSCRIBE_URL.replace("eu-west-1.amazonaws", "us-east-1.amazonaws"),
        SUBSCRIBE_URL.replace("Action=Confirm", "Action=Delete"),
        SUBSCRIBE_URL.replace("mail-events", "other-events"),
        SUBSCRIBE_URL + "0",
        SUBSCRIBE_URL + "&Action=DeleteTopic",
        SUBSCRIBE_URL.replace("/?", "/path?"),
        None,
    ],
)
def test_nothing_is_fetched_that_is_no_confirmation_of_this_topic(door: Door, url: str | None) -> None:
    assert sns(confirmation(SubscribeURL=url)).to(door).status_code == 401
    assert door.fetcher.fetched == []


def test_a_forged_confirmation_confirms_nothing(door: Door) -> None:
    door.fetcher.pages[SUBSCRIBE_URL] = b""
    assert sns(confirmation(), key=OTHER_RSA_KEY).to(door).status_code == 401
    assert SUBSCRIBE_URL not in door.fetcher.fetched


def test_the_end_of_a_subscription_is_logged_and_not_undone(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    assert sns(confirmation("UnsubscribeConfirmation")).to(door).status_code == 200
    assert SUBSCRIBE_URL not in door.fetcher.fetched
    assert "unsubscribed from a hook" in caplog.text
