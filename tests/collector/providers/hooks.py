"""Hooks of every provider, and calls as the providers would make them: built anew after what they document."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from streams.collector.guarding.addresses import Written
from streams.collector.providers.settings import AnyHook
from streams.collector.settings import CollectorSettings
from tests.collector.doubles import NOW_MS, Door, open_door

NOW_S = NOW_MS // 1000
SECRET = "a-secret-of-the-hook"
OLDER_SECRET = "the-secret-before-that"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail-events"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem"
SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_EC_KEY = ec.generate_private_key(ec.SECP256R1())
SNS_KEY = rsa.generate_private_key(65_537, 2_048)
OTHER_RSA_KEY = rsa.generate_private_key(65_537, 2_048)

_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def shown_key(key: ec.EllipticCurvePrivateKey) -> str:
    """A verification key as SendGrid shows it."""
    public = key.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


HOOKS: dict[str, dict[str, Any]] = {
    "newsletters": {"provider": "sendgrid", "public_keys": [shown_key(SENDGRID_KEY)]},
    "receipts": {"provider": "mailgun", "signing_keys": [SECRET, OLDER_SECRET]},
    "alerts": {"provider": "postmark", "secrets": [SECRET, OLDER_SECRET]},
    "aws": {"provider": "ses", "topics": [TOPIC]},
    "shop": {"provider": "brevo", "secrets": [SECRET, OLDER_SECRET]},
}


class Call(NamedTuple):
    """A call of a provider."""

    path: str
    body: bytes
    headers: dict[str, str]

    def to(self, door: Door) -> httpx.Response:
        """Make it."""
        return door.client.post(self.path, content=self.body, headers=self.headers)


def hooks_setting(hooks: dict[str, Any] | None = None) -> dict[str, AnyHook]:
    """Hooks as the settings read them."""
    text = json.dumps(HOOKS if hooks is None else hooks)
    read = CollectorSettings.model_validate({"write_keys": '{"website": "a-write-key"}', "hooks": text})
    return read.hooks


@contextmanager
def open_hooks(addresses: Written = "full", **changes: dict[str, Any]) -> Iterator[Door]:
    """A collector with a hook of each provider, with what the test changes in them, and with Amazon's certificate."""
    hooks = {name: HOOKS.get(name, {}) | changes.get(name, {}) for name in {**HOOKS, **changes}}
    with open_door(hooks=hooks_setting(hooks), collector_addresses=addresses) as door:
        door.fetcher.pages[CERTIFICATE_URL] = certificate()
        yield door


def sendgrid(
    events: object, signed_at_s: int = NOW_S, key: ec.EllipticCurvePrivateKey = SENDGRID_KEY, hook: str = "newsletters"
) -> Call:
    """A signed call; `events` that are bytes go as they are."""
    body = events if isinstance(events, bytes) else json.dumps(events, indent=1).encode()
    stamp = str(signed_at_s)
    signature = key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }
    return Call(f"/hooks/sendgrid/{hook}", body, headers)


def mailgun(event: object, signed_at_s: int = NOW_S, token: str = "t" * 50, key: str = SECRET) -> Call:
    """A call with a signature beside its event."""
    signature = hmac.new(key.encode(), f"{signed_at_s}{token}".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": str(signed_at_s), "token": token, "signature": signature}
    body = json.dumps({"signature": signed, "event-data": event}).encode()
    return Call("/hooks/mailgun/receipts", body, {})


def basic(secret: str = SECRET, user: str = "segue") -> dict[str, str]:
    """A header of Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def postmark(event: object, headers: dict[str, str] | None = None) -> Call:
    """A call with the hook's secret."""
    return Call("/hooks/postmark/alerts", json.dumps(event).encode(), basic() if headers is None else headers)


def brevo(event: object, headers: dict[str, str] | None = None) -> Call:
    """A call with the hook's secret."""
    return Call("/hooks/brevo/shop", json.dumps(event).encode(), basic() if headers is None else headers)


def sns(message: dict[str, Any], key: rsa.RSAPrivateKey = SNS_KEY, header: str | None = None) -> Call:
    """A message of SNS, signed as its version says."""
    lines = [line for name in _SIGNED if message.get(name) is not None for line in (name, message[name])]
    algorithm = hashes.SHA1() if message.get("SignatureVersion") == "1" else hashes.SHA256()
    signature = key.sign("".join(f"{line}\n" for line in lines).encode(), padding.PKCS1v15(), algorithm)
    body = json.dumps({**message, "Signature": base64.b64encode(signature).decode()}).encode()
    headers = {"x-amz-sns-message-type": message["Type"] if header is None else header, "Content-Type": "text/plain"}
    return Call("/hooks/ses/aws", body, headers)


def notification(event: object, **changes: Any) -> dict[str, Any]:
    """A notification before it is signed."""
    return {
        "Type": "Notification",
        "MessageId": "9c1f0d3a-5d0b-5a7e-8d0c-5c9f6f3f0001",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": event if isinstance(event, str) else json.dumps(event),
        "Timestamp": "2026-11-21T10:00:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
        **changes,
    }


def ses(event: object, **changes: Any) -> Call:
    """An event of SES in a signed notification."""
    return sns(notification(event, **changes))


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = SNS_KEY,
    name: str = "sns.amazonaws.com",
    valid_days: tuple[int, int] = (-30, 300),
    issuer: rsa.RSAPrivateKey | None = None,
    at_s: int = NOW_S,
    host: str | None = None,
) -> bytes:
    """A certificate in PEM, valid from and to so many days from the tests' now, or from `at_s`; also of a `host`."""
    now = datetime.fromtimestamp(at_s, tz=UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An Authority")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else authority)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=valid_days[0]))
        .not_valid_after(now + timedelta(days=valid_days[1]))
    )
    if host is not None:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return made.sign(issuer or key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def events_of(door: Door) -> list[tuple[str, str]]:
    """What was written: contacts and events."""
    return [(record["contact_id"], record["event"]) for record in door.intake.records]


def refused(door: Door, provider: str, reason: str) -> float:
    """How often a provider was refused for a reason."""
    return door.metric("segue_collector_hook_refused_total", provider=provider, reason=reason)


def told(door: Door, provider: str, event: str) -> float:
    """How many of a provider's events were written."""
    return door.metric("segue_collector_hook_events_total", event=event, provider=provider)


def shapes(records: Sequence[dict[str, Any]], *names: str) -> list[list[Any]]:
    """Some properties of each record."""
    return [[record["properties"].get(name) for name in names] for record in records]
