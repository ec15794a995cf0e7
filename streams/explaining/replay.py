"""Replays a log for the sake of one contact, step by step, so that it can be told since when and why.

Records of others only move the clock. The same fold and core run as in the worker and the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from schemas.errors import InputError
from schemas.instants import format_instant
from schemas.records import ContactRecord, DefinitionsRecord, MovedRecord
from schemas.topics import position_name
from schemas.transitions import Cause, Transition
from streams.segmentation import (
    Contact,
    Core,
    Definitions,
    Fold,
    Step,
    Succession,
    contact_key,
    core_of,
)
from streams.segmentation.evidence import Occurrence, Past
from streams.segmentation.explanation import Explainer
from streams.segmentation.steps import cause_of, facts_of, told_by
from streams.segmentation.turns import Turn, Turns
from streams.segmentation.wording import printable


class Replay:
    """One contact's way through the log of its partition."""

    def __init__(
        self,
        definitions: Definitions,
        contact_id: str,
        partition: int = 0,
        lists: Mapping[str, Sequence[str]] = MappingProxyType({}),
        core: Callable[[Definitions], Core] = core_of,
    ) -> None:
        """`lists` has those who are on a list, by its name, before any record says so; `core` makes a `RehearsingCore`
        for definitions that do not hold yet, until `follow`."""
        self.contact_id = contact_id
        self.core = core(definitions)
        self.partition = partition
        self.next_offset = 0
        """Where the reading of the log has ended."""
        self._fold = Fold(self.core, partition)
        self._key = contact_key(contact_id)
        self._past = Past()
        self._turns = Turns(self.core.program)
        for name, ids in lists.items():
            if contact_id in ids:
                self._fold.put_on_list(contact_id, name)

    @property
    def clock_ms(self) -> int:
        """The largest timestamp of a valid record so far."""
        return self._fold.clock_ms

    @property
    def contact(self) -> Contact | None:
        """The contact as it stands, or None where no record of it came yet, or it was erased."""
        contact = self._fold.contacts.get(self._key)
        return contact if contact is not None and contact.exists else None

    def move_on(self, clock_ms: int, offset: int) -> None:
        """Move the clock at the record `offset`, and take the contact's steps that are due by then, one by one."""
        while self._fold.fire(clock_ms, offset, limit=1):
            contact = self._fold.contacts[self._key]
            if contact.exists:
                cause = Cause("timer", position_name(self.partition, offset))
                self._turns.note(contact, contact.as_of_ms, cause)
            self._settle()

    def apply(self, record: ContactRecord, offset: int, clock_ms: int, *, is_new: bool = False) -> None:
        """Apply a record of the contact; another's only moves the clock.

        `is_new`: it is no forward that was taken before, as the caller knows.
        """
        self.move_on(clock_ms, offset)
        if record.contact_id != self.contact_id:
            return
        clock_ms = self.clock_ms
        apply = self._fold.apply_new if is_new else self._fold.apply
        outcome = apply(record, offset, clock_ms)
        self._settle()
        if outcome.result != "applied":
            return
        if not self._fold.contacts[self._key].exists:  # it was erased, or turned out to be another one
            self._past.clear()
            self._turns.clear()
            return
        position = position_name(self.partition, offset)
        for each in told_by(record):
            self._note(each, min(each.occurred_at, clock_ms), position)
        self._turns.note(self._fold.contacts[self._key], clock_ms, cause_of(record, position))

    def _note(self, record: MovedRecord, at_ms: int, position: str) -> None:
        if record.type == "track":
            if record.event in self.core.program.by_event:
                counted = self.core.corrections.counted(self._fold.contacts[self._key], record)
                self._past.note_event(counted, at_ms, position)
        elif record.type == "correction":
            self._past.correct(record)
        else:
            for name, _ in facts_of(record):
                self._past.note_fact(name, Occurrence(at_ms, record.event_id, position))

    def follow(self, former: Replay, record: DefinitionsRecord, offset: int) -> None:
        """Let the contact go on from how it stood in `former`: both have come to this record, which ends that one.

        What it was before and is now keeps its since and cause. Into what it comes by the change, it does so since its
        history says that it is in it.
        """
        raw, known = self._stored(), former._stored()
        core = self.core = self._fold.core = core_of(self.core.definitions)
        succession = Succession(former.core.definitions, core)
        settled = succession.settle(raw, known, self.clock_ms)
        self._fold.contacts.pop(self._key, None)
        if settled.raw is None:
            return
        contact = self._fold.contacts[self._key] = core.decode(self._key, settled.raw)
        emitted: list[Transition] = []
        step = Step(self.clock_ms, self.clock_ms, (self.partition, offset), emitted, record)
        succession.tell(self._key, settled, step)
        if contact.exists:
            self._go_on(former, contact, {move.segment: move for move in emitted})

    def _go_on(self, former: Replay, contact: Contact, moved: dict[str, Transition]) -> None:
        """Know since when the contact is, or is not, in segments: also in those that are no more, but may come back."""
        indexes = {segment.name: segment.index for segment in self.core.program.segments}
        stood = former._turns.of_segments()
        for name in dict.fromkeys((*stood, *moved)):
            move = moved.get(name)
            if move is None:
                self._turns.note_segment(name, stood[name])
            else:
                told_ms = move.effective_at
                since_ms = contact.since_ms[indexes[name]] if name in indexes else told_ms
                self._turns.note_segment(name, Turn(since_ms, move.cause, None if told_ms == since_ms else told_ms))

    def _stored(self) -> bytes | None:
        contact = self._fold.contacts.get(self._key)
        return None if contact is None else self.core.encode(contact)

    def explainer(self) -> Explainer:
        """Explains the contact as it stands. Raises `InputError` for one that is not known."""
        contact = self.contact
        if contact is None:
            raise self._unknown()
        return Explainer(self.core, contact, self.clock_ms, self._past, self._turns)

    def _unknown(self) -> InputError:
        known = self._fold.contacts.get(self._key)
        if known is not None and known.linked_to is not None:
            return InputError(
                f"the contact {printable(self.contact_id)} turned out to be {printable(known.linked_to)}, and what it "
                "did counts there: ask for that one"
            )
        if known is not None and known.erased is not None:
            return InputError(
                f"the contact {printable(self.contact_id)} was erased, with all that it did up to "
                f"{format_instant(known.erased.at_ms)}"
            )
        if not self.clock_ms:
            return InputError("there is no valid record up to that instant, so there is nothing to explain")
        return InputError(
            f"the contact {printable(self.contact_id)} is not known: no valid record up to "
            f"{format_instant(self.clock_ms)} carries this contact_id; mind upper and lower case"
        )

    def _settle(self) -> None:
        """Nobody reads the transitions."""
        self._fold.emitted.clear()
        self._fold.changed.clear()
        self._fold.sent.clear()
