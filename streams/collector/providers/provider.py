"""What every provider of e-mail is to the collector: how a call is opened, and what the events in it are.

A provider is one module. It says which of its types are which event (`MEANINGS`), how a call proves itself, what an
event says and by what it is told from others, and which answer makes the provider repeat a call or give up. `OneEach`
does the rest for those of whose events each is about one recipient.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.records import InvalidRecordError, parse_json
from streams.collector.http.half_characters import replace_halves
from streams.collector.http.refusals import Refusal
from streams.collector.providers.fields import Fields

CLOCK_SKEW_MS = 300_000
"""How far a signed time may lie ahead of our clock."""
EVENT_ID_CHARACTERS_MAX = 128

ContactFrom: TypeAlias = Literal["field", "email", "field_or_email"]


class HookSettings(BaseModel):
    """What hooks of every provider have."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    contact: ContactFrom = "field"
    contact_field: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "contact_id"


class SignedHookSettings(HookSettings):
    """A hook whose calls carry a signed time."""

    max_age_s: int = Field(default=90_000, ge=60, le=172_800)


class Meaning(NamedTuple):
    """What a provider's type is to us; `event` is None for what is passed over on purpose."""

    event: str | None
    bounce_type: Literal["hard", "soft"] | None = None
    machine: bool = False


PASSED_OVER = Meaning(None)
DELIVERED = Meaning("email_delivered")
OPEN = Meaning("email_open")
MACHINE_OPEN = Meaning("email_open", machine=True)
CLICK = Meaning("email_click")
HARD_BOUNCE = Meaning("email_bounce", "hard")
SOFT_BOUNCE = Meaning("email_bounce", "soft")
COMPLAINT = Meaning("spam_complaint")
UNSUBSCRIBE = Meaning("unsubscribe")
EVENTS = ("email_delivered", "email_open", "email_click", "email_bounce", "spam_complaint", "unsubscribe")
READERS_EVENTS = ("email_open", "email_click", "unsubscribe")
"""Those that a reader did: the address and the user agent beside others are the provider's own."""


class UnknownTypeError(Exception):
    """A provider sends a type that we know nothing of."""


def meaning_of(meanings: Mapping[str, Meaning], kind: str, *details: str | None) -> Meaning:
    """What `kind/detail` means, by the first detail that is known, else `kind` alone. Raises `UnknownTypeError`."""
    for detail in details:
        if f"{kind}/{detail}" in meanings:
            return meanings[f"{kind}/{detail}"]
    if kind not in meanings:
        raise UnknownTypeError
    return meanings[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One event of one recipient, as a provider tells it."""

    meaning: Meaning
    provider_type: str
    event_id: str
    occurred_at_ms: int
    recipient: str | None
    variables: Mapping[str, Any] = field(default_factory=dict)  # what the sender put into the mail
    email_id: str | None = None
    campaign_id: str | None = None  # the provider's; one among the variables goes before it
    link_url: str | None = None
    reason: str | None = None
    tags: Sequence[object] = ()
    user_agent: str | None = None
    ip: str | None = None


class Call(NamedTuple):
    """A call as it came in. Names of headers are in lower case."""

    headers: Mapping[str, str]
    token: str | None
    body: bytes
    now_ms: int


class Provider(Protocol):
    """One hook of one provider."""

    stop_status: int
    """The answer to what can never be taken: the provider does not send it again."""
    busy_status: int
    """The answer while nothing can be written: the provider sends it again."""

    @property
    def settings(self) -> HookSettings:
        """Whose id is whose, and what the provider proves itself by."""

    async def opened(self, call: Call) -> Sequence[object]:
        """The events of a call, once it is certain that the provider sent it. Raises `Refusal`."""

    def read(self, event: object) -> Sequence[Occurrence]:
        """What happened, to whom; nothing for what is passed over. Raises `PayloadError`, `UnknownTypeError`."""


class OneEach(ABC):
    """Reads events of one recipient each: by their type what they mean, and then what they say."""

    meanings: ClassVar[Mapping[str, Meaning]]
    type_field: ClassVar[str] = "event"
    path: ClassVar[str] = ""
    """Where an event lies in its call, in front of the names of its fields."""

    def read(self, event: object) -> Sequence[Occurrence]:
        """See `Provider`."""
        fields = Fields(event, self.path)
        kind = fields.text(self.type_field, 64)
        meaning = meaning_of(self.meanings, kind, *self.details(kind, fields))
        return [] if meaning.event is None else [self.occurrence(kind, meaning, fields)]

    def details(self, kind: str, fields: Fields) -> Sequence[str | None]:  # noqa: ARG002 - for those that have some
        """What tells events of one type apart, the most telling first."""
        return ()

    @abstractmethod
    def occurrence(self, kind: str, meaning: Meaning, fields: Fields) -> Occurrence:
        """What an event says, and the id by which it is told again. Raises `PayloadError`."""


def parsed(body: bytes) -> object:
    """The JSON of a body, nested within bounds. Raises `Refusal`."""
    try:
        return parse_json(replace_halves(body))
    except InvalidRecordError as error:
        raise Refusal(400, "invalid", error.detail) from None


def check_age(signed_at_ms: int, now_ms: int, max_age_s: int) -> None:
    """Raises `Refusal` for a call that was signed too long ago, or later than now."""
    if signed_at_ms < now_ms - max_age_s * 1000:
        raise Refusal(400, "stale", f"expected a call that was signed at most {max_age_s} s ago")
    if signed_at_ms > now_ms + CLOCK_SKEW_MS:
        raise Refusal(400, "stale", f"expected a call that was signed at most {CLOCK_SKEW_MS // 1000} s ahead of now")


def plain_event_id(provider: str, event_id: str) -> str:
    """The id of an event to which its provider gave one."""
    made = f"{provider}:{event_id}"
    return made if len(made) <= EVENT_ID_CHARACTERS_MAX else composed_event_id(provider, event_id)


def composed_event_id(provider: str, *parts: object) -> str:
    """The id of an event that is known by several things together, some of which may be personal."""
    return f"{provider}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]}"
