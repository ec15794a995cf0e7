"""Contacts that turn out to be others: an anonymous contact is linked to a known one, and its records move there.

What moves are the records themselves, not what was made of them: under any definitions, those to come included, the
known contact is what its own records and those of its linked contacts make of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.forwards import Sending
from schemas.record_models import ANONYMOUS_PREFIX, HISTORY_RECORDS_MAX
from schemas.records import ContactRecord, Forward, Link, MovedRecord, Origin
from streams.segmentation.contact import Contact


def remember(contact: Contact, contact_id: str, offset: int) -> None:
    """Note where a record lies in the log, where its contact may be linked one day."""
    if contact_id.startswith(ANONYMOUS_PREFIX):
        history = contact.history
        history.append(offset)
        if len(history) > HISTORY_RECORDS_MAX:
            del history[0]


def history_of(contact: Contact, link: Link, offset: int) -> tuple[Sending, ...]:
    """All that was said of a contact that is linked for the first time."""
    known_since, history = contact.known_since_ms if contact.exists else None, tuple(contact.history)
    return (
        Sending(offset, 0, link.to, link.contact_id, "history", link.event_id, link.occurred_at, known_since, history),
    )


def word_of(link: Link, offset: int) -> tuple[Sending, ...]:
    """That a contact is linked to another one now. Its history has moved to whom it was linked to first."""
    return (Sending(offset, 0, link.to, link.contact_id, "history", link.event_id, link.occurred_at),)


def passed_on(record: ContactRecord, to: str, offset: int) -> Sending:
    """A record that comes after its contact was linked."""
    return Sending(offset, 0, to, record.contact_id, "record", record.event_id, record.occurred_at, records=(offset,))


def forward_of(sending: Sending, partition: int, records: Sequence[MovedRecord | None]) -> Forward:
    """The record that carries what is sent from a partition. `records` are those that it names."""
    return Forward(
        sending.event_id,
        sending.to,
        sending.occurred_at,
        Origin(partition, sending.offset, sending.first),
        sending.linked_id,
        sending.kind,
        list(records),
        sending.known_since,
    )


def erasures(record: ContactRecord, to: list[str], at_ms: int, offset: int) -> tuple[Sending, ...]:
    """The erasure of a contact, to those that are linked with it: they are forgotten together."""
    return tuple(
        Sending(offset, place, linked_id, record.contact_id, "erasure", record.event_id, at_ms)
        for place, linked_id in enumerate(to)
    )
