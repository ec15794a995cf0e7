"""The fold of one partition's log: its clock, its timers in order, its contacts.

The worker's pipeline and the simulator both drive this; so both count time and order steps alike.
"""

from __future__ import annotations

import heapq
from collections.abc import MutableMapping

import msgspec

from schemas.forwards import Sending
from schemas.records import ContactRecord, Forward
from schemas.transitions import Transition
from streams.segmentation.canonical import contact_key
from streams.segmentation.contact import Contact
from streams.segmentation.core import Core
from streams.segmentation.outcomes import DUPLICATE, UNKNOWN, Outcome
from streams.segmentation.steps import makes_a_contact

_SLACK = 4096
"""Outdated timers that are not worth a compaction."""
_LIST = "list:"
_PUT_ON = (0, True)
"""What is known of a list that a contact was put on before its first record: the earliest of event times, and so."""


class Fold:
    """Applies records in the order of a log, and timers before the record that releases them."""

    def __init__(self, core: Core, partition: int = 0, clock_ms: int = 0) -> None:
        self.core = core
        self.partition = partition
        self.clock_ms = clock_ms
        """The largest timestamp of a valid record so far."""
        self.contacts: MutableMapping[str, Contact] = {}
        """By key. Who drives the fold loads contacts into it before they are needed."""
        self.emitted: list[Transition] = []
        """Transitions in order; who drives the fold takes them out."""
        self.changed: set[str] = set()
        """Keys of contacts whose state changed; who drives the fold clears it."""
        self.existing = 0
        """Contacts that began to exist here, less those that were erased."""
        self.taken: dict[int, tuple[int, int]] = {}
        """By partition that has sent forwards here: the record that sent the last one, and how much of it was taken."""
        self.sent: list[Sending] = []
        """What is to go to other contacts, in order; who drives the fold takes it out."""
        self._timers: list[tuple[int, str]] = []
        self._lists: dict[str, tuple[str, ...]] = {}

    def put_on_list(self, contact_id: str, name: str) -> None:
        """Let a contact be on a static list before its first record, with the earliest of event times."""
        key = contact_key(contact_id)
        self._lists[key] = (*self._lists.get(key, ()), name)

    def listed_from_start(self, contact_id: str) -> list[str]:
        """The static lists that a contact is on since before its first record. One that has ended is on none."""
        key = contact_key(contact_id)
        contact = self.contacts.get(key)
        if contact is None:
            return sorted(self._lists.get(key, ()))
        return sorted(
            name.removeprefix(_LIST)
            for name, said in contact.facts.items()
            if said == _PUT_ON and name.startswith(_LIST)
        )

    def schedule(self, due_ms: int, key: str) -> None:
        """Know of a stored timer. It fires only if it is still its contact's next one then."""
        heapq.heappush(self._timers, (due_ms, key))

    def next_timer(self) -> tuple[int, str] | None:
        """The earliest timer known, (due, key), or None."""
        timers = self._timers
        while timers:
            due_ms, key = timers[0]
            contact = self.contacts.get(key)
            if contact is not None and contact.next_due == due_ms:
                return timers[0]
            heapq.heappop(timers)
        return None

    def forget_timers(self) -> None:
        """Drop all known timers: what is stored will be scheduled again."""
        self._timers.clear()

    def fire(self, clock_ms: int, offset: int, until: tuple[int, str] | None = None, limit: int | None = None) -> int:
        """Move the clock to `clock_ms` at the record `offset`, and take the timer steps due by then.

        They are taken in order of (due, key), not past the timer `until`, and at most `limit` of them.
        Returns how many were taken.
        """
        self.clock_ms = max(self.clock_ms, clock_ms)
        steps = 0
        timers = self._timers
        while timers and timers[0][0] <= self.clock_ms:
            if (until is not None and timers[0] > until) or steps == limit:
                break
            due_ms, key = heapq.heappop(timers)
            contact = self.contacts.get(key)
            if contact is None or contact.next_due != due_ms:
                continue
            self.core.fire(contact, self.clock_ms, (self.partition, offset), self.emitted)
            self._changed(contact)
            steps += 1
        return steps

    def apply(self, record: ContactRecord, offset: int, clock_ms: int, key: str | None = None) -> Outcome:
        """Apply a record. Its timers must have fired: call `fire` with the same clock before.

        `key` spares hashing the contact's id where the caller knows it.
        """
        if record.type == "forward":
            fresh = self._take(record)
            if fresh is None:
                self.clock_ms = max(self.clock_ms, clock_ms)
                return DUPLICATE
            record = fresh
        return self.apply_new(record, offset, clock_ms, key)

    def apply_new(self, record: ContactRecord, offset: int, clock_ms: int, key: str | None = None) -> Outcome:
        """Apply a record that is no forward which was taken before, as the caller knows."""
        self.clock_ms = max(self.clock_ms, clock_ms)
        if key is None:
            key = contact_key(record.contact_id)
        contact = self.contacts.get(key)
        if contact is None:
            if not makes_a_contact(record) and (record.type == "correction" or key not in self._lists):
                return UNKNOWN  # whom the file has on a list is known, but of no event
            contact = self.contacts[key] = self._new(record.contact_id, key)
        before, existed = contact.next_due, contact.exists
        outcome = self.core.apply(contact, record, self.clock_ms, (self.partition, offset), self.emitted)
        if outcome.result == "applied" or (outcome.changes and contact.exists):
            self.existing += contact.exists - existed
            self._changed(contact, before)
        if outcome.sent:
            self.sent += outcome.sent
        return outcome

    def _take(self, forward: Forward) -> Forward | None:
        """What of a forward was not taken before: a partition sends in order, and some of it more than once."""
        partition, offset, first = forward.origin
        taken_of, taken = self.taken.get(partition, (-1, 0))
        end = first + len(forward.records)
        if (offset, end) <= (taken_of, taken):
            return None
        self.taken[partition] = offset, end
        known = taken - first if offset == taken_of else 0
        return msgspec.structs.replace(forward, records=forward.records[known:]) if known > 0 else forward

    def _new(self, contact_id: str, key: str) -> Contact:
        contact = self.core.new(contact_id)
        for name in self._lists.pop(key, ()):
            contact.facts[_LIST + name] = _PUT_ON
        return contact

    def _changed(self, contact: Contact, known_due: int | None = None) -> None:
        self.changed.add(contact.key)
        if contact.next_due is not None and contact.next_due != known_due:
            heapq.heappush(self._timers, (contact.next_due, contact.key))
            if len(self._timers) > 4 * len(self.contacts) + _SLACK:
                self._compact()

    def _compact(self) -> None:
        """Drop timers that contacts have moved away from, so that they cannot pile up."""
        due_by_key = {contact.key: contact.next_due for contact in self.contacts.values()}
        # In place: `fire` may be in the middle of the list.
        self._timers[:] = sorted({timer for timer in self._timers if due_by_key.get(timer[1]) == timer[0]})
