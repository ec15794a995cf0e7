"""Records of the `tracking` topic as models: the source of their JSON Schema, and of what is said of a wrong one."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
)

from schemas.expectations import EVENT_NAME_PATTERN, HASH_PATTERN
from schemas.instants import format_instant, parse_instant


def _instant(value: object) -> int:
    if isinstance(value, str):
        return parse_instant(value)
    raise ValueError("expected an RFC 3339 time as a string")


# For readers of the JSON Schema, which cannot say the rest: a day that exists, and 1970 to 2199 in UTC.
_INSTANT_PATTERN = (
    "^(1969-12-31|2200-01-01|(19[7-9][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))"
    r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)

Instant = Annotated[
    int,
    BeforeValidator(_instant),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": _INSTANT_PATTERN,
            "examples": ["2026-11-21T10:00:00.123Z"],
        }
    ),
]
"""Text in RFC 3339 outside, milliseconds since the epoch inside."""

EventName = Annotated[str, StringConstraints(pattern=EVENT_NAME_PATTERN)]
CONTACT_CHARACTERS_MAX = 256
ContactId = Annotated[str, StringConstraints(min_length=1, max_length=CONTACT_CHARACTERS_MAX)]
EventId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
JsonObject: TypeAlias = dict[str, Any]

ANONYMOUS_PREFIX = "anon:"
"""The ids of contacts of whom only a device is known begin with it, and no other ids do."""
HISTORY_RECORDS_MAX = 1_000
"""Records of an anonymous contact that move when it is linked: the newest."""


def _known(contact_id: str) -> str:
    if contact_id.startswith(ANONYMOUS_PREFIX):
        raise ValueError(f"expected an id that does not begin with {ANONYMOUS_PREFIX!r}")
    return contact_id


AnonymousId = Annotated[str, StringConstraints(min_length=len(ANONYMOUS_PREFIX) + 1, max_length=256, pattern="^anon:")]
KnownId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256, "not": {"pattern": "^anon:"}}),
]


class _Record(BaseModel):
    # Strict: "true" is not true, 1 is not "1". Unknown fields are ignored, so that producers may add some.
    model_config = ConfigDict(extra="ignore", strict=True)

    received_at: Instant | None = Field(default=None, description="When the collector took the record in.")
    backfill: bool = Field(default=False, description="An import of history: its step has cause `backfill`.")


class _ContactRecord(_Record):
    event_id: EventId = Field(description="Identity of the record; a second one with it changes nothing.")
    contact_id: ContactId = Field(description="Whom it is about; also the Kafka key.")
    occurred_at: Instant = Field(description="When it happened, RFC 3339 with a zone and seconds.")


class Machine(BaseModel):
    """Why an event looks as if a machine had caused it."""

    model_config = ConfigDict(extra="ignore", strict=True)

    suspected: bool
    reasons: list[str] = Field(default_factory=list)


class Track(_ContactRecord):
    """Something a contact did."""

    type: Literal["track"]
    event: EventName
    properties: JsonObject = Field(default_factory=dict)
    context: JsonObject = Field(default_factory=dict)
    source: str | None = None
    machine: Machine | None = None


class Correction(_ContactRecord):
    """What is by now held of an event: a machine caused it, or none did."""

    type: Literal["correction"]
    corrects: EventId = Field(description="The `event_id` of the `track` record that it is about.")
    machine: Machine = Field(description="What that record should have said from the start.")


class Identify(_ContactRecord):
    """Traits of a contact were set; `null` removes a trait."""

    type: Literal["identify"]
    traits: JsonObject


class Consent(_ContactRecord):
    """A consent decision for one purpose."""

    type: Literal["consent"]
    purpose: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    granted: bool
    document: str = Field(description="What the contact was shown: a form's version or a hash of its words.")
    method: str = Field(description="How the decision was made, e.g. `web_form`.")


class Erase(_ContactRecord):
    """Forget this contact."""

    type: Literal["erase"]


class ListMembership(_ContactRecord):
    """The contact was put on a static list or taken off."""

    type: Literal["list"]
    list: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    member: bool
    if_known: bool = Field(
        default=False,
        description="Whether it counts only for a contact that exists. `segue apply` so makes nobody anew.",
    )


class Link(_ContactRecord):
    """An anonymous contact turned out to be a known one: its history counts for that one, and so does what follows."""

    type: Literal["link"]
    contact_id: AnonymousId = Field(description="The anonymous contact; also the Kafka key.")
    to: KnownId = Field(description="Who it turned out to be.")


MovedRecord = Annotated[Track | Identify | Consent | ListMembership | Correction, Field(discriminator="type")]


class Origin(BaseModel):
    """Which record of `tracking` sent a forward, and the place of its first record among all that it sends."""

    model_config = ConfigDict(extra="ignore", strict=True)

    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    first: Annotated[int, Field(ge=0)]


class Forward(_ContactRecord):
    """Records of a linked contact, on their way to whom they count for. The worker writes it."""

    type: Literal["forward"]
    origin: Origin = Field(description="Where they come from: what was taken of a partition once is passed over.")
    linked_id: ContactId = Field(description="The contact whose records these are, or were.")
    kind: Literal["history", "record", "erasure"] = Field(
        description="History makes one step of cause `merge`, a record its own, and an erasure is one."
    )
    known_since: Instant | None = Field(default=None, description="The clock of that contact's first record.")
    records: Annotated[list[MovedRecord | None], Field(max_length=HISTORY_RECORDS_MAX)] = Field(
        description="Null for one that the log had lost already."
    )


class Tick(_Record):
    """Time passed in this partition and nothing else happened."""

    type: Literal["tick"]


class DefinitionsRecord(_Record):
    """These definitions hold from here on in this partition."""

    type: Literal["definitions"]
    definitions: str = Field(description="The canonical JSON text of the definition file.")
    hash: Annotated[str, StringConstraints(pattern=HASH_PATTERN)] = Field(description="SHA-256 of it.")
    number: Annotated[int, Field(ge=1)] = Field(description="Counts 1, 2, 3 with every change.")
    author: str = ""
    message: str = ""
    silent: bool = False
    accept_short_history: bool = False
    semantics: str = Field(description="Version of the semantics that the text was written for.")
    tzdata: str = Field(description="Version of the time zone database.")


AnyRecord = Annotated[
    Track | Identify | Consent | Erase | ListMembership | Correction | Link | Forward | Tick | DefinitionsRecord,
    Field(discriminator="type"),
]
RecordModel: TypeAlias = (
    Track | Identify | Consent | Erase | ListMembership | Correction | Link | Forward | Tick | DefinitionsRecord
)
RECORD: TypeAdapter[RecordModel] = TypeAdapter(AnyRecord)
RECORD_TYPES: dict[str, type[BaseModel]] = {
    "track": Track,
    "identify": Identify,
    "consent": Consent,
    "erase": Erase,
    "list": ListMembership,
    "link": Link,
    "forward": Forward,
    "correction": Correction,
    "tick": Tick,
    "definitions": DefinitionsRecord,
}
