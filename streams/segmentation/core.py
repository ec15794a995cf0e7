"""The core: one contact, one record or timer at a time, `now` as an argument."""

from __future__ import annotations

from typing import Any

from schemas.record_models import ANONYMOUS_PREFIX
from schemas.records import ContactRecord, Erase, Forward, Link, MovedRecord, Track
from schemas.transitions import Transition
from streams.segmentation.canonical import contact_key
from streams.segmentation.contact import AppliedIds, Contact, Standing, id_digest
from streams.segmentation.definitions import Definitions
from streams.segmentation.forecast import valid_until
from streams.segmentation.identity import erasures, history_of, passed_on, remember, word_of
from streams.segmentation.outcome import APPLIED, DROPPED, DUPLICATE, Outcome
from streams.segmentation.program import CompiledSegment, Program
from streams.segmentation.slots import Slots
from streams.segmentation.steps import Step, facts_of, moved, transition
from streams.segmentation.stored import (
    Erased,
    StoredContact,
    StoredHeir,
    StoredParty,
    decode_stored,
    encode_stored,
    pack_offsets,
    unpack_offsets,
)
from streams.segmentation.units import Unit, look


class Core:
    """Applies records and timers to contacts under one set of definitions."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.program = Program(definitions)
        self._units = self.program.units
        self._dependents = self.program.dependents
        self._readers = self.program.readers
        self._whiles = [other for other in self._dependents if not isinstance(other, CompiledSegment)]
        self._place_of_while = {
            other.index: 1 << place
            for place, other in enumerate(self._dependents)
            if not isinstance(other, CompiledSegment)
        }
        self._standing = [unit for unit in self._units if unit.standing]
        self._fresh = [unit.fresh for unit in self._units]
        self._fresh_stored = [unit.store(unit.fresh()) for unit in self._units]
        self._packs = [type(unit).store is not Unit.store for unit in self._units]
        """Whether a unit's slot is stored in another form than it is worked on."""
        self._cells = [cells for unit in self._units for cells in unit.cells]
        self._horizon_ms = definitions.deduplicate_ms
        self._blank_bits, self._first = self._look_at_nobody()

    @property
    def entries_merged(self) -> int:
        """Entries of windows that were merged into others so far, since there were too many."""
        return sum(cells.merged for cells in self._cells)

    # --- contacts in and out ---------------------------------------------------------------------------

    def new(self, contact_id: str) -> Contact:
        """A contact of whom nothing is known; it does not exist until a record is applied to it."""
        return self._blank(Contact(contact_key(contact_id), contact_id))

    def _blank(self, contact: Contact) -> Contact:
        contact.exists = False
        contact.bits = self._blank_bits
        contact.created_by = ""
        contact.known_since_ms = contact.as_of_ms = 0
        contact.applied_ids = AppliedIds()
        contact.facts = {}
        contact.slots = Slots(self._fresh)
        contact.flips = {}
        contact.sequences = {}
        contact.since_ms = {}
        contact.retired = {}
        contact.history = []
        contact.linked_to = None
        contact.linked_ids = []
        contact.schedule(self._horizon_ms)
        return contact

    def _look_at_nobody(self) -> tuple[int, int]:
        """What holds of a contact of whom nothing is known, and the places of the segments that it enters at first."""
        self._blank_bits = 0
        nobody = self.new("")
        look(nobody, [unit for unit in self._units if not (unit.reads or unit.standing)], 0)
        look(nobody, self._whiles, 0)
        assert not nobody.flips, "of whom nothing is known nothing flips"
        first = 0
        for place, other in enumerate(self._dependents):
            if isinstance(other, CompiledSegment) and other.member(nobody.bits):
                first |= 1 << place
        return nobody.bits, first

    def encode(self, contact: Contact) -> bytes | None:
        """The stored form; None where nothing of the contact is left to store.

        What no instant from the contact's last step on asks for is dropped before, so that it is not stored.
        """
        if not contact.exists:
            if contact.erased is None and contact.linked_to is None:
                return None
            nobody = StoredParty(None, "", 0, 0, b"", {}, {}, {}, contact.erased, linked_to=contact.linked_to)
            return encode_stored(nobody)
        parts = (
            contact.contact_id,
            contact.created_by,
            contact.known_since_ms,
            contact.as_of_ms,
            bytes(contact.applied_ids.entries),
            self._stored_moves(contact),
            self._stored_slots(contact),
            contact.facts,
            contact.erased,
        )
        if not (contact.retired or contact.history or contact.linked_ids):
            return encode_stored(StoredContact(*parts))
        since_ms = contact.known_since_ms
        retired = {name: (each[0], each[1] - since_ms) for name, each in sorted(contact.retired.items())}
        if not (contact.history or contact.linked_ids):
            return encode_stored(StoredHeir(*parts, retired))
        return encode_stored(StoredParty(*parts, retired, pack_offsets(contact.history), None, contact.linked_ids))

    def _stored_moves(self, contact: Contact) -> dict[int, tuple[int, int]]:
        sequences, since_ms, known_since_ms = contact.sequences, contact.since_ms, contact.known_since_ms
        return {index: (sequences[index], since_ms[index] - known_since_ms) for index in sorted(sequences)}

    def _stored_slots(self, contact: Contact) -> dict[int, Any]:
        slots, as_of_ms, units = contact.slots, contact.as_of_ms, self._units
        stored = {}
        for index in sorted(slots):
            slot, unit = slots[index], units[index]
            if unit.forgets:
                unit.forget(slot, as_of_ms)
            if self._packs[index]:
                slot = unit.store(slot)
            if slot != self._fresh_stored[index]:
                stored[index] = slot
        return stored

    def decode(self, key: str, raw: bytes) -> Contact:
        """A contact from its stored form."""
        stored = decode_stored(raw)
        contact = self._blank(Contact(key, stored.contact_id, stored.erased))
        contact.linked_to = stored.linked_to
        if stored.contact_id is None:
            return contact
        contact.history = unpack_offsets(stored.history)
        contact.linked_ids = stored.linked_ids
        contact.exists = True
        contact.created_by = stored.created_by
        contact.known_since_ms = stored.known_since_ms
        contact.as_of_ms = stored.as_of_ms
        contact.applied_ids = AppliedIds(stored.applied_ids)
        contact.facts = stored.facts
        for name, (sequence, after_ms) in stored.retired.items():
            contact.retired[name] = Standing(sequence, stored.known_since_ms + after_ms)
        for index, (sequence, after_ms) in stored.moves.items():
            contact.sequences[index] = sequence
            contact.since_ms[index] = stored.known_since_ms + after_ms
            if sequence & 1:
                contact.bits |= self.program.segments[index].bit
        units, slots = self._units, contact.slots
        for index, slot in stored.slots.items():
            slots[index] = units[index].restore(slot) if self._packs[index] else slot
        look(contact, self._seen(contact), contact.as_of_ms)
        for score in self._whiles:
            look(contact, (score,), contact.as_of_ms)
        contact.schedule(self._horizon_ms)
        return contact

    def _seen(self, contact: Contact) -> list[Unit]:
        """The units that may say something else of the contact than of one of whom nothing is known, but for whiles."""
        units, by_fact = self._units, self.program.by_fact
        seen = [units[index] for index in contact.slots if not units[index].reads]
        for name in contact.facts:
            seen += by_fact.get(name, ())
        return seen + self._standing

    # --- records and timers ----------------------------------------------------------------------------

    def apply(
        self, contact: Contact, record: ContactRecord, now_ms: int, position: tuple[int, int], emitted: list[Transition]
    ) -> Outcome:
        """Apply a record at `now_ms`; its transitions are appended to `emitted`.

        The contact's timers due at or before `now_ms` must have fired before.
        """
        at_ms = min(record.occurred_at, now_ms)
        if record.type == "forward":
            return self._take_over(contact, record, at_ms, Step(now_ms, now_ms, position, emitted, record))
        if contact.erased is not None and at_ms <= contact.erased.at_ms:
            return DROPPED
        if record.type == "erase" or record.type == "link" or contact.linked_to is not None:  # noqa: PLR1714 - narrows
            return self._turn(contact, record, at_ms, Step(now_ms, now_ms, position, emitted, record))
        if not self._note(contact, record, now_ms):
            return DUPLICATE
        remember(contact, record.contact_id, position[1])
        first = not contact.exists
        if first:
            self._begin(contact, record, now_ms)
        touched = self._fold(contact, record, at_ms, now_ms)
        self._take_all(contact, touched, Step(now_ms, now_ms, position, emitted, record), first)
        return APPLIED[at_ms < now_ms, record.occurred_at > now_ms]

    def _turn(self, contact: Contact, record: MovedRecord | Erase | Link, at_ms: int, step: Step) -> Outcome:
        """Apply a record that ends a contact, or that comes when it has become another one."""
        if record.type == "erase":
            return self._erase(contact, record, at_ms, step)
        if record.type == "link":
            return self._link(contact, record, at_ms, step)
        assert contact.linked_to is not None, "else it is applied"
        return Outcome("forwarded", sent=(passed_on(record, contact.linked_to, step.offset),))

    def _note(self, contact: Contact, record: MovedRecord, now_ms: int) -> bool:
        """Note that a record is applied; False where it was already."""
        digest = id_digest(record.event_id)
        if contact.applied_ids.holds(digest, now_ms, self._horizon_ms):
            return False
        contact.applied_ids.add(digest, now_ms, self._horizon_ms)
        return True

    @staticmethod
    def _begin(contact: Contact, record: MovedRecord | Forward, now_ms: int) -> None:
        contact.exists = True
        contact.known_since_ms = now_ms
        contact.contact_id = record.contact_id
        contact.created_by = record.event_id

    def _take_all(self, contact: Contact, touched: list[Unit], step: Step, first: bool) -> None:
        contact.as_of_ms = step.now_ms
        self._take(contact, touched + self._seen(contact) if first else touched, step, first=first)
        contact.schedule(self._horizon_ms)

    # --- contacts that turn out to be others -----------------------------------------------------------

    def _link(self, contact: Contact, link: Link, at_ms: int, step: Step) -> Outcome:
        """From here on the contact's records go to another one; at the first time, all that there were go too."""
        if contact.linked_to == link.to:
            return DUPLICATE
        if contact.linked_to is None:
            sent = history_of(contact, link, step.offset)
            self._leave_all(contact, step)
            self._blank(contact)
            contact.contact_id = None
        else:
            sent = word_of(link, step.offset)
        contact.linked_to = link.to
        return Outcome("applied", at_ms < step.now_ms, link.occurred_at > step.now_ms, sent)

    def _take_over(self, contact: Contact, forward: Forward, at_ms: int, step: Step) -> Outcome:
        """Let records of a linked contact count for this one, in one step."""
        if forward.kind == "erasure":
            return self._forget_with(contact, forward, at_ms, step)
        gone = contact.erased is not None and at_ms <= contact.erased.at_ms
        history = forward.kind == "history" and not gone
        applied = [one for one in forward.records if one is not None and self._counts(contact, one, step.now_ms)]
        if not applied and not history:
            # Whom it was linked to was erased after that: the erasure goes on to the contact that did not know of it.
            sent = erasures(forward, [forward.linked_id], at_ms, step.offset) if forward.kind == "history" else ()
            return Outcome("erased", sent=sent) if gone else DUPLICATE
        first = not contact.exists
        if first:
            self._begin(contact, forward, step.now_ms)
        touched: list[Unit] = []
        for record in applied:
            touched += self._fold(contact, record, min(record.occurred_at, step.now_ms), step.now_ms)
        if history and forward.linked_id not in contact.linked_ids:
            contact.linked_ids.append(forward.linked_id)
        if forward.known_since is not None and forward.known_since < contact.known_since_ms:
            contact.known_since_ms = forward.known_since
            touched += self._standing
        self._take_all(contact, touched, step, first)
        return APPLIED[False, False]

    def _counts(self, contact: Contact, record: MovedRecord, now_ms: int) -> bool:
        erased = contact.erased
        if erased is not None and min(record.occurred_at, now_ms) <= erased.at_ms:
            return False
        return self._note(contact, record, now_ms)

    def _leave_all(self, contact: Contact, step: Step) -> None:
        who = (contact.contact_id or "", contact.created_by)
        for segment in self.program.segments:
            if contact.bits & segment.bit:
                step.emitted.append(
                    transition(who, segment.label, contact.sequences[segment.index] + 1, step, {}, None)
                )

    def _forget_with(self, contact: Contact, erasure: Forward, at_ms: int, step: Step) -> Outcome:
        """Apply the erasure of a linked contact. A device that is somebody else's by now is not forgotten with it."""
        gone = contact.erased is not None and at_ms <= contact.erased.at_ms
        if gone or (erasure.contact_id.startswith(ANONYMOUS_PREFIX) and contact.linked_to != erasure.linked_id):
            return DROPPED
        return self._erase(contact, erasure, at_ms, step)

    def _erase(self, contact: Contact, record: Erase | Forward, at_ms: int, step: Step) -> Outcome:
        """Forget a contact, and let those be forgotten that are linked with it."""
        others = contact.linked_ids if contact.linked_to is None else [contact.linked_to]
        if record.type == "forward":
            others = [other for other in others if other != record.linked_id]
        sent = erasures(record, others, at_ms, step.offset)
        self._leave_all(contact, step)
        contact.erased = Erased(at_ms, step.now_ms)
        self._blank(contact)
        contact.contact_id = None
        return Outcome("applied", at_ms < step.now_ms, record.occurred_at > step.now_ms, sent)

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
            self._take(contact, touched, Step(due_ms, now_ms, position, emitted))
        contact.schedule(self._horizon_ms)

    def _fold(self, contact: Contact, record: MovedRecord, at_ms: int, now_ms: int) -> list[Unit]:
        """Put the record's content into the contact's state; the units whose bits it may have changed."""
        if record.type == "track":
            return self._fold_event(contact, record, at_ms, now_ms)
        touched: list[Unit] = []
        for name, value in facts_of(record):
            units = self.program.by_fact.get(name, ())
            known = contact.facts.get(name)
            if units and (known is None or at_ms >= known[0]):
                contact.facts[name] = (at_ms, value)
                touched.extend(units)
        return touched

    def _fold_event(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> list[Unit]:
        touched, slots = [], contact.slots
        for unit in self.program.by_event.get(event.event, ()):
            index = unit.index
            seen = index in slots
            if not seen:
                slots[index] = unit.fresh()
            if unit.touch(contact, event, at_ms, now_ms):
                touched.append(unit)
            elif not seen:
                del slots[index]
        return touched

    # --- steps -----------------------------------------------------------------------------------------

    def _take(self, contact: Contact, touched: list[Unit], step: Step, first: bool = False) -> None:
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
