"""A contact that is new, and the form in which one is stored."""

from __future__ import annotations

from typing import Any

from streams.segmentation.canonical import contact_key
from streams.segmentation.contact import AppliedIds, Contact, Standing
from streams.segmentation.corrections import Corrections
from streams.segmentation.definitions import Definitions
from streams.segmentation.program import CompiledSegment, Program
from streams.segmentation.slots import Slots
from streams.segmentation.stored import (
    StoredContact,
    StoredParty,
    decode_stored,
    encode_stored,
    pack_offsets,
    unpack_offsets,
)
from streams.segmentation.units import Unit, look


class ContactForms:
    """Makes contacts, encodes and decodes them, under one set of definitions."""

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
        self.corrections = Corrections(definitions, self.program)
        self._blank_bits, self._first = self._look_at_nobody()

    @property
    def entries_merged(self) -> int:
        """Entries of windows that were merged into others so far, since there were too many."""
        return sum(cells.merged for cells in self._cells)

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
        contact.recent = None
        contact.history = []
        contact.linked_to = None
        contact.linked_ids = []
        contact.schedule(self._horizon_ms, self.corrections.within_ms)
        return contact

    def _look_at_nobody(self) -> tuple[int, int]:
        """What holds of a contact of whom nothing is known, and the places of the segments that it enters at first."""
        self._blank_bits = 0
        nobody = self.new("")
        look(nobody, [unit for unit in self._units if not (unit.reads or unit.standing)], 0)
        self._look_at_whiles(nobody)
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
        if not (contact.retired or contact.recent is not None or contact.history or contact.linked_ids):
            return encode_stored(StoredContact(*parts))
        since_ms = contact.known_since_ms
        retired = {name: (each[0], each[1] - since_ms) for name, each in sorted(contact.retired.items())}
        history = pack_offsets(contact.history)
        return encode_stored(StoredParty(*parts, retired, contact.recent, history, None, contact.linked_ids))

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
        contact.recent = stored.recent
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
        self._look_at_whiles(contact)
        contact.schedule(self._horizon_ms, self.corrections.within_ms)
        return contact

    def _look_at_whiles(self, contact: Contact) -> None:
        for score in self._whiles:  # one after the other, since one may read what the one before says
            look(contact, (score,), contact.as_of_ms)

    def _seen(self, contact: Contact) -> list[Unit]:
        """The units that may say something else of the contact than of one of whom nothing is known, but for whiles."""
        units, by_fact = self._units, self.program.by_fact
        seen = [units[index] for index in contact.slots if not units[index].reads]
        for name in contact.facts:
            seen += by_fact.get(name, ())
        return seen + self._standing
