"""Brevo's transactional webhooks: an event, or a list of them. Brevo signs nothing: a secret of the hook stands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from schemas.records import InvalidRecordError, parse_json
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
    "request": PASSED_OVER,
    "sent": PASSED_OVER,
    "deferred": PASSED_OVER,  # Brevo goes on trying, and says how it ended
    "blocked": PASSED_OVER,  # Brevo did not try to send it
    "error": PASSED_OVER,
    "list_addition": PASSED_OVER,
    "contact_updated": PASSED_OVER,
    "contact_deleted": PASSED_OVER,
    "delivered": DELIVERED,
    "opened": OPEN,
    "unique_opened": OPEN,
    "proxy_open": MACHINE_OPEN,
    "unique_proxy_open": MACHINE_OPEN,
    "click": CLICK,
    "hard_bounce": HARD_BOUNCE,
    "invalid_email": HARD_BOUNCE,
    "soft_bounce": SOFT_BOUNCE,
    "spam": COMPLAINT,
    "complaint": COMPLAINT,
    "unsubscribe": UNSUBSCRIBE,
    "unsubscribed": UNSUBSCRIBE,
}
_MILLISECONDS_FROM = 100_000_000_000
"""Brevo documents `ts_epoch` in milliseconds and shows it in seconds: as seconds, this would be the year 5138."""


class BrevoSettings(HookSettings):
    """A hook of Brevo."""

    provider: Literal["brevo"]
    secrets: Secrets

    def connect(self, fetcher: Fetcher) -> Brevo:  # noqa: ARG002 - one signature for all providers
        """The hook that is so set."""
        return Brevo(self)


class Brevo(OneEach):
    """A hook of Brevo, which repeats four times in half a day at 429, and may give up at any other 4xx or 5xx."""

    stop_status = 400
    busy_status = 429
    meanings = MEANINGS

    def __init__(self, settings: BrevoSettings) -> None:
        self.settings = settings

    async def opened(self, call: Call) -> Sequence[object]:
        """See `Provider`. Batched webhooks send a list."""
        check_secret(call, self.settings.secrets)
        body = parsed(call.body)
        return body if isinstance(body, list) else [body]

    def occurrence(self, kind: str, meaning: Meaning, fields: Fields) -> Occurrence:
        """See `OneEach`."""
        tags = fields.sequence("tags") or [fields.optional("tag")]
        recipient, email_id = address_of(fields.get("email")), fields.optional("message-id")
        link_url = fields.optional("link", 4_096)
        # By what it means, not by its type: the first open comes as `opened` and as `unique_opened`.
        identity = [meaning, email_id, recipient, fields.get("ts_epoch"), fields.get("ts_event"), link_url]
        return Occurrence(
            meaning=meaning,
            provider_type=kind,
            event_id=composed_event_id("brevo", *identity),
            occurred_at_ms=_occurred_at_ms(fields),
            recipient=recipient,
            variables=_variables(fields.optional("X-Mailin-custom", 65_536), tags, self.settings.contact_field),
            email_id=email_id,
            campaign_id=fields.optional("camp_id"),
            link_url=link_url,
            reason=fields.optional("reason", 1_000),
            tags=tags,
            user_agent=fields.optional("user_agent"),
            ip=fields.optional("ip", 64),
        )


def _occurred_at_ms(fields: Fields) -> int:
    epoch = fields.get("ts_epoch")
    if isinstance(epoch, int) and epoch >= _MILLISECONDS_FROM:
        return Fields({"ts_epoch": epoch / 1000}).seconds("ts_epoch")
    return fields.seconds("ts_event" if epoch is None else "ts_epoch")


def _variables(custom: str | None, tags: Sequence[object], contact_field: str) -> dict[str, Any]:
    """What the sender put into `X-Mailin-custom`, as JSON or as `name:value|name:value`, or into a tag `name:value`."""
    variables: dict[str, Any] = {}
    if custom is not None:
        try:
            found = parse_json(custom.encode())
        except InvalidRecordError:
            found = dict(pair.split(":", 1) for pair in custom.split("|") if ":" in pair)
        variables = found if isinstance(found, dict) else {}
    for tag in tags:
        if isinstance(tag, str) and tag.startswith(f"{contact_field}:"):
            variables.setdefault(contact_field, tag.partition(":")[2])
    return variables
