"""The simulator: the same core over records in file order, with no Kafka and no Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from schemas.records import DefinitionsRecord, InvalidRecordError, Record, Tick, decode_record
from schemas.transitions import Transition
from streams.segmentation import Contact, Core, Definitions, Fold, contact_key


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a valid record."""

    number: int
    reason: str


@dataclass(slots=True)
class Tally:
    """What a simulation has seen so far."""

    lines: int = 0
    bad: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: {"applied": 0, "duplicate": 0, "erased": 0})
    late: int = 0
    future: int = 0
    transitions: int = 0
    contacts: int = 0


def stated_ms(record: Record) -> int | None:
    """The instant that moves the clock where Kafka stamps nothing: `received_at`, else `occurred_at`."""
    if record.received_at is not None or isinstance(record, Tick | DefinitionsRecord):
        return record.received_at
    return record.occurred_at


def read_line(line: bytes) -> Record:
    """The record in a line. Raises `InvalidRecordError` for one that does not count in a simulation."""
    record = decode_record(line)
    if isinstance(record, DefinitionsRecord):
        raise InvalidRecordError("invalid", "expected no definitions among the events of a simulation")
    if stated_ms(record) is None:
        raise InvalidRecordError("invalid", "received_at: expected it on a tick")
    return record


class Simulator:
    """Folds lines of JSON as the one partition of a log."""

    def __init__(self, definitions: Definitions) -> None:
        self.tally = Tally()
        self.core = Core(definitions)
        self._fold = Fold(self.core)
        for name, ids in definitions.lists.items():
            for contact_id in ids:
                self._fold.put_on_list(contact_id, name)

    def feed(self, lines: Iterable[bytes]) -> Iterator[Transition | BadLine]:
        """Transitions of each line in turn, and a `BadLine` for each that is no valid record."""
        for number, line in enumerate(lines, 1):
            self.tally.lines = number
            if not line.strip():
                continue
            try:
                record = read_line(line)
            except InvalidRecordError as error:
                self.tally.bad += 1
                yield BadLine(number, error.detail)
                continue
            yield from self._fold_in(record, number - 1)

    def _fold_in(self, record: Record, offset: int) -> list[Transition]:
        fold, tally = self._fold, self.tally
        stated = stated_ms(record)
        assert stated is not None, "records without an instant were refused"
        clock_ms = max(fold.clock_ms, stated)
        self._fire(clock_ms, offset)
        if record.type != "tick" and record.type != "definitions":  # noqa: PLR1714 - narrows the type
            outcome = fold.apply(record, offset, clock_ms)
            tally.outcomes[outcome.result] += 1
            tally.late += outcome.late
            tally.future += outcome.future
        return self._taken()

    def contact(self, contact_id: str) -> Contact | None:
        """The contact as it stands, or None where no record of it came yet."""
        contact = self._fold.contacts.get(contact_key(contact_id))
        return contact if contact is not None and contact.exists else None

    def until(self, instant_ms: int | None) -> list[Transition]:
        """Move the clock on to `instant_ms` (an earlier one does nothing), and fire what is due by then."""
        self._fire(max(self._fold.clock_ms, instant_ms or 0), self.tally.lines)
        return self._taken()

    def _fire(self, clock_ms: int, offset: int) -> None:
        """Fire what is due, and put it in the order in which people read: by instant, contact, segment."""
        self._fold.fire(clock_ms, offset)
        # The fold's own order of contacts within a millisecond is that of their keys. Segments stay as they are.
        self._fold.emitted.sort(key=lambda move: (move.effective_at, move.contact_id.encode()))

    def _taken(self) -> list[Transition]:
        fold = self._fold
        taken, fold.emitted = fold.emitted, []
        fold.changed.clear()
        self.tally.transitions += len(taken)
        self.tally.contacts = len(fold.contacts)
        return taken
