"""Replays the lines of a simulation for the sake of one contact, what linked contacts send to it included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from schemas.records import ContactRecord, DefinitionsRecord, Forward, InvalidRecordError, Record, Tick
from schemas.topics import partition_of
from streams.explaining.replay import Replay
from streams.segmentation import Core, Definitions, rehearsing_core_of
from streams.simulation.changing import History, Reader
from streams.simulation.partitions import Partitions
from streams.simulation.record_lines import read_line, stated_ms

_CONTACTS_DECODED_MAX = 100_000


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
