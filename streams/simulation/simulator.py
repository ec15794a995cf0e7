"""The simulator: the same core over records in file order, with no Kafka and no Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from schemas.metrics import OUTCOMES
from schemas.records import ContactRecord, DefinitionsRecord, Forward, InvalidRecordError, Record, Tick
from schemas.transitions import Transition
from streams.segmentation import Contact, Core, Definitions, Fold, contact_key, core_of, rehearsing_core_of
from streams.simulation.changing import History, Reader, hand_over, rehearse
from streams.simulation.packed_contacts import PackedContacts
from streams.simulation.partitions import Partitions
from streams.simulation.record_lines import BadLine, read_line, stated_ms

__all__ = ["CONTACTS_DECODED_MAX", "BadLine", "History", "Simulator", "Tally", "read_line", "stated_ms"]

CONTACTS_DECODED_MAX = 100_000
"""Contacts that a simulation keeps decoded, at 1 to 3 KB each; all others take a few hundred bytes each."""


@dataclass(slots=True)
class Tally:
    """What a simulation has seen so far."""

    lines: int = 0
    bad: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    ticks: int = 0
    changes: int = 0
    """Records that brought other definitions than those that held."""
    late: int = 0
    future: int = 0
    transitions: int = 0
    begun_ms: int | None = None
    """The earliest instant that a record stated; None before the first."""
    contacts: int = 0
    """Contacts that exist: a record of theirs was applied, and they were not erased after it."""


class Simulator:
    """Folds lines of JSON as a log of one partition or of several, whose definitions may change on the way."""

    def __init__(
        self,
        definitions: Definitions,
        partitions: int = 1,
        contacts_decoded_max: int = CONTACTS_DECODED_MAX,
        history: History | None = None,
    ) -> None:
        """`contacts_decoded_max` bounds memory and shows in no result. Without a `history` lines that bring
        definitions are bad ones: what they say of it cannot be found. It knows lines only, so `until` comes last."""
        self.tally = Tally()
        self._held = [definitions]
        self._decoded_max = contacts_decoded_max
        self._history = history
        self._reader = Reader()
        self._identity = definitions.identity
        self._log = Partitions(core_of(definitions), partitions, contacts_decoded_max)
        self._log.put_on_lists(definitions.lists)

    @property
    def held(self) -> Sequence[Definitions]:
        """All definitions that have held, the first ones first."""
        return self._held

    @property
    def core(self) -> Core:
        """The core for the definitions that hold."""
        return self._log.core

    @property
    def contacts(self) -> PackedContacts:
        """All contacts by key."""
        return self._log.contacts

    @property
    def folds(self) -> list[Fold]:
        """The partitions."""
        return self._log.folds

    @property
    def clock_ms(self) -> int:
        """The clock; of several partitions the one that is ahead."""
        return max(fold.clock_ms for fold in self.folds)

    def clock_of(self, contact_id: str) -> int:
        """The clock of the contact's partition, in ms."""
        return self._log.fold_of(contact_id).clock_ms

    def contact(self, contact_id: str) -> Contact | None:
        """The contact as it stands, to be read, or None where no record of it came yet."""
        contact = self.contacts.get(contact_key(contact_id))
        return contact if contact is not None and contact.exists else None

    def feed(self, lines: Iterable[bytes]) -> Iterator[Transition | BadLine]:
        """Transitions of each line in turn, and a `BadLine` for each that is no valid record.

        May be called again with the lines of another file; lines are numbered within each.
        """
        read = read_line if self._history is None else self._reader.read
        for number, line in enumerate(lines, 1):
            self.tally.lines += 1
            if not line.strip():
                continue
            try:
                record = read(line)
            except InvalidRecordError as error:
                self.tally.bad += 1
                yield BadLine(number, error.detail)
                continue
            self._log.at_line(self.tally.lines - 1)
            yield from self._fold_in(record)

    def until(self, instant_ms: int | None) -> list[Transition]:
        """Move every clock on to `instant_ms` (an earlier one does nothing), and fire what is due by then."""
        self._log.at_line(self.tally.lines)
        return self._told(self._log.tick(instant_ms or 0))

    def _fold_in(self, record: Record) -> Iterable[Transition]:
        stated = stated_ms(record)
        assert stated is not None, "records without an instant were refused"
        tally = self.tally
        if tally.begun_ms is None or stated < tally.begun_ms:
            tally.begun_ms = stated
        if record.type == "definitions" and self._reader.definitions(record).identity != self._identity:
            return self._change(record, stated)
        if isinstance(record, Tick | DefinitionsRecord | Forward):  # what a log forwards is forwarded here anew
            tally.ticks += 1
            return self._told(self._log.tick(stated))
        return self._apply(record, stated)

    def _apply(self, record: ContactRecord, stated: int) -> list[Transition]:
        tally = self.tally
        outcome, moves = self._log.apply(record, stated)
        tally.outcomes[outcome.result] += 1
        tally.late += outcome.late
        tally.future += outcome.future
        tally.contacts = self._log.existing
        return self._told(moves)

    def _told(self, moves: list[Transition]) -> list[Transition]:
        self.tally.transitions += len(moves)
        return moves

    def _change(self, record: DefinitionsRecord, stated: int) -> Iterator[Transition]:
        """Let other definitions hold from this line on."""
        assert self._history is not None, "without a history these are bad lines"
        definitions = self._reader.definitions(record)
        self.tally.changes += 1
        yield from self._told(self._log.tick(stated))
        log = Partitions(rehearsing_core_of(definitions), len(self.folds), self._decoded_max)
        log.put_on_lists(self._held[0].lists)
        rehearse(log, self._history(self.tally.lines), self._reader.read)
        core = core_of(definitions)
        contacts = PackedContacts(core, self._decoded_max)
        for move in hand_over(self._log, log, core, contacts, record):
            self.tally.transitions += 1
            yield move
        self._log, self._identity = log, definitions.identity
        self._held.append(definitions)
        self.tally.contacts = log.existing
