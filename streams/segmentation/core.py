"""The core: one contact, one record or timer at a time, `now` as an argument."""

from __future__ import annotations

from schemas.record_models import ANONYMOUS_PREFIX
from schemas.records import ContactRecord, Correction, Erase, Forward, Link, MovedRecord
from schemas.transitions import Transition
from streams.segmentation.contact import Contact, id_digest
from streams.segmentation.identity import erasures, history_of, passed_on, remember, word_of
from streams.segmentation.outcomes import APPLIED, DROPPED, DUPLICATE, UNKNOWN, Outcome
from streams.segmentation.steps import Step, makes_a_contact
from streams.segmentation.stored import Erased
from streams.segmentation.taking import StepTaker
from streams.segmentation.units import Unit


class Core(StepTaker):
    """Applies records and timers to contacts under one set of definitions."""

    def apply(
        self, contact: Contact, record: ContactRecord, now_ms: int, position: tuple[int, int], emitted: list[Transition]
    ) -> Outcome:
        """Apply a record at `now_ms`; its transitions are appended to `emitted`.

        The contact's timers due at or before `now_ms` must have fired before.
        """
        at_ms = min(record.occurred_at, now_ms)
        if record.type == "forward":
            return self._take_over(contact, record, at_ms, Step(now_ms, now_ms, position, emitted, record))
        if _was_erased(contact, at_ms):
            return DROPPED
        if record.type == "erase" or record.type == "link" or contact.linked_to is not None:  # noqa: PLR1714 - narrows
            return self._turn(contact, record, at_ms, Step(now_ms, now_ms, position, emitted, record))
        digest, first = id_digest(record.event_id), not contact.exists
        if not _begins(contact, record) if first else contact.applied_ids.holds(digest, now_ms, self._horizon_ms):
            return UNKNOWN if first else DUPLICATE
        if record.type == "correction":
            return self._correct(contact, record, digest, Step(now_ms, now_ms, position, emitted, record))
        contact.applied_ids.add(digest, now_ms, self._horizon_ms)
        remember(contact, record.contact_id, position[1])
        if first:
            self._begin(contact, record, now_ms)
        touched = self._fold(contact, record, digest, at_ms, now_ms)
        self._take_all(contact, touched, Step(now_ms, now_ms, position, emitted, record), first)
        return APPLIED[at_ms < now_ms, record.occurred_at > now_ms]

    @staticmethod
    def _begin(contact: Contact, record: MovedRecord | Forward, now_ms: int) -> None:
        contact.exists = True
        contact.contact_id = record.contact_id
        contact.created_by = record.event_id
        contact.known_since_ms = now_ms

    def _turn(self, contact: Contact, record: MovedRecord | Erase | Link, at_ms: int, step: Step) -> Outcome:
        """Apply a record that ends a contact, or that comes when it has become another one."""
        if record.type == "erase":
            return self._erase(contact, record, at_ms, step)
        if record.type == "link":
            return self._link(contact, record, at_ms, step)
        assert contact.linked_to is not None, "else it is applied"
        return Outcome("forwarded", sent=(passed_on(record, contact.linked_to, step.offset),))

    def _correct(self, contact: Contact, record: Correction, digest: bytes, step: Step) -> Outcome:
        """Apply a correction."""
        outcome, touched = self._mark(contact, record, digest, step.now_ms)
        if contact.exists and outcome.changes:
            remember(contact, record.contact_id, step.offset)
            self._take_all(contact, touched, step, first=False)
        return outcome

    def _mark(self, contact: Contact, record: Correction, digest: bytes, now_ms: int) -> tuple[Outcome, list[Unit]]:
        """Mark an event of the contact as a correction says, and the units that this touches. It makes no contact."""
        if not contact.exists:
            return UNKNOWN, []
        outcome, touched = self.corrections.correct(contact, record, now_ms)
        if outcome.changes:
            contact.applied_ids.add(digest, now_ms, self._horizon_ms)
        return outcome, list(touched)

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
        gone = _was_erased(contact, at_ms)
        first, applied, touched = not contact.exists, False, list[Unit]()
        if forward.kind == "history" and not gone:
            applied = True
            self._note_link(contact, forward, step.now_ms)
        for record in forward.records:
            part = None if record is None else self._absorb(contact, record, forward, step.now_ms)
            if part is not None:
                applied = True
                touched += part
        if not applied:
            # Whom it was linked to was erased after that: the erasure goes on to the contact that did not know of it.
            sent = erasures(forward, [forward.linked_id], at_ms, step.offset) if forward.kind == "history" else ()
            return Outcome("erased", sent=sent) if gone else DUPLICATE
        since_ms = None if gone else forward.known_since  # an erasure also forgets since when somebody was known
        if since_ms is not None and since_ms < contact.known_since_ms:
            contact.known_since_ms = since_ms
            touched += self._standing
        self._take_all(contact, touched, step, first)
        return APPLIED[False, False]

    def _note_link(self, contact: Contact, forward: Forward, now_ms: int) -> None:
        if not contact.exists:
            self._begin(contact, forward, now_ms)
        if forward.linked_id not in contact.linked_ids:
            contact.linked_ids.append(forward.linked_id)

    def _absorb(self, contact: Contact, record: MovedRecord, forward: Forward, now_ms: int) -> list[Unit] | None:
        """Put a moved record into the contact's state: the units it has touched, None where it does not count."""
        at_ms, digest = min(record.occurred_at, now_ms), id_digest(record.event_id)
        if _was_erased(contact, at_ms):
            return None
        if contact.exists and contact.applied_ids.holds(digest, now_ms, self._horizon_ms):
            return None
        if record.type == "correction":
            outcome, touched = self._mark(contact, record, digest, now_ms)
            return touched if contact.exists and outcome.changes else None
        if not contact.exists:
            if not _begins(contact, record):
                return None
            self._begin(contact, forward, now_ms)
        contact.applied_ids.add(digest, now_ms, self._horizon_ms)
        return self._fold(contact, record, digest, at_ms, now_ms)

    def _forget_with(self, contact: Contact, erasure: Forward, at_ms: int, step: Step) -> Outcome:
        """Apply the erasure of a linked contact. A device that is somebody else's by now is not forgotten with it."""
        gone = _was_erased(contact, at_ms)
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


def _was_erased(contact: Contact, at_ms: int) -> bool:
    """Whether an erasure covers what happened at an instant."""
    return contact.erased is not None and at_ms <= contact.erased.at_ms


def _begins(contact: Contact, record: MovedRecord) -> bool:
    """Whether a contact that does not exist begins to with a record. Who is on a list from the start is known."""
    return bool(contact.facts) or makes_a_contact(record)
