"""Mailgun's webhooks: one event, beside a signature over a time and a token, but not over the event.

So a signature that somebody got hold of would fit any event. Each token is therefore bound to the first event that came
with it: the same event again is a repetition, another one a forgery. The time bounds how long tokens are remembered.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from pydantic import Field

from schemas.instants import format_instant
from streams.collector.calls.payloads import PayloadError
from streams.collector.http.refusals import Refusal
from streams.collector.providers.fields import Fields, address_of
from streams.collector.providers.provider import (
    CLICK,
    COMPLAINT,
    DELIVERED,
    HARD_BOUNCE,
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
    composed_event_id,
    parsed,
)
from streams.collector.providers.shared_secrets import Secrets
from streams.fetching import Fetcher

TOKENS_MAX = 100_000
MEANINGS: dict[str, Meaning] = {
    "accepted": PASSED_OVER,
    "stored": PASSED_OVER,
    "rejected": PASSED_OVER,  # Mailgun did not try to send it
    "delivered": DELIVERED,
    "opened": OPEN,
    "clicked": CLICK,
    "failed": PASSED_OVER,
    "failed/temporary": PASSED_OVER,  # Mailgun goes on trying, and says how it ended
    "failed/temporary old": SOFT_BOUNCE,  # it gives up
    "failed/permanent": HARD_BOUNCE,
    "failed/permanent old": SOFT_BOUNCE,
    "failed/permanent espblock": SOFT_BOUNCE,
    "failed/permanent suppress-unsubscribe": PASSED_OVER,  # nothing was sent, and the address may be good
    "failed/permanent suppress-complaint": PASSED_OVER,
    "complained": COMPLAINT,
    "unsubscribed": UNSUBSCRIBE,
}


class MailgunSettings(SignedHookSettings):
    """`max_age_s` must outlast the 8 hours in which Mailgun repeats."""

    provider: Literal["mailgun"]
    signing_keys: Secrets
    max_age_s: int = Field(default=43_200, ge=60, le=172_800)

    def connect(self, fetcher: Fetcher) -> Mailgun:  # noqa: ARG002 - one signature for all providers
        """The hook that is so set."""
        return Mailgun(self)


class Mailgun(OneEach):
    """A hook of Mailgun, which gives up at 406 and repeats for some hours at all else but 200."""

    stop_status = 406
    busy_status = 503
    meanings = MEANINGS
    path = "event-data."

    def __init__(self, settings: MailgunSettings, tokens_max: int = TOKENS_MAX) -> None:
        """Past `tokens_max` the token that came first is forgotten; its event still counts once by its id."""
        self.settings = settings
        self._tokens_max = tokens_max
        self._keys = [key.get_secret_value().encode() for key in settings.signing_keys]
        self._tokens: OrderedDict[str, bytes] = OrderedDict()

    async def opened(self, call: Call) -> Sequence[object]:
        """See `Provider`."""
        body = parsed(call.body)
        try:
            fields = Fields(body)
            signature = fields.part("signature")
            token, stamp = signature.text("token", 128), signature.text("timestamp", 12)
            given = [signature.text("signature", 64), signature.optional("parent-signature", 64) or ""]
        except PayloadError as error:
            raise Refusal(401, "bad_signature", str(error)) from None
        if not self._signed(stamp + token, given):
            raise Refusal(401, "bad_signature", "signature.signature: expected a signature of timestamp and token")
        if not (stamp.isascii() and stamp.isdecimal()):
            raise Refusal(400, "invalid", "signature.timestamp: expected whole seconds since 1970")
        check_age(int(stamp) * 1000, call.now_ms, self.settings.max_age_s)
        event = fields.mapping("event-data")
        self._bind(token, event)
        return [event]

    def _signed(self, text: str, given: Sequence[str]) -> bool:
        """Whether one of the signatures is by one of the keys: a subaccount's event carries two, its parent's too."""
        found = False
        # Every key is tried, so that the time tells nothing of which one came close.
        for key in self._keys:
            expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
            for signature in given:
                found |= hmac.compare_digest(expected.encode(), signature.encode())
        return found

    def _bind(self, token: str, event: dict[str, Any]) -> None:
        """Bind a token to its event. What was bound stays so when the event cannot be written: it comes again."""
        content = hashlib.sha256(msgspec.json.encode(event, order="deterministic")).digest()
        if self._tokens.setdefault(token, content) != content:
            raise Refusal(400, "replayed", "signature.token: expected one that came with no other event")
        while len(self._tokens) > self._tokens_max:
            self._tokens.popitem(last=False)

    def details(self, kind: str, fields: Fields) -> Sequence[str | None]:  # noqa: ARG002 - the types are alike in it
        """See `OneEach`."""
        severity = fields.optional("severity")
        return [f"{severity} {fields.optional('reason', 1_000)}", severity]

    def occurrence(self, kind: str, meaning: Meaning, fields: Fields) -> Occurrence:
        """See `OneEach`."""
        occurred_at_ms = fields.seconds("timestamp")
        status = fields.part("delivery-status")
        campaigns = [Fields(each) for each in fields.sequence("campaigns")[:1] if isinstance(each, dict)]
        cause = fields.optional("reason", 1_000)
        return Occurrence(
            meaning=meaning,
            provider_type=kind,
            # Mailgun promises that an id is unique within a day. The token is none: whether a repetition has
            # the same one is not said, and two webhooks for one event have two.
            event_id=composed_event_id("mailgun", format_instant(occurred_at_ms)[:10], fields.text("id", 200)),
            occurred_at_ms=occurred_at_ms,
            recipient=address_of(fields.get("recipient")),
            variables=fields.mapping("user-variables"),
            email_id=fields.part("message").part("headers").optional("message-id"),
            campaign_id=campaigns[0].optional("id") if campaigns else None,
            link_url=fields.optional("url", 4_096),
            reason=status.optional("message", 1_000) or status.optional("description", 1_000) or cause,
            tags=fields.sequence("tags"),
            user_agent=fields.part("client-info").optional("user-agent"),
            ip=fields.optional("ip", 64),
        )
