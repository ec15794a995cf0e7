"""Twilio SendGrid's Event Webhook: a JSON array of events, signed as a whole with ECDSA on P-256."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import AfterValidator, Field

from streams.collector.http.refusals import Refusal
from streams.collector.providers.fields import Fields, address_of
from streams.collector.providers.provider import (
    CLICK,
    COMPLAINT,
    DELIVERED,
    HARD_BOUNCE,
    MACHINE_OPEN,
    OPEN,
    PASSED_OVER,
    SOFT_BOUNCE,
    UNSUBSCRIBE,
    Call,
    Meaning,
    Occurrence,
    OneEach,
    SignedHookSettings,
    check_age,
    parsed,
    plain_event_id,
)
from streams.collector.providers.shared_secrets import SECRETS_MAX
from streams.fetching import Fetcher

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
MEANINGS: dict[str, Meaning] = {
    "processed": PASSED_OVER,
    "deferred": PASSED_OVER,  # SendGrid goes on trying, and says how it ended
    "delivered": DELIVERED,
    "open": OPEN,
    "open/sg_machine_open": MACHINE_OPEN,
    "click": CLICK,
    "bounce": HARD_BOUNCE,
    "bounce/blocked": SOFT_BOUNCE,
    "dropped": PASSED_OVER,  # nothing was sent, and the address may be good
    "dropped/Bounced Address": HARD_BOUNCE,
    "dropped/Invalid": HARD_BOUNCE,
    "spamreport": COMPLAINT,
    "unsubscribe": UNSUBSCRIBE,
    "group_unsubscribe": UNSUBSCRIBE,
    "group_resubscribe": PASSED_OVER,
}
# What SendGrid writes beside the sender's own arguments, which stand on the same level.
_OWN_FIELDS = frozenset([
    "email", "timestamp", "event", "smtp-id", "useragent", "ip", "url", "url_offset", "category", "sg_event_id",
    "sg_message_id", "sg_machine_open", "sg_content_type", "sg_template_id", "sg_template_name", "asm_group_id",
    "reason", "status", "response", "attempt", "type", "tls", "cert_err", "bounce_classification",
    "marketing_campaign_id", "marketing_campaign_name", "marketing_campaign_version", "marketing_campaign_split_id",
    "singlesend_id", "singlesend_name", "template_id", "template_hash", "newsletter", "send_at", "pool", "phase_id",
    "post_type", "mc_stats", "mc_auto_id", "mc_auto_name", "mc_pod_id", "account_id", "domain", "from",
])  # fmt: skip


def _public_key(text: str) -> str:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("expected a verification key as SendGrid shows it: base64, beginning with MFkwEwYH")
    return text


PublicKey = Annotated[str, AfterValidator(_public_key)]


class SendGridSettings(SignedHookSettings):
    """`max_age_s` must outlast the 24 hours in which SendGrid repeats."""

    provider: Literal["sendgrid"]
    public_keys: Annotated[tuple[PublicKey, ...], Field(min_length=1, max_length=SECRETS_MAX, strict=False)]

    def connect(self, fetcher: Fetcher) -> SendGrid:  # noqa: ARG002 - one signature for all providers
        """The hook that is so set."""
        return SendGrid(self)


class SendGrid(OneEach):
    """A hook of SendGrid, which repeats for a day whatever is not answered 2xx."""

    stop_status = 200  # SendGrid knows no other answer that ends its repetitions
    busy_status = 503
    meanings = MEANINGS

    def __init__(self, settings: SendGridSettings) -> None:
        self.settings = settings
        self._keys: list[ec.EllipticCurvePublicKey] = []
        for text in settings.public_keys:
            key = load_der_public_key(base64.b64decode(text))
            assert isinstance(key, ec.EllipticCurvePublicKey), "settings hold no others"
            self._keys.append(key)

    async def opened(self, call: Call) -> Sequence[object]:
        """See `Provider`. The signature is over the time stamp and the body, byte for byte."""
        stamp = call.headers.get(TIMESTAMP, "")
        try:
            signature = base64.b64decode(call.headers.get(SIGNATURE, ""), validate=True)
        except (binascii.Error, ValueError):
            signature = b""
        signed = stamp.encode() + call.body
        if not any(_verifies(key, signature, signed) for key in self._keys):
            raise Refusal(401, "bad_signature", f"expected {SIGNATURE} over {TIMESTAMP} and the body")
        # It is signed, but only with digits can its age be told.
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
            raise Refusal(400, "invalid", f"{TIMESTAMP}: expected whole seconds since 1970")
        check_age(int(stamp) * 1000, call.now_ms, self.settings.max_age_s)
        events = parsed(call.body)
        if not isinstance(events, list):
            raise Refusal(400, "invalid", "expected a JSON array of events")
        return events

    def details(self, kind: str, fields: Fields) -> Sequence[str | None]:
        """See `OneEach`."""
        if kind == "open":
            return ["sg_machine_open"] if fields.get("sg_machine_open") is True else []
        return [fields.optional("reason" if kind == "dropped" else "type", 64)]

    def occurrence(self, kind: str, meaning: Meaning, fields: Fields) -> Occurrence:
        """See `OneEach`."""
        category = fields.get("category")
        variables = fields.others(_OWN_FIELDS - {self.settings.contact_field})
        if (group := fields.optional("asm_group_id")) is not None:
            variables.setdefault("asm_group_id", group)
        return Occurrence(
            meaning=meaning,
            provider_type=kind,
            event_id=plain_event_id("sendgrid", fields.text("sg_event_id", 200)),
            occurred_at_ms=fields.seconds("timestamp"),
            recipient=address_of(fields.get("email")),
            variables=variables,
            email_id=fields.optional("sg_message_id"),
            campaign_id=fields.optional("singlesend_id") or fields.optional("marketing_campaign_id"),
            link_url=fields.optional("url", 4_096),
            reason=fields.optional("reason", 1_000),
            tags=category if isinstance(category, list) else [category],
            user_agent=fields.optional("useragent"),
            ip=fields.optional("ip", 64),
        )


def _verifies(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
