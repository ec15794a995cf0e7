"""One partition's log folded in one go, without pipeline, store or interruption: the bytes that must be stored."""

from __future__ import annotations

from typing import Any

from schemas.records import DefinitionsRecord, Tick
from streams.segmentation import Core, Fold, parse_canonical
from tests.audit.log import PartitionLog, counted_records


class Folded:
    """The state after the log, as `tests/engine/world.py` reads it from a store."""

    def __init__(self, log: PartitionLog) -> None:
        counted = counted_records(log)
        opening = counted[0].record
        assert isinstance(opening, DefinitionsRecord), "a log begins with its definitions"
        self.core = Core(parse_canonical(opening.definitions))
        self._fold = Fold(self.core, log.partition)
        self._states: dict[str, bytes] = {}
        self._members: dict[str, dict[str, int]] = {}
        self._seq = 0
        for each in counted:
            self._fold.fire(each.timestamp_ms, each.offset)
            if not isinstance(each.record, Tick | DefinitionsRecord):
                self._fold.apply(each.record, each.offset, self._fold.clock_ms)
            self._settle()
        self._at = ((log.records[-1].offset + 1, 0), 0, self._fold.clock_ms, self._seq)
        self._definitions = (opening.definitions, opening.number)

    def _settle(self) -> None:
        """Keep what a commit after this record would keep."""
        for key in self._fold.changed:
            raw = self.core.encode(self._fold.contacts[key])
            if raw is None:
                self._states.pop(key, None)
            else:
                self._states[key] = raw
        self._fold.changed.clear()
        for one in self._fold.emitted:
            self._seq += 1
            members = self._members.setdefault(one.segment, {})
            if one.type == "segment.entered":
                members[one.contact_id] = one.effective_at
            else:
                del members[one.contact_id]
        self._fold.emitted.clear()

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


def comparable(contents: dict[str, Any]) -> dict[str, Any]:
    """What a store holds of a partition, without empty leftovers."""
    (cursor, index, clock_ms, seq) = contents["at"]
    return contents | {
        "timers": list(contents["timers"]),
        "sizes": {segment: size for segment, size in contents["sizes"].items() if size},
        "members": {segment: dict(members) for segment, members in contents["members"].items() if members},
        "at": (tuple(cursor), index, clock_ms, seq),
    }
