"""Postmark's webhooks: one event as an object. Postmark signs nothing: a secret of the hook stands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

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
    HookSettings,
    Meaning,
    Occurrence,
    OneEach,
    composed_event_id,
    parsed,
)
from streams.collector.providers.shared_secrets import Secrets, check_secret
from streams.fetching import Fetcher

MEANINGS: dict[str, Meaning] = {
    "Delivery": DELIVERED,
    "Open": OPEN,
    "Click": CLICK,
    "Bounce": PASSED_OVER,  # of another type than these
    "Bounce/HardBounce": HARD_BOUNCE,
    "Bounce/BadEmailAddress": HARD_BOUNCE,
    "Bounce/SoftBounce": SOFT_BOUNCE,
    "Bounce/Blocked": SOFT_BOUNCE,
    "Bounce/DMARCPolicy": SOFT_BOUNCE,
    "Bounce/SpamNotification": SOFT_BOUNCE,
    "Bounce/VirusNotification": SOFT_BOUNCE,
    "Bounce/Unknown": SOFT_BOUNCE,
    "Bounce/Transient": PASSED_OVER,  # Postmark goes on trying, and says how it ended
    "Bounce/DnsError": PASSED_OVER,
    "Bounce/SpamComplaint": COMPLAINT,
    "Bounce/Unsubscribe": UNSUBSCRIBE,
    "SpamComplaint": COMPLAINT,
    "SubscriptionChange": PASSED_OVER,  # after a bounce or a complaint, which come by themselves, or a reactivation
    "SubscriptionChange/ManualSuppression Recipient": UNSUBSCRIBE,
}
_TIMES = {
    "Delivery": "DeliveredAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "SubscriptionChange": "ChangedAt",
}


class PostmarkSettings(HookSettings):
    """A hook of Postmark."""

    provider: Literal["postmark"]
    secrets: Secrets

    def connect(self, fetcher: Fetcher) -> Postmark:  # noqa: ARG002 - one signature for all providers
        """The hook that is so set."""
        return Postmark(self)


class Postmark(OneEach):
    """A hook of Postmark, which gives up at 403 and repeats at all else but 200."""

    stop_status = 403
    busy_status = 503
    meanings = MEANINGS
    type_field = "RecordType"

    def __init__(self, settings: PostmarkSettings) -> None:
        self.settings = settings

    async def opened(self, call: Call) -> Sequence[object]:
        """See `Provider`."""
        check_secret(call, self.settings.secrets)
        return [parsed(call.body)]

    def details(self, kind: str, fields: Fields) -> Sequence[str | None]:
        """See `OneEach`."""
        if kind != "SubscriptionChange":
            return [fields.optional("Type", 64)]
        if fields.get("SuppressSending") is not True:
            return []
        return [f"{fields.optional('SuppressionReason')} {fields.optional('Origin')}"]

    def occurrence(self, kind: str, meaning: Meaning, fields: Fields) -> Occurrence:
        """See `OneEach`."""
        recipient = address_of(fields.get("Recipient")) or address_of(fields.get("Email"))
        email_id, link_url = fields.optional("MessageID"), fields.optional("OriginalLink", 4_096)
        occurred_at_ms = fields.instant(_TIMES[kind])
        return Occurrence(
            meaning=meaning,
            provider_type=kind,
            event_id=composed_event_id("postmark", email_id, kind, fields.text(_TIMES[kind]), recipient, link_url),
            occurred_at_ms=occurred_at_ms,
            recipient=recipient,
            variables=fields.mapping("Metadata"),
            email_id=email_id,
            link_url=link_url,
            reason=fields.optional("Details", 1_000) or fields.optional("Description", 1_000),
            tags=[fields.optional("Tag")],
            user_agent=fields.optional("UserAgent"),
            ip=fields.part("Geo").optional("IP", 64),
        )
