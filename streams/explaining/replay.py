"""Replays a log for the sake of one contact, step by step, so that it can be told since when and why.

Records of others only move the clock. The same fold and core run as in the worker and the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from schemas.errors import InputError
from schemas.instants import format_instant
from schemas.records import ContactRecord, DefinitionsRecord, Forward, InvalidRecordError, MovedRecord, Record, Tick
from schemas.topics import partition_of, position_name
from schemas.transitions import Cause, Transition
from streams.segmentation import (
    Contact,
    Core,
    Definitions,
    Fold,
    Step,
    Succession,
    contact_key,
    core_of,
    rehearsing_core_of,
)
from streams.segmentation.evidence import Occurrence, Past
from streams.segmentation.explanation import Explainer
from streams.segmentation.steps import cause_of, facts_of, told_by
from streams.segmentation.turns import Turn, Turns
from streams.segmentation.wording import printable
from streams.simulation.changing import History, Reader
from streams.simulation.partitions import Partitions
from streams.simulation.record_lines import read_line, stated_ms

_CONTACTS_DECODED_MAX = 100_000


class Replay:
    """One contact's way through the log of its partition."""

    def __init__(
        self,
        definitions: Definitions,
        contact_id: str,
        partition: int = 0,
        lists: Mapping[str, Sequence[str]] = MappingProxyType({}),
        core: Callable[[Definitions], Core] = core_of,
    ) -> None:
        """`lists` has those who are on a list, by its name, before any record says so; `core` makes a `RehearsingCore`
        for definitions that do not hold yet, until `follow`."""
        self.contact_id = contact_id
        self.core = core(definitions)
        self.partition = partition
        self.next_offset = 0
        """Where the reading of the log has ended."""
        self._fold = Fold(self.core, partition)
        self._key = contact_key(contact_id)
        self._past = Past()
        self._turns = Turns(self.core.program)
        for name, ids in lists.items():
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

    def apply(self, record: ContactRecord, offset: int, clock_ms: int, *, is_new: bool = False) -> None:
        """Apply a record of the contact; another's only moves the clock.

        `is_new`: it is no forward that was taken before, as the caller knows.
        """
        self.move_on(clock_ms, offset)
        if record.contact_id != self.contact_id:
            return
        clock_ms = self.clock_ms
        apply = self._fold.apply_new if is_new else self._fold.apply
        outcome = apply(record, offset, clock_ms)
        self._settle()
        if outcome.result != "applied":
            return
        if not self._fold.contacts[self._key].exists:  # it was erased, or turned out to be another one
            self._past.clear()
            self._turns.clear()
            return
        position = position_name(self.partition, offset)
        for each in told_by(record):
            self._note(each, min(each.occurred_at, clock_ms), position)
        self._turns.note(self._fold.contacts[self._key], clock_ms, cause_of(record, position))

    def _note(self, record: MovedRecord, at_ms: int, position: str) -> None:
        if record.type == "track":
            if record.event in self.core.program.by_event:
                counted = self.core.corrections.counted(self._fold.contacts[self._key], record)
                self._past.note_event(counted, at_ms, position)
        elif record.type == "correction":
            self._past.correct(record)
        else:
            for name, _ in facts_of(record):
                self._past.note_fact(name, Occurrence(at_ms, record.event_id, position))

    def follow(self, former: Replay, record: DefinitionsRecord, offset: int) -> None:
        """Let the contact go on from how it stood in `former`: both have come to this record, which ends that one.

        What it was before and is now keeps its since and cause. Into what it comes by the change, it does so since its
        history says that it is in it.
        """
        raw, known = self._stored(), former._stored()
        core = self.core = self._fold.core = core_of(self.core.definitions)
        succession = Succession(former.core.definitions, core)
        settled = succession.settle(raw, known, self.clock_ms)
        self._fold.contacts.pop(self._key, None)
        if settled.raw is None:
            return
        contact = self._fold.contacts[self._key] = core.decode(self._key, settled.raw)
        emitted: list[Transition] = []
        step = Step(self.clock_ms, self.clock_ms, (self.partition, offset), emitted, record)
        succession.tell(self._key, settled, step)
        if contact.exists:
            self._go_on(former, contact, {move.segment: move for move in emitted})

    def _go_on(self, former: Replay, contact: Contact, moved: dict[str, Transition]) -> None:
        """Know since when the contact is, or is not, in segments: also in those that are no more, but may come back."""
        indexes = {segment.name: segment.index for segment in self.core.program.segments}
        stood = former._turns.of_segments()
        for name in dict.fromkeys((*stood, *moved)):
            move = moved.get(name)
            if move is None:
                self._turns.note_segment(name, stood[name])
            else:
                told_ms = move.effective_at
                since_ms = contact.since_ms[indexes[name]] if name in indexes else told_ms
                self._turns.note_segment(name, Turn(since_ms, move.cause, None if told_ms == since_ms else told_ms))

    def _stored(self) -> bytes | None:
        contact = self._fold.contacts.get(self._key)
        return None if contact is None else self.core.encode(contact)

    def explainer(self) -> Explainer:
        """Explains the contact as it stands. Raises `InputError` for one that is not known."""
        contact = self.contact
        if contact is None:
            raise self._unknown()
        return Explainer(self.core, contact, self.clock_ms, self._past, self._turns)

    def _unknown(self) -> InputError:
        known = self._fold.contacts.get(self._key)
        if known is not None and known.linked_to is not None:
            return InputError(
                f"the contact {printable(self.contact_id)} turned out to be {printable(known.linked_to)}, and what it "
                "did counts there: ask for that one"
            )
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
        self._fold.sent.clear()


class _Lines:
    """Gives a contact's replay the lines of a simulation, as far as they are of its partition."""

    def __init__(
        self,
        replay: Replay,
        until_ms: int,
        partitions: int,
        lists: Mapping[str, Sequence[str]],
        earlier: Callable[[int], Iterable[tuple[int, Record]]] | None,
    ) -> None:
        """`earlier` gives so many lines again, from the first on: until a link comes nobody asks what it would move.

        Without it, all that may be linked one day is followed.
        """
        self.replay = replay
        self._until_ms = until_ms
        self._partitions = partitions
        self._lists = lists
        self._earlier = earlier
        self._linked = None if earlier is not None else self._links()
        # As in the simulator: in a log of one partition a line's place stands for its offset.
        self._offset = 0 if partitions == 1 else 1

    def take(self, place: int, record: Record) -> bool:
        """Whether the record in this line, of all from 0 on, was still in time, and so was taken."""
        clock_ms = stated_ms(record)
        assert clock_ms is not None, "records without an instant were refused"
        told = _told(record)
        is_ours = told is None or partition_of(told.contact_id, self._partitions) == self.replay.partition
        if is_ours and clock_ms > self._until_ms:
            return False
        forwarded = self._follow_links(place, record)
        if told is None:
            self.replay.move_on(clock_ms, self._next(place))
            return True
        if is_ours:
            self.replay.apply(told, self._next(place), clock_ms)
        for forward in forwarded:
            if partition_of(forward.contact_id, self._partitions) == self.replay.partition:
                self.replay.apply(forward, self._next(place), clock_ms, is_new=True)
        return True

    def _follow_links(self, place: int, record: Record) -> Sequence[Forward]:
        """What linked contacts send by this record."""
        if self._linked is None:
            if record.type != "link":
                return ()
            assert self._earlier is not None, "else links are followed from the start"
            self._linked = self._links()
            for earlier_place, earlier in self._earlier(place):
                _take_in(self._linked, earlier_place, earlier)
        return _take_in(self._linked, place, record)

    def _links(self) -> Partitions:
        # Who is linked with whom, and what they send, hangs on no segment and no score.
        bare = replace(self.replay.core.definitions, scores={}, whiles={}, segments=(), order=())
        linked = Partitions(Core(bare), self._partitions, _CONTACTS_DECODED_MAX)
        linked.put_on_lists(self._lists)
        return linked

    def _next(self, place: int) -> int:
        """The offset of the next record."""
        offset = place if self._partitions == 1 else self._offset
        self._offset = offset + 1
        return offset

    @property
    def last_offset(self) -> int:
        """Of the last record that was taken."""
        return self._offset - 1

    def end(self) -> Replay:
        """Time moves on to the last instant."""
        if self.replay.clock_ms:
            self.replay.move_on(self._until_ms, self._offset)
        return self.replay


def _told(record: Record) -> ContactRecord | None:
    """The record, if it is about a contact. What a log forwards is forwarded here anew."""
    return None if isinstance(record, Tick | DefinitionsRecord | Forward) else record


def _take_in(linked: Partitions, place: int, record: Record) -> Sequence[Forward]:
    clock_ms, told = stated_ms(record), _told(record)
    assert clock_ms is not None, "records without an instant were refused"
    linked.at_line(place)
    if told is None:
        linked.tick(clock_ms)
        return ()
    linked.apply(told, clock_ms)
    return linked.forwarded


def replay_lines(
    definitions: Definitions,
    lines: Iterable[bytes],
    contact_id: str,
    until_ms: int,
    partitions: int = 1,
    history: History | None = None,
) -> Replay:
    """The contact at `until_ms` after the lines of a simulation whose clock is not past it.

    Where they bring other definitions, conditions are told as those say that they came out from the first line on,
    and memberships as transitions tell them. Without a `history` such lines are passed over, as if they were none.
    """
    reader, active = Reader(), definitions.identity
    read = read_line if history is None else reader.read
    who = contact_id, partition_of(contact_id, partitions), definitions.lists
    again = None if history is None else lambda count: _records(history(count), read)
    bounds = until_ms, partitions, definitions.lists, again
    taken = _Lines(Replay(definitions, *who), *bounds)
    for place, record in _records(lines, read):
        if not taken.take(place, record):
            break
        if record.type == "definitions" and (brought := reader.definitions(record)).identity != active:
            assert again is not None, "without a history no definitions are read"
            active, former = brought.identity, taken.replay
            taken = _Lines(Replay(brought, *who, rehearsing_core_of), *bounds)
            for earlier_place, earlier in again(place + 1):
                taken.take(earlier_place, earlier)
            taken.replay.follow(former, record, taken.last_offset)
    return taken.end()


def _records(lines: Iterable[bytes], read: Callable[[bytes], Record]) -> Iterator[tuple[int, Record]]:
    """The records among lines, each with its place from 0 on."""
    for place, line in enumerate(lines):
        try:
            yield place, read(line)
        except InvalidRecordError:
            continue
