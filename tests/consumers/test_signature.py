"""What is sent, against Standard Webhooks 1.0.0."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from consumers.settings import WebhookSettings, secret_key
from consumers.webhook.signature import webhook_body, webhook_headers
from schemas.errors import InputError
from schemas.settings import load_settings
from tests.consumers.receiver import SECRET, Request
from tests.consumers.transitions import make

OLD_SECRET = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk"


def test_the_signature_is_the_one_of_the_specifications_example() -> None:
    # The known answer of the specification's reference libraries.
    key = secret_key(SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    headers = webhook_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key])
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_secrets_are_rotated_each_of_them_verifies() -> None:
    body = webhook_body(make(1).transition, make(1).value)
    keys = [secret_key(SecretStr(secret)) for secret in (SECRET, OLD_SECRET)]
    request = Request("/", webhook_headers("id", 1, body, keys), body)
    assert request.is_signed_with(SECRET)
    assert request.is_signed_with(OLD_SECRET)
    assert not request.is_signed_with("whsec_bm90b3Vyc25vdG91cnNub3RvdXJzbm90b3Vycw==")


def test_the_body_carries_the_transition_as_it_stands_in_kafka() -> None:
    made = make(4)
    value = made.value[:-1] + b',"of_a_newer_version":[1.50]}'
    body = webhook_body(made.transition, value)
    assert json.loads(body) == {
        "type": "segment.exited",
        "timestamp": "2026-11-21T10:00:00.000Z",
        "data": json.loads(value),
    }
    assert value in body


@pytest.mark.parametrize(
    ("secrets", "complaint"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_"),
        ("whsec_c2hvcnQ=", "expected 24 to 64 bytes in Base64, found 5"),
        ("whsec_not base64", "expected Base64"),
        (f"{SECRET},whsec_{'A' * 200}", "secret 2 of 2"),
    ],
)
def test_a_bad_secret_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, secrets: str, complaint: str
) -> None:
    monkeypatch.setenv("SEGUE_WEBHOOK_SECRETS", secrets)
    with pytest.raises(InputError, match=complaint) as raised:
        load_settings(WebhookSettings)
    assert secrets.rpartition("_")[2] not in str(raised.value)


def test_secrets_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_WEBHOOK_SECRETS", f" {SECRET}, {OLD_SECRET}\n")
    settings = load_settings(WebhookSettings)
    assert [secret.get_secret_value() for secret in settings.webhook_secrets] == [SECRET, OLD_SECRET]
    assert "whsec" not in repr(settings)
