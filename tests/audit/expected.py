"""The transitions that a log must yield, and where every contact must stand, by the brute-force oracle.

Contacts do not touch one another, so each has an oracle of its own that sees the records of that contact alone: what
all of them together decide is only the clock, and with it which record releases a timer. Where definitions change the
contact gets another oracle, which sees all of its records from the start.
"""

from __future__ import annotations

import copy
import hashlib
import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.instants import format_instant
from schemas.records import DefinitionsRecord, Tick
from tests.audit import log as records
from tests.audit.log import Counted, PartitionLog, changes_of, counted_records
from tests.oracle import scores
from tests.oracle.language import File
from tests.oracle.timeline import Change, Oracle, Rehearsal, Step
from tests.oracle.view import View


@dataclass
class Standing:
    """Where a contact stands at the end of the log."""

    members: dict[str, bool]
    sequences: dict[str, int]
    readings: dict[str, str]


@dataclass
class Expected:
    """What the log must have come to."""

    changes: list[Change] = field(default_factory=list)
    contacts: dict[str, Standing] = field(default_factory=dict)


class _Clocks:
    """The clock after each record that counts."""

    def __init__(self, counted: list[Counted]) -> None:
        self.offsets = [each.offset for each in counted]
        self._clocks: list[int] = []
        clock = 0
        for each in counted:
            clock = max(clock, each.timestamp_ms)
            self._clocks.append(clock)
        self.last = clock

    def at(self, offset: int) -> int:
        return self._clocks[bisect_left(self.offsets, offset)]

    def released_by(self, instant: int) -> tuple[int, int]:
        """The record that moves the clock to `instant` or past it, and where it moves it to."""
        place = bisect_left(self._clocks, instant)
        return self.offsets[place], self._clocks[place]


def expected_of(log: PartitionLog) -> Expected:
    """Work out a whole log."""
    counted = counted_records(log)
    changes = changes_of(counted)
    assert changes[0].offset == counted[0].offset, "a log begins with its definitions"
    clocks = _Clocks(counted)
    by_contact: dict[str, list[Counted]] = {}
    for each in counted:
        if not isinstance(each.record, Tick | DefinitionsRecord):
            by_contact.setdefault(each.record.contact_id, []).append(each)
    expected = Expected()
    for contact_id, own in by_contact.items():
        oracle = Oracle(_file(changes[0].record), log.partition, at_once=False)
        rehearsals = _Rehearsals(own, clocks, log.partition)
        begun = 0
        for change in changes[1:]:
            met = bisect_left(own, change.offset, key=lambda each: each.offset)
            _drive(oracle, own[begun:met], clocks)
            begun = met
            oracle, differences = _changed(oracle, rehearsals.at(change, met), change, clocks)
            expected.changes += differences
        _drive(oracle, own[begun:], clocks)
        _release(oracle, clocks, clocks.last)
        expected.changes += oracle.changes
        standing = _standing(oracle, contact_id, clocks.last)
        if standing is not None:
            expected.contacts[contact_id] = standing
    expected.changes.sort(key=_order)
    return expected


def _drive(oracle: Oracle, own: Sequence[Counted], clocks: _Clocks) -> None:
    """Let a contact's oracle see records of its own."""
    for each in own:
        clock = clocks.at(each.offset)
        _release(oracle, clocks, clock)
        oracle.take(each.body | {"received_at": format_instant(clock)}, each.offset)


class _Rehearsals:
    """What each of the definitions makes of one contact's records, as far as the changes to them need it."""

    def __init__(self, own: Sequence[Counted], clocks: _Clocks, partition: int) -> None:
        self._own = own
        self._clocks = clocks
        self._partition = partition
        self._oracles: dict[str, tuple[Rehearsal, int]] = {}

    def at(self, change: records.Change, met: int) -> Oracle:
        """An oracle that has seen the first `met` records under the definitions of a change, and told nothing."""
        known = Rehearsal(_file(change.record), self._partition, at_once=False), 0
        oracle, seen = self._oracles.get(change.record.hash, known)
        _drive(oracle, self._own[seen:met], self._clocks)
        _release(oracle, self._clocks, change.clock_ms)
        self._oracles[change.record.hash] = oracle, met
        fresh = Oracle(oracle.file, self._partition, at_once=False)
        fresh.links.adopt(oracle.links)
        fresh.contacts, fresh.erasures = copy.deepcopy(oracle.contacts), dict(oracle.erasures)
        fresh.lists = copy.deepcopy(oracle.lists)
        fresh.move_on(change.clock_ms, change.offset)
        return fresh


def _changed(oracle: Oracle, fresh: Oracle, change: records.Change, clocks: _Clocks) -> tuple[Oracle, list[Change]]:
    """The oracle that goes on from a change, and all that this contact has been told of up to and with it."""
    _release(oracle, clocks, change.clock_ms)
    oracle.move_on(change.clock_ms, change.offset)
    told = oracle.changes
    kind = "backfill" if change.record.silent else "definition"
    step = Step(change.clock_ms, {"kind": kind, "position": f"tracking-{oracle.partition}@{change.offset}"})
    stood: dict[str, bool] = {}
    counts: dict[str, int] = {}
    for contact_id, before in oracle.contacts.items():
        kept = set(fresh.order if contact_id in fresh.contacts else ())
        stood = dict(before.members)
        left = oracle._changes(before, {name: is_in and name in kept for name, is_in in stood.items()}, step)
        told += [replace(one, scores={}, valid_until=None) for one in left]
        counts = before.sequences
    for contact in fresh.contacts.values():
        members, contact.members = contact.members, {name: stood.get(name, False) for name in fresh.order}
        contact.sequences = dict(counts)
        told += fresh._changes(contact, members, step)
    return fresh, told


def _file(record: DefinitionsRecord) -> File:
    file: File = json.loads(record.definitions)
    # In a log nobody is on a list before a record says so.
    return file | ({"lists": {name: [] for name in file["lists"]}} if "lists" in file else {})


def _release(oracle: Oracle, clocks: _Clocks, clock: int) -> None:
    """Take the steps that are due by `clock`, each at the record that released it."""
    while (look := oracle.next_look()) is not None and look <= clock:
        offset, released = clocks.released_by(look)
        oracle.move_on(released, offset)


def _order(change: Change) -> tuple[int, bool, int, str]:
    """Timers before the record that released them, in order of their instants and, among those, of hashed ids.

    What a change of definitions tells comes in order of plain ids.
    """
    offset = int(change.cause["position"].partition("@")[2])
    if change.cause["kind"] != "timer":
        return offset, True, 0, change.contact_id
    key = hashlib.blake2b(change.contact_id.encode(), digest_size=16).hexdigest()
    return offset, False, change.effective_at, key


def _standing(oracle: Oracle, contact_id: str, clock: int) -> Standing | None:
    contact = oracle.contacts.get(contact_id)
    if contact is None:
        return None
    view = View(oracle.file, contact.history, clock, contact.members)
    readings: dict[str, Any] = {name: float(scores.reading(name, view)) for name in oracle.file.get("scores", {})}
    return Standing(
        dict(contact.members),
        {name: count for name, count in contact.sequences.items() if count},
        {name: repr(value) for name, value in sorted(readings.items())},
    )
