"""The record of an event in the form in which code works on it. See `record_models.Track` for what its fields mean."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

import msgspec

from schemas.expectations import EVENT_NAME_PATTERN
from schemas.record_models import JsonObject

if TYPE_CHECKING:
    Moment: TypeAlias = int
else:
    Moment = str  # as it is decoded; `decode_record` puts the number in its place at once


class Suspicion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether an event looks as if a machine had caused it, and why."""

    suspected: bool
    reasons: list[str] = []


class Track(msgspec.Struct, tag_field="type", tag="track", forbid_unknown_fields=True, gc=False):
    """Something a contact did, as its model has it: most records are of this type, and a model would cost most of
    the time that their decoding takes.
    """

    event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    contact_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    event: Annotated[str, msgspec.Meta(pattern=EVENT_NAME_PATTERN.replace("$", r"\Z"))]
    occurred_at: Moment
    properties: JsonObject = {}
    context: JsonObject = {}
    source: str | None = None
    machine: Suspicion | None = None
    received_at: Moment | None = None
    backfill: bool = False
    type: ClassVar[Literal["track"]] = "track"


class Untyped(msgspec.Struct, tag_field="type", tag=""):
    """Never met. Beside a second one the type must be there, else it would be taken for granted."""


texts_of: Callable[[Track], tuple[str, str | None]] = attrgetter("occurred_at", "received_at")
"""Both times of an event that was just decoded, which are text until then; see `Moment`."""
