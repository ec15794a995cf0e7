"""What a step needs of its record, and what comes out of it."""

from __future__ import annotations

import hashlib

import msgspec

from schemas.records import (
    Consent,
    ContactRecord,
    Correction,
    DefinitionsRecord,
    Identify,
    ListMembership,
    MovedRecord,
)
from schemas.topics import position_name
from schemas.transitions import Cause, CauseKind, Transition
from streams.segmentation.contact import Contact
from streams.segmentation.file_parts import Label
from streams.segmentation.forecast import valid_until
from streams.segmentation.program import CompiledSegment


class Step:
    """One step: its instant, the clock at which it is taken, its record (or a timer), where its transitions go.

    Its position is the partition and the offset of the record that was applied or that moved the clock.
    """

    __slots__ = ("_cause", "_position", "_record", "at_ms", "emitted", "now_ms")

    def __init__(
        self,
        at_ms: int,
        now_ms: int,
        position: tuple[int, int],
        emitted: list[Transition],
        record: ContactRecord | DefinitionsRecord | None = None,
    ) -> None:
        self.at_ms = at_ms
        self.now_ms = now_ms
        self.emitted = emitted
        self._position = position
        self._record = record
        self._cause: Cause | None = None

    @property
    def offset(self) -> int:
        """Of the record that was applied, or that moved the clock."""
        return self._position[1]

    @property
    def cause(self) -> Cause:
        """Why it is taken. Most steps move nobody, so it is made when the first transition asks for it."""
        if self._cause is None:
            record, position = self._record, position_name(*self._position)
            self._cause = Cause("timer", position) if record is None else cause_of(record, position)
        return self._cause


def transition(
    who: tuple[str, str], label: Label, sequence: int, step: Step, scores: dict[str, float], valid_until: int | None
) -> Transition:
    """The transition number `sequence` of a contact in a segment. `who`: its id, and that of the event that made it."""
    contact_id, created_by = who
    identity = [contact_id, label.name, label.definition, sequence, step.at_ms, created_by]
    return Transition(
        hashlib.blake2b(msgspec.json.encode(identity), digest_size=16).hexdigest(),
        "segment.entered" if sequence & 1 else "segment.exited",
        contact_id,
        label.name,
        label.tags,
        label.definition,
        sequence,
        step.at_ms,
        step.now_ms,
        step.cause,
        scores,
        valid_until,
    )


def moved(contact: Contact, segment: CompiledSegment, step: Step) -> Transition:
    """The transition of a contact whose sequence in the segment was just raised."""
    contact_id = contact.contact_id
    assert contact_id is not None, "only a contact that exists moves"
    scores = {score.name: score.reading(contact, step.at_ms) / 1000 for score in segment.scores}
    sequence, known_until = contact.sequences[segment.index], valid_until(contact, segment)
    return transition((contact_id, contact.created_by), segment.label, sequence, step, scores, known_until)


_KINDS: dict[str, CauseKind] = {
    "identify": "traits",
    "consent": "consent",
    "list": "list",
    "correction": "correction",
    "erase": "erasure",
    "link": "merge",
}


def cause_of(record: ContactRecord | DefinitionsRecord, position: str) -> Cause:
    """Why a record's own step is taken."""
    if record.type == "definitions":
        return Cause("backfill" if record.silent else "definition", position)
    if record.type == "forward":
        moved = record.records[0] if record.kind == "record" and record.records else None
        if moved is not None:
            return cause_of(moved, position)
        return Cause("erasure" if record.kind == "erasure" else "merge", position, record.event_id)
    if record.backfill:
        return Cause("backfill", position, record.event_id)
    if record.type == "track":
        return Cause("event", position, record.event_id, record.event)
    return Cause(_KINDS[record.type], position, record.event_id)


def makes_a_contact(record: ContactRecord) -> bool:
    """Whether a contact that does not exist begins to with this record."""
    return record.type != "correction" and not (record.type == "list" and record.if_known)


def told_by(record: ContactRecord) -> list[MovedRecord]:
    """What a record says of its contact: itself, what it carries, or nothing."""
    if record.type == "forward":
        return [each for each in record.records if each is not None]
    return [] if record.type == "erase" or record.type == "link" else [record]  # noqa: PLR1714 - narrows the type


def facts_of(record: Identify | Consent | ListMembership | Correction) -> list[tuple[str, object]]:
    """What a record says of its contact: names of facts, and their values."""
    if record.type == "identify":
        return [(f"trait:{name}", value) for name, value in record.traits.items()]
    if record.type == "consent":
        return [(f"consent:{record.purpose}", record.granted)]
    if record.type == "correction":
        return []
    return [(f"list:{record.list}", record.member)]
