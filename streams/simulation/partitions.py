"""The partitions of a simulated log: contacts and clocks under one set of definitions."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from schemas.record_models import ANONYMOUS_PREFIX, HISTORY_RECORDS_MAX
from schemas.records import ContactRecord, Forward, ListMembership, MovedRecord
from schemas.topics import partition_of
from schemas.transitions import Transition
from streams.segmentation import Core, Fold, Outcome
from streams.segmentation.identity import forward_of
from streams.simulation.kept_records import KeptRecords
from streams.simulation.packed_contacts import PackedContacts

_MOVED = frozenset({"track", "identify", "consent", "list", "correction"})


class Partitions:
    """Folds records into the partition that each belongs to.

    Each partition has its own clock. A contact's records go to the partition that Kafka would give it, what is about
    no contact goes to all of them.
    """

    def __init__(self, core: Core, count: int, contacts_decoded_max: int) -> None:
        self.core = core
        self.contacts = PackedContacts(core, contacts_decoded_max)
        self.folds = [Fold(core, number) for number in range(count)]
        self.existing = 0
        """How many contacts exist."""
        self.forwarded: list[Forward] = []
        """What the last record has sent to other contacts."""
        self._kept = [KeptRecords() for _ in self.folds]
        # A partition's log begins with its definitions. In a simulation of one, a line's place stands for its offset.
        self._offsets = [0 if count == 1 else 1 for _ in self.folds]
        for fold in self.folds:
            fold.contacts = self.contacts

    def put_on_lists(self, lists: Mapping[str, Iterable[str]]) -> None:
        """Let contacts be on lists, by the list's name, before their first record."""
        for name, ids in lists.items():
            for contact_id in ids:
                self.fold_of(contact_id).put_on_list(contact_id, name)

    def go_on_with(self, core: Core, contacts: PackedContacts) -> None:
        """Work with another core for the same definitions, and with its contacts; timers stay as they are."""
        self.core, self.contacts = core, contacts
        for fold in self.folds:
            fold.core, fold.contacts = core, contacts

    def fold_of(self, contact_id: str) -> Fold:
        """The partition that a contact belongs to."""
        folds = self.folds
        return folds[0] if len(folds) == 1 else folds[partition_of(contact_id, len(folds))]

    def at_line(self, place: int) -> None:
        """The next record stands in this line of all, counted from 0."""
        if len(self.folds) == 1:
            self._offsets[0] = place

    def apply(self, record: ContactRecord, stated_ms: int) -> tuple[Outcome, list[Transition]]:
        """Apply a record that states an instant: what became of it, and first of all the timers that it releases.

        What it sends to other contacts comes there at once, as the partition's next record.
        """
        fold = self.fold_of(record.contact_id)
        self.forwarded.clear()
        put_on = fold.listed_from_start(record.contact_id) if record.type == "link" else ()
        outcome, moves = self._apply(record, fold, stated_ms, self._next_offset(fold))
        waiting = deque(self._forwards(fold, put_on))
        while waiting:
            forward = waiting.popleft()
            target = self.fold_of(forward.contact_id)
            moves += self._apply(forward, target, stated_ms, self._forward_offset(target))[1]
            self.forwarded.append(forward)
            waiting += self._forwards(target)
        return outcome, moves

    def _forwards(self, fold: Fold, put_on: Iterable[str] = ()) -> list[Forward]:
        """What the fold sends. `put_on`: lists of a contact that is linked, of which no record tells."""
        sent, fold.sent = fold.sent, []
        kept = self._kept[fold.partition]
        return [
            forward_of(
                each,
                fold.partition,
                list_records(put_on, each.linked_id, [kept.read(offset) for offset in each.records]),
            )
            for each in sent
        ]

    def _forward_offset(self, target: Fold) -> int:
        """Where a line stands for an offset, what it sends stands there too."""
        return self._offsets[0] - 1 if len(self.folds) == 1 else self._next_offset(target)

    def _apply(
        self, record: ContactRecord, fold: Fold, stated_ms: int, offset: int
    ) -> tuple[Outcome, list[Transition]]:
        clock_ms, existing = max(fold.clock_ms, stated_ms), fold.existing
        fold.fire(clock_ms, offset)
        _arrange(fold.emitted)
        if record.type in _MOVED and record.contact_id.startswith(ANONYMOUS_PREFIX):
            self._kept[fold.partition].keep(offset, record)
        outcome = fold.apply_new(record, offset, clock_ms)
        self.existing += fold.existing - existing
        return outcome, _taken(fold)

    def tick(self, instant_ms: int) -> list[Transition]:
        """Move every clock on to an instant (an earlier one does nothing). What it releases comes in one order."""
        taken = []
        for fold in self.folds:
            fold.fire(max(fold.clock_ms, instant_ms), self._next_offset(fold))
            taken += _taken(fold)
        _arrange(taken)
        return taken

    def last_offset(self, fold: Fold) -> int:
        """The offset of the last record of a partition."""
        return self._offsets[fold.partition] - 1

    def _next_offset(self, fold: Fold) -> int:
        offset = self._offsets[fold.partition]
        self._offsets[fold.partition] = offset + 1
        return offset


def list_records(put_on: Iterable[str], contact_id: str, records: Sequence[MovedRecord]) -> Sequence[MovedRecord]:
    """A contact's records as they would move out of a log, in which those of its static lists come first."""
    first = [
        ListMembership.model_construct(
            type="list",
            event_id=f"list-{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}",
            contact_id=contact_id,
            occurred_at=0,
            list=name,
            member=True,
        )
        for name in put_on
    ]
    return [*first, *records][-HISTORY_RECORDS_MAX:]


def _taken(fold: Fold) -> list[Transition]:
    taken, fold.emitted = fold.emitted, []
    fold.changed.clear()
    return taken


def _arrange(released: list[Transition]) -> None:
    """Put timers that were released together in the order in which people read: by instant, contact, segment."""
    if len(released) > 1:
        # The fold's own order of contacts within a millisecond is that of their keys. Segments stay as they are.
        released.sort(key=lambda move: (move.effective_at, move.contact_id.encode()))
