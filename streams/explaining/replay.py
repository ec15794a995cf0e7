"""Replays a log for the sake of one contact, step by step, so that it can be told since when and why.

Records of others only move the clock. The same fold and core run as in the worker and the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.errors import InputError, UnavailableError
from schemas.instants import format_instant
from schemas.records import ContactRecord, DefinitionsRecord, InvalidRecordError, Record, Tick
from schemas.topics import partition_of, position_name
from schemas.transitions import Cause
from streams.pipeline.admission import Admission, RejectedRecordError
from streams.ports import RawRecord
from streams.segmentation import Contact, Core, Definitions, Fold, contact_key
from streams.segmentation.evidence import Occurrence, Past
from streams.segmentation.explanation import Explainer
from streams.segmentation.steps import cause_of, facts_of
from streams.segmentation.turns import Turns
from streams.segmentation.wording import printable
from streams.simulation.record_lines import read_line, stated_ms

_KEYS_CACHED = 100_000


class Replay:
    """One contact's way through the log of its partition."""

    def __init__(self, definitions: Definitions, contact_id: str, partition: int = 0) -> None:
        self.contact_id = contact_id
        self.core = Core(definitions)
        self.partition = partition
        self.next_offset = 0
        """Where the reading of the log has ended."""
        self._fold = Fold(self.core, partition)
        self._key = contact_key(contact_id)
        self._past = Past()
        self._turns = Turns(self.core.program)
        for name, ids in definitions.lists.items():
            if contact_id in ids:
                self._fold.put_on_list(contact_id, name)

    @property
    def clock_ms(self) -> int:
        """The largest timestamp of a valid record so far."""
        return self._fold.clock_ms

    @property
    def contact(self) -> Contact | None:
        """The contact as it stands, or None where no record of it came yet, or it was erased."""
        contact = self._fold.contacts.get(self._key)
        return contact if contact is not None and contact.exists else None

    def move_on(self, clock_ms: int, offset: int) -> None:
        """Move the clock at the record `offset`, and take the contact's steps that are due by then, one by one."""
        while self._fold.fire(clock_ms, offset, limit=1):
            contact = self._fold.contacts[self._key]
            if contact.exists:
                cause = Cause("timer", position_name(self.partition, offset))
                self._turns.note(contact, contact.as_of_ms, cause)
            self._settle()

    def apply(self, record: ContactRecord, offset: int, clock_ms: int) -> None:
        """Apply a record of the contact; another's only moves the clock."""
        self.move_on(clock_ms, offset)
        if record.contact_id != self.contact_id:
            return
        clock_ms = self.clock_ms
        outcome = self._fold.apply(record, offset, clock_ms)
        self._settle()
        if outcome.result != "applied":
            return
        if record.type == "erase":
            self._past.clear()
            self._turns.clear()
            return
        position = position_name(self.partition, offset)
        at_ms = min(record.occurred_at, clock_ms)
        if record.type == "track":
            if record.event in self.core.program.by_event:
                self._past.note_event(record, at_ms, position)
        else:
            for name, _ in facts_of(record):
                self._past.note_fact(name, Occurrence(at_ms, record.event_id, position))
        self._turns.note(self._fold.contacts[self._key], clock_ms, cause_of(record, position))

    def explainer(self) -> Explainer:
        """Explains the contact as it stands. Raises `InputError` for one that is not known."""
        contact = self.contact
        if contact is None:
            raise self._unknown()
        return Explainer(self.core, contact, self.clock_ms, self._past, self._turns)

    def _unknown(self) -> InputError:
        known = self._fold.contacts.get(self._key)
        if known is not None and known.erased is not None:
            return InputError(
                f"the contact {printable(self.contact_id)} was erased, with all that it did up to "
                f"{format_instant(known.erased.at_ms)}"
            )
        if not self.clock_ms:
            return InputError("there is no valid record up to that instant, so there is nothing to explain")
        return InputError(
            f"the contact {printable(self.contact_id)} is not known: no valid record up to "
            f"{format_instant(self.clock_ms)} carries this contact_id; mind upper and lower case"
        )

    def _settle(self) -> None:
        """Nobody reads the transitions."""
        self._fold.emitted.clear()
        self._fold.changed.clear()


def replay_log(
    records: Iterable[RawRecord],
    contact_id: str,
    topic: str,
    partition: int,
    partitions: int,
    check: Callable[[Definitions], None] = lambda _definitions: None,
) -> Replay:
    """The contact at the end of its partition's log, read from its start.

    `check` is called with the definitions before more is read. Raises `UnavailableError` for an empty log.
    """
    admission = Admission(topic, partition, partitions, keys_cached_max=_KEYS_CACHED)
    replay: Replay | None = None
    end = 0
    for raw in records:
        end = raw.offset + 1
        try:
            admitted = admission.admit(raw)
        except RejectedRecordError:
            continue
        if replay is None:
            definitions = None if admitted.change is None else admitted.change.definitions
            assert definitions is not None, "a log begins with definitions, or is refused"
            check(definitions)
            replay = Replay(definitions, contact_id, partition)
        if admitted.record is None:
            replay.move_on(admitted.timestamp_ms, admitted.offset)
        else:
            replay.apply(admitted.record, admitted.offset, admitted.timestamp_ms)
    if replay is None:
        raise UnavailableError(f"{topic}: the log of partition {partition} has no definitions yet: run `segue apply`")
    replay.next_offset = end
    return replay


def replay_lines(
    definitions: Definitions, lines: Iterable[bytes], contact_id: str, until_ms: int, partitions: int = 1
) -> Replay:
    """The contact at `until_ms` after the lines of a simulation whose clock is not past it."""
    replay = Replay(definitions, contact_id, partition_of(contact_id, partitions))
    # As in the simulator: in a log of one partition a line's place stands for its offset.
    offset = 0 if partitions == 1 else 1
    for number, line in enumerate(lines):
        record = _record(line)
        if record is None:
            continue
        told = None if isinstance(record, Tick | DefinitionsRecord) else record
        if told is not None and partition_of(told.contact_id, partitions) != replay.partition:
            continue
        clock_ms = stated_ms(record)
        assert clock_ms is not None, "records without an instant were refused"
        if clock_ms > until_ms:
            break
        place = number if partitions == 1 else offset
        if told is None:
            replay.move_on(clock_ms, place)
        else:
            replay.apply(told, place, clock_ms)
        offset = place + 1
    if replay.clock_ms:
        replay.move_on(until_ms, offset)
    return replay


def _record(line: bytes) -> Record | None:
    try:
        return read_line(line)
    except InvalidRecordError:
        return None
