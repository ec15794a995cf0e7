"""The topic `lists`: which contacts `segue apply` has put on the lists of a definition file.

Compacted: the last value of each key counts, and none means that the contact is not on the list, or was put there
by hand. What a membership is, the log says and nothing else; this is only what the next apply compares with.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from schemas.record_models import ContactId, Instant

ListName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
EntryKey: TypeAlias = tuple[str, str]
"""List and contact id."""
_key = msgspec.json.Decoder(tuple[str, str])


class ListEntry(BaseModel):
    """`segue apply` put a contact on a list, or was about to put it there or to take it off."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    list: ListName
    contact_id: ContactId
    member: bool = Field(description="What its `list` record says.")
    settled: bool = Field(
        description="Whether the record is in the log for sure. An apply that is cut short leaves false behind, and "
        "the next one writes the record again."
    )
    run: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="The apply that wrote the record; the record's `event_id` follows from it. Empty where two applies "
        "disturbed each other: then the next one writes a new record."
    )
    occurred_at: Instant = Field(
        description="As in the record. While it is not settled: the time with which the record is written again, which "
        "is before all that came to the log since."
    )
    log: str = Field(description="Topic id of `tracking`: a topic that was made anew holds none of the records.")


def entry_key(name: str, contact_id: str) -> bytes:
    """The Kafka key of an entry: a JSON list of the list's name and the contact id."""
    return msgspec.json.encode([name, contact_id])


def decode_key(raw: bytes) -> EntryKey:
    """The list and the contact id in a Kafka key. Raises `ValueError` with what was expected."""
    try:
        name, contact_id = _key.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"expected a key of JSON, a list and a contact id: {error}") from None
    return name, contact_id


def encode_entry(entry: ListEntry) -> bytes:
    """The bytes that go to Kafka."""
    return msgspec.json.encode(entry.model_dump())


def decode_entry(raw: bytes) -> ListEntry:
    """The entry in the value of a Kafka message. Raises `ValueError` with what was expected."""
    try:
        return ListEntry.model_validate(msgspec.json.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"expected JSON in UTF-8: {error}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(step) for step in problem["loc"])
        raise ValueError(f"{path or 'entry'}: {problem['msg']}") from None
