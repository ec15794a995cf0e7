"""The JSON that tracking SDKs send and get, as models, for the OpenAPI document. Bodies are read by `payloads.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

JsonObject: TypeAlias = dict[str, Any]
Instant: TypeAlias = Annotated[
    str,
    Field(
        description="RFC 3339 with seconds and a zone, from 1970 to 2199.", json_schema_extra={"format": "date-time"}
    ),
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow", alias_generator=to_camel)


def _one_of_both(schema: JsonObject) -> None:
    names = ("userId", "anonymousId")
    schema["anyOf"] = [{"required": [name], "properties": {name: {"type": "string"}}} for name in names]


class Call(_Shape):
    """Fields of every call. One of `userId` and `anonymousId` is needed. What else an SDK sends is passed over."""

    model_config = ConfigDict(json_schema_extra=_one_of_both)

    user_id: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="The contact; counts before `anonymousId`.",
        json_schema_extra={"pattern": "^(?!anon:)"},
    )
    anonymous_id: str | None = Field(
        None, min_length=1, max_length=251, description="A visitor not known yet: the contact `anon:` and this id."
    )
    message_id: str | None = Field(
        None, min_length=1, max_length=128, description="The same id again is a repetition and changes nothing."
    )
    timestamp: Instant | None = Field(None, description="When it happened by the sender's clock; else now.")
    original_timestamp: Instant | None = Field(None, description="Read where there is no `timestamp`.")
    sent_at: Instant | None = Field(
        None, description="When it was sent by the sender's clock, which is corrected where it is wrong by over 5 s."
    )
    context: JsonObject | None = Field(None, description="Where and how it happened; kept with events.")
    write_key: str | None = Field(None, description="Instead of Basic authentication, as browsers send it.")


class Track(Call):
    """Something that a contact did."""

    type: Literal["track"] | None = None
    event: str = Field(
        description="Its name, as in `Product Added`; any is taken that is not blank.",
        json_schema_extra={"pattern": r"\S"},
    )
    properties: JsonObject | None = None


class _View(Call):
    name: str | None = None
    category: str | None = None
    properties: JsonObject | None = None


class Page(_View):
    """A page was seen: the event `page_view`."""

    type: Literal["page"] | None = None


class Screen(_View):
    """A screen of an app was seen: the event `screen_view`."""

    type: Literal["screen"] | None = None


class Identify(Call):
    """Traits of a contact; a null removes one."""

    type: Literal["identify"] | None = None
    traits: JsonObject | None = None


class Group(Call):
    """The group that a contact belongs to: the traits `group_id` and `group`."""

    type: Literal["group"] | None = None
    group_id: str = Field(min_length=1, max_length=256)
    traits: JsonObject | None = None


class Alias(_Shape):
    """An anonymous visitor turned out to be a known contact."""

    type: Literal["alias"] | None = None
    previous_id: str = Field(min_length=1, max_length=256)
    user_id: str = Field(min_length=1, max_length=256)


class TrackEvent(Track):
    """`track` in a batch."""

    type: Literal["track"]


class PageEvent(Page):
    """`page` in a batch."""

    type: Literal["page"]


class ScreenEvent(Screen):
    """`screen` in a batch."""

    type: Literal["screen"]


class IdentifyEvent(Identify):
    """`identify` in a batch."""

    type: Literal["identify"]


class GroupEvent(Group):
    """`group` in a batch."""

    type: Literal["group"]


class AliasEvent(Alias):
    """`alias` in a batch."""

    type: Literal["alias"]


Event: TypeAlias = Annotated[
    TrackEvent | PageEvent | ScreenEvent | IdentifyEvent | GroupEvent | AliasEvent, Field(discriminator="type")
]


class Batch(_Shape):
    """Up to 2,500 events of any kind, each with its `type`."""

    batch: list[Event] = Field(max_length=2_500, description="Each at most 32 KiB.")
    context: JsonObject | None = Field(None, description="Lies under each event's own; at most 4 KiB.")
    sent_at: Instant | None = None
    write_key: str | None = None


class SdkMetrics(_Shape):
    """What the browser library counts of itself."""


class FieldProblem(BaseModel):
    """One thing that is wrong."""

    path: str
    expected: str


class Rejected(BaseModel):
    """An event that could not be taken, and everything that is wrong with it."""

    model_config = ConfigDict(alias_generator=to_camel)

    index: int
    message_id: str | None
    problems: list[FieldProblem]


class Taken(BaseModel):
    """Kafka has acknowledged every event."""

    accepted: int = Field(description="Records written.")
    rejected: list[Rejected] = Field(max_length=0)
    unwritten: int | None = Field(None, description="Calls that were taken and of which nothing is written.")


class Refused(BaseModel):
    """What became of the call: how many events are written, which are not, and why."""

    accepted: int
    rejected: list[Rejected]
    error: str
    code: str = Field(description="The reason in one word.")
    message: str
