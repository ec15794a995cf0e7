"""One partition's log folded in one go, without pipeline, store or interruption: the bytes that must be stored.

Where definitions change, all that came before is folded once more under the new ones, and the contacts go on from what
was told of them. None of the code that does so in the worker has a say in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.forwards import Sending
from schemas.records import DefinitionsRecord, Tick
from streams.segmentation import Core, Fold, parse_canonical
from streams.segmentation.contact import Contact, Standing
from tests.audit.log import Change, Counted, PartitionLog, changes_of, counted_records

_Standing = tuple[int, int]  # transitions so far, and the instant of the last one


class Folded:
    """The state after the log, as `tests/engine/world.py` reads it from a store."""

    def __init__(self, log: PartitionLog) -> None:
        counted = counted_records(log)
        changes = changes_of(counted)
        assert changes[0].offset == counted[0].offset, "a log begins with its definitions"
        self._partition = log.partition
        self._states: dict[str, bytes] = {}
        self._members: dict[str, dict[str, int]] = {}
        self._seq = 0
        self.sent: list[Sending] = []
        """What was sent to contacts of any partition."""
        self.core = Core(parse_canonical(changes[0].record.definitions))
        self._fold = Fold(self.core, log.partition)
        begun = 0
        for change in changes[1:]:
            met = next(place for place, each in enumerate(counted) if each.offset == change.offset)
            for each in counted[begun:met]:
                self._take(each)
            self._fire(counted[met])
            self._change(change, counted[:met])
            begun = met + 1
        for each in counted[begun:]:
            self._take(each)
        self._at = ((log.records[-1].offset + 1, 0), 0, self._fold.clock_ms, self._seq)
        self._definitions = (changes[-1].record.definitions, tuple(change.version for change in changes))

    def _take(self, each: Counted) -> None:
        self._fire(each)
        if not isinstance(each.record, Tick | DefinitionsRecord):
            self._fold.apply(each.record, each.offset, self._fold.clock_ms)
        self._settle()

    def _fire(self, each: Counted) -> None:
        self._fold.fire(each.timestamp_ms, each.offset)
        self._settle()

    def _settle(self) -> None:
        """Keep what a commit after this record would keep."""
        for key in self._fold.changed:
            self._keep(key)
        self._fold.changed.clear()
        for one in self._fold.emitted:
            self._seq += 1
            members = self._members.setdefault(one.segment, {})
            if one.type == "segment.entered":
                members[one.contact_id] = one.effective_at
            else:
                del members[one.contact_id]
        self._fold.emitted.clear()
        self.sent += self._fold.sent
        self._fold.sent.clear()

    def _keep(self, key: str) -> None:
        raw = self.core.encode(self._fold.contacts[key])
        if raw is None:
            self._states.pop(key, None)
        else:
            self._states[key] = raw

    def _change(self, change: Change, before: Sequence[Counted]) -> None:
        """Fold all records before the change anew, under its definitions; what was told so far stands."""
        told = {key: self._standings(contact) for key, contact in self._fold.contacts.items()}
        self.core = Core(parse_canonical(change.record.definitions))
        self._fold = Fold(self.core, self._partition)
        for each in before:
            self._fold.fire(each.timestamp_ms, each.offset)
            if not isinstance(each.record, Tick | DefinitionsRecord):
                self._fold.apply(each.record, each.offset, self._fold.clock_ms)
        self._fold.fire(change.clock_ms, change.offset)
        self._fold.changed.clear()
        self._fold.emitted.clear()
        self._fold.sent.clear()
        self._states.clear()
        self._members.clear()
        for key, contact in self._fold.contacts.items():
            self._seq += self._go_on(contact, told.pop(key, {}), change.clock_ms)
            self._keep(key)
        self._seq += sum(_is_in(each) for standings in told.values() for each in standings.values())

    def _standings(self, contact: Contact) -> dict[str, _Standing]:
        """How a contact stands with every segment that it was ever in."""
        names = [segment.name for segment in self.core.program.segments]
        stands = {names[index]: (count, contact.since_ms[index]) for index, count in contact.sequences.items()}
        return stands | {name: (each.sequence, each.since_ms) for name, each in contact.retired.items()}

    def _go_on(self, contact: Contact, told: dict[str, _Standing], clock_ms: int) -> int:
        """Let a contact go on from what was told of it; returns how many transitions that takes."""
        if not contact.exists:
            return sum(map(_is_in, told.values()))
        moves = 0
        history, contact.sequences, contact.since_ms = contact.since_ms, {}, {}
        for segment in self.core.program.segments:
            count, since_ms = told.pop(segment.name, (0, 0))
            is_in = bool(contact.bits & segment.bit)
            if is_in != bool(count & 1):
                moves, count, since_ms = moves + 1, count + 1, history[segment.index] if is_in else clock_ms
            if count:
                contact.sequences[segment.index], contact.since_ms[segment.index] = count, since_ms
            if is_in:
                assert contact.contact_id is not None, "only a contact that exists is a member"
                self._members.setdefault(segment.name, {})[contact.contact_id] = since_ms
        for name, standing in told.items():
            contact.retired[name] = Standing(*((standing[0] + 1, clock_ms) if _is_in(standing) else standing))
            moves += _is_in(standing)
        return moves

    def contents(self) -> dict[str, Any]:
        """In the form of `comparable`."""
        due = sorted((one.next_due, key) for key, one in self._fold.contacts.items() if one.next_due is not None)
        return {
            "contacts": self._states,
            "timers": due,
            "sizes": {segment: len(members) for segment, members in self._members.items() if members},
            "members": {segment: members for segment, members in self._members.items() if members},
            "at": self._at,
            "definitions": self._definitions,
        }


def _is_in(standing: _Standing) -> bool:
    return bool(standing[0] & 1)


def comparable(contents: dict[str, Any]) -> dict[str, Any]:
    """What a store holds of a partition, without empty leftovers."""
    (cursor, index, clock_ms, seq) = contents["at"]
    return contents | {
        "timers": list(contents["timers"]),
        "sizes": {segment: size for segment, size in contents["sizes"].items() if size},
        "members": {segment: dict(members) for segment, members in contents["members"].items() if members},
        "at": (tuple(cursor), index, clock_ms, seq),
    }
