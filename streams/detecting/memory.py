"""The last minutes of each partition, and what rules find in them.

It decides by the records alone, in their order: whoever reads the same ones again finds the same. Nothing of it is
stored. An event is forgotten when the core could not correct it any more: past the window, by the clock of its
partition, or when its contact has so many newer ones.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.record_models import Correction, Erase
from schemas.records import Record, Track
from streams.detecting.corrections import correction_of
from streams.detecting.notes import HONEYPOT, Note, note_of
from streams.detecting.rules import RULES, Thresholds

CONTACT_EVENTS_MAX = 200
"""Events noted of one contact, the newest. The core corrects no older ones either."""


CONTACT_FULL, MEMORY_FULL = "contact_full", "memory_full"
"""Why events are forgotten before their time."""


class Finding(NamedTuple):
    """What is to be written of an event, and the reasons that are new in it."""

    correction: Correction
    found: tuple[str, ...]


@dataclass(slots=True)
class _Partition:
    clock_ms: int = 0
    contacts: dict[str, dict[str, Note]] = field(default_factory=dict)  # by id of contact and event, as they came
    arrivals: deque[Note] = field(default_factory=deque)  # oldest first; of those not kept any more some, for a while
    found: dict[tuple[str, str], Note] = field(default_factory=dict)  # with reasons that are not written yet


class Memory:
    """Takes records in and says which events are suspected by now and are not marked so in the log."""

    def __init__(self, thresholds: Thresholds, *, window_ms: int, events_max: int) -> None:
        """`events_max` bounds the events of all partitions together."""
        self._thresholds = thresholds
        self._window_ms = window_ms
        self._events_max = events_max
        self._partitions: dict[int, _Partition] = {}
        self.held = 0
        """Events in memory."""
        self.given_up: Counter[str] = Counter()
        """Events that were forgotten before their time, by why; whoever counts them takes them out."""

    def take(self, partition: int, record: Record, timestamp_ms: int) -> None:
        """Look at the next record of a partition, which Kafka stamped with `timestamp_ms`."""
        place = self._partitions.setdefault(partition, _Partition())
        place.clock_ms = max(place.clock_ms, timestamp_ms)
        while place.arrivals and place.clock_ms - place.arrivals[0].clock_ms > self._window_ms:
            self._drop_oldest(place)
        if isinstance(record, Track):
            self._note(place, record)
        elif isinstance(record, Correction):
            self._correct(place, record)
        elif isinstance(record, Erase):
            for note in place.contacts.pop(record.contact_id, {}).values():
                _let_go(place, note)

    def due(self, partition: int) -> list[Finding]:
        """What is to be written now, in the order in which it was found; each only once."""
        place = self._partitions.get(partition)
        if place is None:
            return []
        found, place.found = place.found, {}
        findings = []
        for note in found.values():
            new, note.found = note.found, ()
            note.reasons = (*note.reasons, *new)
            findings.append(Finding(correction_of(note), new))
        return findings

    def forget(self, partition: int) -> None:
        """Somebody else reads this partition now."""
        place = self._partitions.pop(partition, None)
        if place is not None:
            self.held -= len(place.arrivals)

    def _note(self, place: _Partition, event: Track) -> None:
        # History says nothing of who reads e-mails now, and its times are often rounded.
        if event.backfill or place.clock_ms - event.occurred_at > self._window_ms:
            return
        note = note_of(event, place.clock_ms)
        if note is None:
            return
        notes = place.contacts.setdefault(event.contact_id, {})
        if event.event_id in notes:
            return
        if len(notes) == CONTACT_EVENTS_MAX:
            _let_go(place, notes.pop(next(iter(notes))))
            self.given_up[CONTACT_FULL] += 1
        notes[event.event_id] = note
        place.arrivals.append(note)
        self.held += 1
        self._look(place, note)
        if self.held > self._events_max:
            self.given_up[MEMORY_FULL] += place.arrivals[0].kept
            self._drop_oldest(place)

    def _correct(self, place: _Partition, correction: Correction) -> None:
        note = place.contacts.get(correction.contact_id, {}).get(correction.corrects)
        if note is None:
            return
        if not correction.machine.suspected:
            note.cleared = True
            note.found = ()
            place.found.pop(_key(note), None)
            return
        was_trap = HONEYPOT in note.reasons
        note.reasons = tuple(dict.fromkeys((*note.reasons, *correction.machine.reasons)))
        note.found = tuple(reason for reason in note.found if reason not in note.reasons)
        if not note.found:
            place.found.pop(_key(note), None)
        if HONEYPOT in note.reasons and not was_trap:
            self._look(place, note)

    def _look(self, place: _Partition, fresh: Note) -> None:
        """What a note that is new, or newly marked, says of itself and of those about it."""
        reach_ms = self._thresholds.reach_ms
        about = [
            note
            for note in place.contacts[fresh.contact_id].values()
            if note is fresh or (abs(note.at_ms - fresh.at_ms) <= reach_ms and note.is_of_same_mail(fresh))
        ]
        for reason, rule in RULES.items():
            for note in rule(about, self._thresholds):
                if not note.cleared and reason not in note.reasons and reason not in note.found:
                    note.found = (*note.found, reason)
                    note.found_ms = place.clock_ms
                    place.found[_key(note)] = note

    def _drop_oldest(self, place: _Partition) -> None:
        note = place.arrivals.popleft()
        self.held -= 1
        if note.kept:
            notes = place.contacts[note.contact_id]
            del notes[note.event_id]
            if not notes:
                del place.contacts[note.contact_id]
            _let_go(place, note)


def _let_go(place: _Partition, note: Note) -> None:
    """It counts no longer; a finding about it would come too late for the core."""
    note.kept = False
    place.found.pop(_key(note), None)


def _key(note: Note) -> tuple[str, str]:
    return note.contact_id, note.event_id
