"""The core: one contact, one record or timer at a time, `now` as an argument."""

from __future__ import annotations

from typing import NamedTuple

from schemas.records import ContactRecord
from schemas.transitions import Transition
from streams.segmentation.canonical import contact_key
from streams.segmentation.contact import (
    AppliedIds,
    Contact,
    Erased,
    StoredContact,
    decode_stored,
    encode_stored,
    id_digest,
)
from streams.segmentation.definitions import Definitions
from streams.segmentation.forecast import valid_until
from streams.segmentation.program import CompiledSegment, Program
from streams.segmentation.quantities import NEVER
from streams.segmentation.steps import Step, facts_of, transition
from streams.segmentation.units import Unit, look


class Outcome(NamedTuple):
    """What became of a record: `applied`, `duplicate` or `erased` (at or before an erasure)."""

    result: str
    late: bool = False
    future: bool = False


_DUPLICATE = Outcome("duplicate")
_DROPPED = Outcome("erased")
_APPLIED = {(late, future): Outcome("applied", late, future) for late in (False, True) for future in (False, True)}


class Core:
    """Applies records and timers to contacts under one set of definitions."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.program = Program(definitions)
        self._units = self.program.units
        self._dependents = self.program.dependents
        self._whiles = [other for other in self._dependents if not isinstance(other, CompiledSegment)]
        self._plain = [unit for unit in self._units if not unit.reads]
        self._packing = [unit for unit in self._units if type(unit).store is not Unit.store]
        """Units whose slots are stored in another form than they are worked on."""
        self._forgetting = [(unit.index, unit.forget) for unit in self._units if unit.forgets]
        self._cells = [cells for unit in self._units for cells in unit.cells]
        self._horizon_ms = definitions.deduplicate_ms

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
        contact.bits = 0
        contact.created_by = ""
        contact.known_since_ms = contact.as_of_ms = 0
        contact.applied_ids = AppliedIds()
        contact.facts = {}
        contact.slots = [unit.fresh() for unit in self._units]
        contact.flips = [NEVER] * len(self._units)
        contact.sequences = [0] * len(self.program.segments)
        contact.since_ms = [0] * len(self.program.segments)
        contact.schedule(self._horizon_ms)
        return contact

    def encode(self, contact: Contact) -> bytes | None:
        """The stored form; None where nothing of the contact is left to store.

        What no instant from the contact's last step on asks for is dropped before, so that it is not stored.
        """
        if not contact.exists:
            if contact.erased is None:
                return None
            return encode_stored(StoredContact(None, "", 0, 0, b"", [], [], [], {}, contact.erased))
        slots, as_of_ms = contact.slots, contact.as_of_ms
        for index, forget in self._forgetting:
            forget(slots[index], as_of_ms)
        slots = slots.copy()
        for unit in self._packing:
            slots[unit.index] = unit.store(slots[unit.index])
        return encode_stored(
            StoredContact(
                contact.contact_id,
                contact.created_by,
                contact.known_since_ms,
                contact.as_of_ms,
                bytes(contact.applied_ids.entries),
                contact.sequences,
                contact.since_ms,
                slots,
                contact.facts,
                contact.erased,
            )
        )

    def decode(self, key: str, raw: bytes) -> Contact:
        """A contact from its stored form."""
        stored = decode_stored(raw)
        contact = self._blank(Contact(key, stored.contact_id, stored.erased))
        if stored.contact_id is None:
            return contact
        contact.exists = True
        contact.created_by = stored.created_by
        contact.known_since_ms = stored.known_since_ms
        contact.as_of_ms = stored.as_of_ms
        contact.applied_ids = AppliedIds(stored.applied_ids)
        contact.facts = stored.facts
        contact.sequences = stored.sequences
        contact.since_ms = stored.since_ms
        contact.slots = stored.slots
        for unit in self._packing:
            contact.slots[unit.index] = unit.restore(contact.slots[unit.index])
        for segment in self.program.segments:
            if contact.sequences[segment.index] & 1:
                contact.bits |= segment.bit
        look(contact, self._plain, contact.as_of_ms)
        for score in self._whiles:
            look(contact, (score,), contact.as_of_ms)
        contact.schedule(self._horizon_ms)
        return contact

    # --- records and timers ----------------------------------------------------------------------------

    def apply(
        self, contact: Contact, record: ContactRecord, now_ms: int, position: str, emitted: list[Transition]
    ) -> Outcome:
        """Apply a record at `now_ms`; its transitions are appended to `emitted`.

        The contact's timers due at or before `now_ms` must have fired before.
        """
        at_ms = min(record.occurred_at, now_ms)
        if contact.erased is not None and at_ms <= contact.erased.at_ms:
            return _DROPPED
        if record.type == "erase":
            self._erase(contact, at_ms, Step(now_ms, now_ms, position, emitted, record))
        else:
            digest = id_digest(record.event_id)
            if contact.exists and contact.applied_ids.holds(digest, now_ms, self._horizon_ms):
                return _DUPLICATE
            contact.applied_ids.add(digest, now_ms, self._horizon_ms)
            first = not contact.exists
            if first:
                contact.exists = True
                contact.contact_id = record.contact_id
                contact.created_by = record.event_id
                contact.known_since_ms = now_ms
            touched = self._fold(contact, record, at_ms, now_ms)
            contact.as_of_ms = now_ms
            step = Step(now_ms, now_ms, position, emitted, record)
            self._take(contact, self._units if first else touched, step, first=first)
            contact.schedule(self._horizon_ms)
        return _APPLIED[at_ms < now_ms, record.occurred_at > now_ms]

    def fire(self, contact: Contact, now_ms: int, position: str, emitted: list[Transition]) -> None:
        """Take the contact's timer step at `next_due`, which is at or before `now_ms`."""
        due_ms = contact.next_due
        assert due_ms is not None, "only a contact with a timer is fired"
        assert due_ms <= now_ms, "a timer fires at its instant or later"
        erased = contact.erased
        if erased is not None and due_ms > erased.clock_ms + self._horizon_ms:
            contact.erased = None
        if contact.exists:
            flips = contact.flips
            touched = [unit for unit in self._units if flips[unit.index] <= due_ms]
            contact.as_of_ms = due_ms
            contact.applied_ids.forget(due_ms, self._horizon_ms)
            self._take(contact, touched, Step(due_ms, now_ms, position, emitted))
        contact.schedule(self._horizon_ms)

    def _erase(self, contact: Contact, at_ms: int, step: Step) -> None:
        for segment in self.program.segments:
            if contact.bits & segment.bit:
                contact.sequences[segment.index] += 1
                step.emitted.append(transition(contact, segment, step, {}, None))
        contact.erased = Erased(at_ms, step.now_ms)
        self._blank(contact)
        contact.contact_id = None

    def _fold(self, contact: Contact, record: ContactRecord, at_ms: int, now_ms: int) -> list[Unit]:
        """Put the record's content into the contact's state; the units whose bits it may have changed."""
        if record.type == "track":
            units = self.program.by_event.get(record.event, ())
            return [unit for unit in units if unit.touch(contact, record, at_ms, now_ms)]
        touched: list[Unit] = []
        for name, value in facts_of(record):
            units = self.program.by_fact.get(name, ())
            known = contact.facts.get(name)
            if units and (known is None or at_ms >= known[0]):
                contact.facts[name] = (at_ms, value)
                touched.extend(units)
        return touched

    # --- steps -----------------------------------------------------------------------------------------

    def _take(self, contact: Contact, touched: list[Unit], step: Step, first: bool = False) -> None:
        """Look at the units touched, then bring all up to date that reads their bits; emit what moves."""
        contact.courses.clear()  # their entries may have been touched
        late: set[Unit] = set()
        if self._whiles:
            late = {unit for unit in touched if unit.reads}
            touched = [unit for unit in touched if not unit.reads]
        changed = look(contact, touched, step.at_ms)
        if first:
            changed = -1
        if not changed and not late:
            return
        for other in self._dependents:
            if not isinstance(other, CompiledSegment):
                if other.reads & changed or other in late:
                    changed |= look(contact, (other,), step.at_ms)
            elif other.reads & changed and other.member(contact.bits) != bool(contact.bits & other.bit):
                contact.bits ^= other.bit
                changed |= other.bit
                self._move(contact, other, step)
        contact.courses.clear()

    def _move(self, contact: Contact, segment: CompiledSegment, step: Step) -> None:
        contact.sequences[segment.index] += 1
        contact.since_ms[segment.index] = step.at_ms
        scores = {score.name: score.reading(contact, step.at_ms) / 1000 for score in segment.scores}
        step.emitted.append(transition(contact, segment, step, scores, valid_until(contact, segment)))

    def valid_until(self, contact: Contact, segment: CompiledSegment) -> int | None:
        """When the contact's membership of the segment changes next if only the clock moves.

        None: never, or not within the flips that are searched.
        """
        return valid_until(contact, segment)
