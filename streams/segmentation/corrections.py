"""Corrections: what the conditions keep of a contact, as if an event had been marked, or not been, from the start.

What units keep cannot be taken apart again: lists of newest times have dropped what they needed no more. So a contact
with an event that can be corrected keeps what its units were before the oldest of these, and the events since. With
another mark they are folded once more. A contact without such an event keeps nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.records import Correction, Suspicion, Track
from streams.segmentation.contact import Contact, id_digest
from streams.segmentation.definitions import Definitions
from streams.segmentation.outcomes import APPLIED, TOO_LATE, UNCORRECTABLE, UNKNOWN, Outcome
from streams.segmentation.program import Program
from streams.segmentation.slots import Slots
from streams.segmentation.stored import AwaitedMark, Recent, RecentEvent, pack, unpack
from streams.segmentation.units import Unit

MAX_RECENT = 200
"""Events of a contact, the newest that were applied, among which one can be corrected; and marks that it awaits."""
_MACHINE = Suspicion(suspected=True)


class Corrections:
    """Keeps and corrects what can be corrected, under one set of definitions."""

    def __init__(self, definitions: Definitions, program: Program) -> None:
        correctable = definitions.correctable
        self.events = correctable.events.intersection(program.by_event)
        """Names of events that can be corrected: one that nothing looks at makes no difference."""
        self.units = [unit for unit in program.units if unit.events & self.events]
        """All that an event which can be corrected may touch."""
        self.within_ms = correctable.within_ms
        """An event can be corrected at a clock of at most so long after that at which it was applied."""
        self.given_up = 0
        """Events and marks of all contacts that were given up before their time so far. It decides on nothing."""
        self._properties = correctable.properties
        self._context = correctable.context
        self._deduplicate_ms = definitions.deduplicate_ms
        units_of = {name: [unit for unit in units if unit in self.units] for name, units in program.by_event.items()}
        self._units_of = {name: units for name, units in units_of.items() if units}
        self._fresh = [unit.fresh for unit in program.units]
        self._fresh_stored = [unit.store(unit.fresh()) for unit in program.units]

    # --- events as they are applied ----------------------------------------------------------------------

    def note(self, contact: Contact, event: Track, digest: bytes, at_ms: int, now_ms: int) -> Track:
        """Keep an event that is about to be folded, where it matters; the event, with the mark that counts.

        To be asked of every event that can be corrected, and of every event of a contact that has something recent.
        """
        if contact.recent is not None:
            contact.recent.count += 1
            self.settle(contact, now_ms)
        recent, can_be = contact.recent, event.event in self.events
        if recent is None:
            if not can_be:
                return event
            recent = contact.recent = Recent(b"", 0, [], [])
        if can_be:
            event = _awaited(recent, digest, event)
        if not recent.events:
            if not can_be:
                return event
            recent.base, recent.count = self._packed(contact.slots, now_ms), 1
        if event.event in self._units_of:
            content = self._content(event)
            recent.events.append(
                RecentEvent(digest, event.event, recent.count, at_ms, now_ms, _is_suspected(event), content)
            )
        return event

    def settle(self, contact: Contact, now_ms: int) -> None:
        """Give up what cannot be corrected any more at `now_ms`."""
        recent = contact.recent
        assert recent is not None, "only what is kept is given up"
        while recent.awaited and self._is_over(recent.awaited[0].clock_ms, now_ms):
            del recent.awaited[0]
        events, over = recent.events, 0
        for kept in events:
            if kept.event in self.events and not self._is_over(kept.clock_ms, now_ms):
                if kept.number > recent.count - MAX_RECENT:
                    break
                self.given_up += 1
            over += 1
        if over == len(events):
            recent.base, recent.count, recent.events = b"", 0, []
            if not recent.awaited:
                contact.recent = None
        elif over:
            slots = self._unpacked(recent.base)
            self._fold(slots, events[:over])
            del events[:over]
            recent.base = self._packed(slots, events[0].clock_ms)

    def counted(self, contact: Contact, event: Track) -> Track:
        """An event that was applied last, with the mark that counts."""
        digest = id_digest(event.event_id)
        events = () if contact.recent is None else contact.recent.events[-1:]
        return next((marked(event, kept.suspected) for kept in events if kept.digest == digest), event)

    def correctable(self, contact: Contact, now_ms: int) -> list[tuple[RecentEvent, int]]:
        """Events of a contact that can be corrected at `now_ms`, each with the last instant at which it can."""
        events = () if contact.recent is None else contact.recent.events
        return [
            (kept, kept.clock_ms + self.within_ms)
            for kept in events
            if kept.event in self.events and not self._is_over(kept.clock_ms, now_ms)
        ]

    # --- corrections -------------------------------------------------------------------------------------

    def correct(self, contact: Contact, record: Correction, now_ms: int) -> tuple[Outcome, Sequence[Unit]]:
        """Apply a correction to a contact that exists; what became of it, and the units that it may have changed.

        It changes nothing where the outcome is neither `applied` nor `unknown`.
        """
        digest, suspected = id_digest(record.corrects), record.machine.suspected
        found = [kept for kept, _ in self.correctable(contact, now_ms) if kept.digest == digest]
        if found:
            outcome = APPLIED[record.occurred_at < now_ms, record.occurred_at > now_ms]
            if all(kept.suspected == suspected for kept in found):
                return outcome, ()
            for kept in found:
                kept.suspected = suspected
            self._fold_again(contact)
            return outcome, self.units
        known_ms = contact.applied_ids.applied_ms(digest)
        if known_ms is not None and now_ms - known_ms <= self._deduplicate_ms:
            return TOO_LATE if self._is_over(known_ms, now_ms) else UNCORRECTABLE, ()
        if self.events:
            self._await(contact, AwaitedMark(digest, suspected, now_ms))
        return UNKNOWN, ()

    def _await(self, contact: Contact, mark: AwaitedMark) -> None:
        recent = contact.recent
        if recent is None:
            recent = contact.recent = Recent(b"", 0, [], [])
        recent.awaited = [other for other in recent.awaited if other.digest != mark.digest] + [mark]
        if len(recent.awaited) > MAX_RECENT:
            del recent.awaited[0]
            self.given_up += 1

    def _is_over(self, clock_ms: int, now_ms: int) -> bool:
        return now_ms - clock_ms > self.within_ms

    def _fold_again(self, contact: Contact) -> None:
        recent, slots = contact.recent, contact.slots
        assert recent is not None, "what is corrected was kept"
        corrected = self._unpacked(recent.base)
        self._fold(corrected, recent.events)
        for unit in self.units:
            if unit.index in corrected:
                slots[unit.index] = corrected[unit.index]
            elif unit.index in slots:
                del slots[unit.index]

    def _fold(self, slots: Slots, events: Sequence[RecentEvent]) -> None:
        somebody = Contact("", None)
        somebody.slots = slots
        for kept in events:
            properties, context = unpack(kept.content) if kept.content else ({}, {})
            event = Track(
                event_id="",
                contact_id="",
                event=kept.event,
                occurred_at=kept.at_ms,
                properties=properties,
                context=context,
                machine=_MACHINE if kept.suspected else None,
            )
            touch(somebody, self._units_of[kept.event], event, kept.at_ms, kept.clock_ms)

    def _content(self, event: Track) -> bytes:
        properties = {name: value for name, value in event.properties.items() if name in self._properties}
        context = {name: value for name, value in event.context.items() if name in self._context}
        return pack((properties, context)) if properties or context else b""

    def _packed(self, slots: Slots, clock_ms: int) -> bytes:
        """The slots of the units concerned, without what no event from `clock_ms` on asks for."""
        stored: dict[int, Any] = {}
        for unit in self.units:
            index = unit.index
            if index in slots:
                if unit.forgets:
                    unit.forget(slots[index], clock_ms)
                each = unit.store(slots[index])
                if each != self._fresh_stored[index]:
                    stored[index] = each
        return pack(stored)

    def _unpacked(self, base: bytes) -> Slots:
        slots = Slots(self._fresh)
        stored = unpack(base)
        for unit in self.units:
            if unit.index in stored:
                slots[unit.index] = unit.restore(stored[unit.index])
        return slots


def touch(contact: Contact, units: Sequence[Unit], event: Track, at_ms: int, now_ms: int) -> list[Unit]:
    """Fold an event into the slots of units; those whose bits it may have changed."""
    touched, slots = [], contact.slots
    for unit in units:
        index = unit.index
        seen = index in slots
        if not seen:
            slots[index] = unit.fresh()
        if unit.touch(contact, event, at_ms, now_ms):
            touched.append(unit)
        elif not seen:
            del slots[index]
    return touched


def marked(event: Track, suspected: bool) -> Track:
    """The event, as if it had come with this mark."""
    if suspected == _is_suspected(event):
        return event
    return msgspec.structs.replace(event, machine=Suspicion(suspected=suspected))


def _is_suspected(event: Track) -> bool:
    return event.machine is not None and event.machine.suspected


def _awaited(recent: Recent, digest: bytes, event: Track) -> Track:
    """The event with the mark that was told of it before it came."""
    for place, mark in enumerate(recent.awaited):
        if mark.digest == digest:
            del recent.awaited[place]
            return marked(event, mark.suspected)
    return event
