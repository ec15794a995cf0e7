"""Amazon SES' events as SNS delivers them: JSON as text in a signed message, one event of one or more recipients."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field

from schemas.errors import UnavailableError
from schemas.records import InvalidRecordError, parse_json
from streams.collector.calls.payloads import PayloadError, Problem
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
    SignedHookSettings,
    check_age,
    composed_event_id,
    meaning_of,
    parsed,
)
from streams.collector.providers.sns import TOPIC, SnsMessage, SnsSignatures
from streams.fetching import Fetcher

RECIPIENTS_MAX = 50
"""SES takes no e-mail with more."""
MEANINGS: dict[str, Meaning] = {
    "Send": PASSED_OVER,
    "Reject": PASSED_OVER,
    "Rendering Failure": PASSED_OVER,
    "DeliveryDelay": PASSED_OVER,  # SES goes on trying, and says how it ended
    "Delivery": DELIVERED,
    "Open": OPEN,
    "Click": CLICK,
    "Bounce": SOFT_BOUNCE,
    "Bounce/Permanent": HARD_BOUNCE,
    "Complaint": COMPLAINT,
    "Complaint/not-spam": PASSED_OVER,  # somebody took it out of the spam folder
    "Complaint/OnAccountSuppressionList": PASSED_OVER,  # nothing was sent
    "Subscription": PASSED_OVER,
    "Subscription/unsubscribeAll": UNSUBSCRIBE,
}
_log = logging.getLogger(__name__)


def _topic(text: str) -> str:
    if TOPIC.fullmatch(text) is None:
        raise ValueError("expected topics like arn:aws:sns:eu-west-1:123456789012:mail-events")
    return text


class SesSettings(SignedHookSettings):
    """`max_age_s` must outlast the time in which the topic's delivery policy repeats, at most an hour."""

    provider: Literal["ses"]
    topics: Annotated[
        tuple[Annotated[str, AfterValidator(_topic)], ...], Field(min_length=1, max_length=16, strict=False)
    ]
    max_age_s: int = Field(default=7_200, ge=60, le=172_800)

    def connect(self, fetcher: Fetcher) -> Ses:
        """The hook that is so set."""
        return Ses(self, fetcher)


class Notified(NamedTuple):
    """A message of SES, out of the one of SNS that brought it."""

    message_id: str
    text: str


class Ses:
    """A hook of Amazon SES. SNS repeats at 5xx and 429, and gives up at any other 4xx."""

    stop_status = 400
    busy_status = 503

    def __init__(self, settings: SesSettings, fetcher: Fetcher) -> None:
        self.settings = settings
        self._fetcher = fetcher
        self._signatures = SnsSignatures(settings.topics, fetcher)

    async def opened(self, call: Call) -> Sequence[object]:
        """See `Provider`. A subscription of one of the hook's topics is confirmed."""
        if call.headers.get("x-amz-sns-rawdelivery") == "true":
            raise Refusal(401, "bad_signature", "expected a subscription without raw message delivery, which is signed")
        message = await self._signatures.opened(parsed(call.body), call.headers, call.now_ms)
        check_age(message.signed_at_ms, call.now_ms, self.settings.max_age_s)
        if message.type == "SubscriptionConfirmation":
            await self._confirm(message)
        elif message.type == "UnsubscribeConfirmation":
            _log.warning("a topic of SNS was unsubscribed from a hook: no more events come from it")
        else:
            return [Notified(message.message_id, message.message)]
        return []

    async def _confirm(self, message: SnsMessage) -> None:
        assert message.subscribe_url is not None, "a subscription's message has one"
        try:
            await self._fetcher.fetch(message.subscribe_url)
        except UnavailableError as error:
            raise Refusal(503, "not_confirmed", f"SubscribeURL: {error}", {"Retry-After": "20"}) from None
        _log.info("a topic of SNS is subscribed to a hook")

    def read(self, event: object) -> Sequence[Occurrence]:
        """See `Provider`."""
        assert isinstance(event, Notified), "what `opened` gave"
        if event.text.startswith("Successfully validated SNS topic"):
            return []  # SES tries a topic when it is chosen
        try:
            fields = Fields(parse_json(event.text.encode()), "Message.")
        except InvalidRecordError as error:
            raise PayloadError([Problem("Message", error.detail)]) from None
        kind = fields.text("eventType" if fields.get("eventType") is not None else "notificationType", 64)
        name = kind[:1].lower() + kind[1:]
        part = fields.part(name)
        meaning = meaning_of(MEANINGS, kind, *_details(kind, part))
        if meaning.event is None:
            return []
        return _occurrences(event.message_id, kind, meaning, fields.part("mail"), part)


def _details(kind: str, part: Fields) -> list[str | None]:
    if kind == "Bounce":
        return [part.optional("bounceType")]
    if kind == "Complaint":
        return [part.optional("complaintSubType"), part.optional("complaintFeedbackType")]
    if kind == "Subscription":
        return ["unsubscribeAll" if part.part("newTopicPreferences").get("unsubscribeAll") is True else None]
    return []


def _occurrences(message_id: str, kind: str, meaning: Meaning, mail: Fields, part: Fields) -> list[Occurrence]:
    destinations = mail.sequence("destination")
    concerned = _concerned(kind, part) or [(destination, None) for destination in destinations]
    if not 1 <= len(concerned) <= RECIPIENTS_MAX:
        raise mail.problem("destination", f"1 to {RECIPIENTS_MAX} recipients")
    # Tags are the e-mail's. Where it went to several people, they tell nothing of one of them.
    tags = mail.mapping("tags") if len(destinations) <= 1 else {}
    occurred_at_ms = part.instant("timestamp")
    # An open or a click of one of several recipients does not say whose it was.
    told = len(concerned) == 1 or meaning.event not in ("email_open", "email_click", "unsubscribe")
    return [
        Occurrence(
            meaning=meaning,
            provider_type=kind,
            event_id=composed_event_id("ses", message_id, address_of(address)),
            occurred_at_ms=occurred_at_ms,
            recipient=address_of(address) if told else None,
            variables=_variables(tags),
            email_id=mail.optional("messageId"),
            link_url=part.optional("link", 4_096),
            reason=reason,
            user_agent=part.optional("userAgent"),
            ip=part.optional("ipAddress", 64),
        )
        for address, reason in (concerned if told else concerned[:1])
    ]


def _concerned(kind: str, part: Fields) -> list[tuple[object, str | None]]:
    """Recipients that the event itself names, each with the reason."""
    if kind == "Delivery":
        return [(address, None) for address in part.sequence("recipients")]
    if kind in ("Bounce", "Complaint"):
        name = "bouncedRecipients" if kind == "Bounce" else "complainedRecipients"
        recipients = [Fields(each) for each in part.sequence(name) if isinstance(each, dict)]
        given = part.optional("bounceSubType") or part.optional("complaintFeedbackType")
        return [(each.get("emailAddress"), each.optional("diagnosticCode", 1_000) or given) for each in recipients]
    return []


def _variables(tags: dict[str, Any]) -> dict[str, Any]:
    """Tags are lists of one value; those that SES adds itself begin with `ses:`."""
    return {
        name: values[0] for name, values in tags.items() if isinstance(values, list) and values and name[:4] != "ses:"
    }
