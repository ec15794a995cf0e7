"""The simulator: the same core over records in file order, with no Kafka and no Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from schemas.records import InvalidRecordError, Record
from schemas.topics import partition_of
from schemas.transitions import Transition
from streams.segmentation import Contact, Core, Definitions, Fold, contact_key
from streams.simulation.packed_contacts import PackedContacts
from streams.simulation.record_lines import BadLine, read_line, stated_ms

__all__ = ["CONTACTS_DECODED_MAX", "BadLine", "Simulator", "Tally", "read_line", "stated_ms"]

CONTACTS_DECODED_MAX = 100_000
"""Contacts that a simulation keeps decoded, at 1 to 3 KB each; all others take a few hundred bytes each."""


@dataclass(slots=True)
class Tally:
    """What a simulation has seen so far."""

    lines: int = 0
    bad: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: {"applied": 0, "duplicate": 0, "erased": 0})
    ticks: int = 0
    late: int = 0
    future: int = 0
    transitions: int = 0
    begun_ms: int | None = None
    """The earliest instant that a record stated; None before the first."""
    contacts: int = 0
    """Contacts that exist: a record of theirs was applied, and they were not erased after it."""


class Simulator:
    """Folds lines of JSON as a log of one partition or of several.

    Each partition has its own clock. A contact's records go to the partition that Kafka would give it, a tick goes to
    all of them.
    """

    def __init__(
        self, definitions: Definitions, partitions: int = 1, contacts_decoded_max: int = CONTACTS_DECODED_MAX
    ) -> None:
        """`contacts_decoded_max` bounds memory and shows in no result."""
        self.tally = Tally()
        self.core = Core(definitions)
        self.contacts = PackedContacts(self.core, contacts_decoded_max)
        self.folds = [Fold(self.core, number) for number in range(partitions)]
        # A partition's log begins with its definitions. In a simulation of one, a line's place stands for its offset.
        self._offsets = [0 if partitions == 1 else 1 for _ in self.folds]
        for fold in self.folds:
            fold.contacts = self.contacts
        for name, ids in definitions.lists.items():
            for contact_id in ids:
                self._fold_of(contact_id).put_on_list(contact_id, name)

    @property
    def clock_ms(self) -> int:
        """The clock; of several partitions the one that is ahead."""
        return max(fold.clock_ms for fold in self.folds)

    def clock_of(self, contact_id: str) -> int:
        """The clock of the contact's partition, in ms."""
        return self._fold_of(contact_id).clock_ms

    def contact(self, contact_id: str) -> Contact | None:
        """The contact as it stands, to be read, or None where no record of it came yet."""
        contact = self.contacts.get(contact_key(contact_id))
        return contact if contact is not None and contact.exists else None

    def feed(self, lines: Iterable[bytes]) -> Iterator[Transition | BadLine]:
        """Transitions of each line in turn, and a `BadLine` for each that is no valid record.

        May be called again with the lines of another file; lines are numbered within each.
        """
        for number, line in enumerate(lines, 1):
            self.tally.lines += 1
            if not line.strip():
                continue
            try:
                record = read_line(line)
            except InvalidRecordError as error:
                self.tally.bad += 1
                yield BadLine(number, error.detail)
                continue
            if len(self.folds) == 1:
                self._offsets[0] = self.tally.lines - 1
            yield from self._fold_in(record)

    def until(self, instant_ms: int | None) -> list[Transition]:
        """Move every clock on to `instant_ms` (an earlier one does nothing), and fire what is due by then."""
        if len(self.folds) == 1:
            self._offsets[0] = self.tally.lines
        return self._tick(instant_ms or 0)

    def _fold_of(self, contact_id: str) -> Fold:
        folds = self.folds
        return folds[0] if len(folds) == 1 else folds[partition_of(contact_id, len(folds))]

    def _fold_in(self, record: Record) -> list[Transition]:
        stated = stated_ms(record)
        assert stated is not None, "records without an instant were refused"
        tally = self.tally
        if tally.begun_ms is None or stated < tally.begun_ms:
            tally.begun_ms = stated
        if record.type == "tick" or record.type == "definitions":  # noqa: PLR1714 - narrows the type
            tally.ticks += 1
            return self._tick(stated)
        fold = self._fold_of(record.contact_id)
        clock_ms, offset, existing = max(fold.clock_ms, stated), self._next_offset(fold), fold.existing
        fold.fire(clock_ms, offset)
        _arrange(fold.emitted)
        outcome = fold.apply(record, offset, clock_ms)
        tally.contacts += fold.existing - existing
        tally.outcomes[outcome.result] += 1
        tally.late += outcome.late
        tally.future += outcome.future
        return self._taken(fold)

    def _tick(self, instant_ms: int) -> list[Transition]:
        """A tick in every partition. What it releases anywhere comes in one order."""
        taken = []
        for fold in self.folds:
            fold.fire(max(fold.clock_ms, instant_ms), self._next_offset(fold))
            taken += self._taken(fold)
        _arrange(taken)
        return taken

    def _next_offset(self, fold: Fold) -> int:
        offset = self._offsets[fold.partition]
        self._offsets[fold.partition] = offset + 1
        return offset

    def _taken(self, fold: Fold) -> list[Transition]:
        taken, fold.emitted = fold.emitted, []
        fold.changed.clear()
        self.tally.transitions += len(taken)
        return taken


def _arrange(released: list[Transition]) -> None:
    """Put timers that were released together in the order in which people read: by instant, contact, segment."""
    if len(released) > 1:
        # The fold's own order of contacts within a millisecond is that of their keys. Segments stay as they are.
        released.sort(key=lambda move: (move.effective_at, move.contact_id.encode()))
