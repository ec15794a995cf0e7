"""The steps of one contact: what is looked at, what moves, and when to look again."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.records import MovedRecord
from schemas.transitions import Transition
from streams.segmentation.contact import Contact
from streams.segmentation.contact_forms import ContactForms
from streams.segmentation.corrections import touch
from streams.segmentation.forecast import valid_until
from streams.segmentation.program import CompiledSegment
from streams.segmentation.steps import Step, facts_of, moved, transition
from streams.segmentation.units import Unit, look


class StepTaker(ContactForms):
    """Takes steps of contacts under one set of definitions."""

    def fire(self, contact: Contact, now_ms: int, position: tuple[int, int], emitted: list[Transition]) -> None:
        """Take the contact's timer step at `next_due`, which is at or before `now_ms`."""
        due_ms = contact.next_due
        assert due_ms is not None, "only a contact with a timer is fired"
        assert due_ms <= now_ms, "a timer fires at its instant or later"
        erased = contact.erased
        if erased is not None and due_ms > erased.clock_ms + self._horizon_ms:
            contact.erased = None
        if contact.exists:
            flips = contact.flips
            touched = [self._units[index] for index in sorted(flips) if flips[index] <= due_ms]
            contact.as_of_ms = due_ms
            contact.applied_ids.forget(due_ms, self._horizon_ms)
            if contact.recent is not None:
                self.corrections.settle(contact, due_ms)
            self._take(contact, touched, Step(due_ms, now_ms, position, emitted))
        contact.schedule(self._horizon_ms, self.corrections.within_ms)

    def _fold(self, contact: Contact, record: MovedRecord, digest: bytes, at_ms: int, now_ms: int) -> list[Unit]:
        """Put the record's content into the contact's state; the units whose bits it may have changed."""
        if record.type == "track":
            if contact.recent is not None or record.event in self.corrections.events:
                record = self.corrections.note(contact, record, digest, at_ms, now_ms)
            return touch(contact, self.program.by_event.get(record.event, ()), record, at_ms, now_ms)
        touched: list[Unit] = []
        for name, value in facts_of(record):
            units = self.program.by_fact.get(name, ())
            known = contact.facts.get(name)
            if units and (known is None or at_ms >= known[0]):
                contact.facts[name] = (at_ms, value)
                touched.extend(units)
        return touched

    def _take_all(self, contact: Contact, touched: list[Unit], step: Step, first: bool) -> None:
        """Take the step of a record."""
        contact.as_of_ms = step.now_ms
        self._take(contact, touched + self._seen(contact) if first else touched, step, first=first)
        contact.schedule(self._horizon_ms, self.corrections.within_ms)

    def _leave_all(self, contact: Contact, step: Step) -> None:
        """Let a contact that ends leave every segment."""
        who = (contact.contact_id or "", contact.created_by)
        for segment in self.program.segments:
            if contact.bits & segment.bit:
                step.emitted.append(
                    transition(who, segment.label, contact.sequences[segment.index] + 1, step, {}, None)
                )

    def _take(self, contact: Contact, touched: Sequence[Unit], step: Step, first: bool = False) -> None:
        """Look at the units touched, then bring all up to date that reads their bits; emit what moves."""
        contact.courses.clear()  # their entries may have been touched
        pending = self._first if first else 0
        for unit in touched:
            if unit.reads:
                pending |= self._place_of_while[unit.index]
            elif look(contact, (unit,), step.at_ms):
                pending |= self._readers[unit.index]
        if not pending:
            return
        # Whoever reads a bit stands after its owner, so the lowest place is always the next one.
        dependents = self._dependents
        while pending:
            place = pending & -pending
            pending ^= place
            other = dependents[place.bit_length() - 1]
            if not isinstance(other, CompiledSegment):
                if look(contact, (other,), step.at_ms):
                    pending |= self._readers[other.index]
            elif other.member(contact.bits) != bool(contact.bits & other.bit):
                contact.bits ^= other.bit
                pending |= self.program.readers_of_segment[other.index]
                self._move(contact, other, step)
        contact.courses.clear()

    def _move(self, contact: Contact, segment: CompiledSegment, step: Step) -> None:
        contact.sequences[segment.index] = contact.sequences.get(segment.index, 0) + 1
        contact.since_ms[segment.index] = step.at_ms
        step.emitted.append(moved(contact, segment, step))

    def valid_until(self, contact: Contact, segment: CompiledSegment) -> int | None:
        """When the contact's membership of the segment changes next if only the clock moves.

        None: never, or not within the flips that are searched.
        """
        return valid_until(contact, segment)
