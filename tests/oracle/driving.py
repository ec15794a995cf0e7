"""The core over the records that the oracle had, and both answers in one form to compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from typing import Any

from schemas.records import DefinitionsRecord, Tick, decode_record
from schemas.transitions import Transition, cause_body
from streams.segmentation import Core, Fold, compile_definitions, contact_key
from streams.segmentation.identity import forward_of
from streams.simulation.partitions import list_records
from tests.oracle.history import clock_of
from tests.oracle.language import File
from tests.oracle.timeline import Change, Oracle

Body = dict[str, Any]
Row = dict[str, Any]
BetweenRecords = Callable[[Core, Fold], Fold]


def unchanged(_core: Core, fold: Fold) -> Fold:
    """Go on with the same fold."""
    return fold


class Driven:
    """The core, driven over one partition record by record, as the pipeline and the simulator drive it."""

    def __init__(self, file: File, between: BetweenRecords = unchanged, partition: int = 0) -> None:
        self.core = Core(compile_definitions(file))
        self.partition = partition
        self.between = between
        self.fold = Fold(self.core, partition=partition, clock_ms=0)
        put_on_lists(self.fold, {})
        self.transitions: list[Transition] = []
        self.clock = 0
        self._kept: dict[int, Any] = {}

    def take(self, body: Body, offset: int) -> str:
        """Time moves on to the record, then the record is applied. Says what became of it."""
        record = decode_record(json.dumps(body).encode())
        self.move_on(max(self.clock, clock_of(body)), offset)
        result = "tick"
        assert not isinstance(record, DefinitionsRecord)
        if not isinstance(record, Tick):
            put_on = self.fold.listed_from_start(record.contact_id) if record.type == "link" else []
            outcome = self.fold.apply(record, offset, self.clock)
            self._kept[offset] = record
            self._forward(offset, put_on)
            result = outcome.result
            if result == "applied":
                result += " late" * outcome.late + " future" * outcome.future
            self._drain()
        self.fold = self.between(self.core, self.fold)
        return result

    def move_on(self, clock: int, offset: int) -> None:
        """The clock is moved on, and every contact's timers up to there fire."""
        self.clock = max(self.clock, clock)
        self.fold.fire(self.clock, offset)
        self._drain()

    def _forward(self, offset: int, put_on: list[str]) -> None:
        """What the record sends to other contacts comes there at once, under its own offset."""
        while self.fold.sent:
            sending = self.fold.sent.pop(0)
            records = list_records(put_on, sending.linked_id, [self._kept[each] for each in sending.records])
            forward = forward_of(sending, self.partition, records)
            put_on = []
            self.fold.apply_new(forward, offset, self.clock)

    def _drain(self) -> None:
        self.transitions += self.fold.emitted
        self.fold.emitted.clear()


def put_on_lists(fold: Fold, known: Container[str]) -> None:
    """Contacts on the lists of the file are on them from the start, but for those that are known by their key."""
    for name, ids in fold.core.definitions.lists.items():
        for contact_id in ids:
            if contact_key(contact_id) not in known:
                fold.put_on_list(contact_id, name)


def reloaded(core: Core, fold: Fold) -> Fold:
    """Another fold that knows only what was stored: every contact is encoded and decoded.

    That a contact was on a list of the file, and is so no more, lies in no store: of these nothing is read anew.
    """
    later = Fold(core, partition=fold.partition, clock_ms=fold.clock_ms)
    put_on_lists(later, fold.contacts)
    listed = {contact_key(contact_id) for ids in core.definitions.lists.values() for contact_id in ids}
    for key, contact in fold.contacts.items():
        raw = core.encode(contact)
        if raw is not None:
            later.contacts[key] = stored = core.decode(key, raw)
            if stored.next_due is not None:
                later.schedule(stored.next_due, key)
        elif key in listed:
            later.contacts[key] = contact
    return later


def row_of_change(change: Change) -> Row:
    """A change as the oracle has it; numbers are compared as the doubles that JSON would carry."""
    return {
        "type": change.type,
        "contact_id": change.contact_id,
        "segment": change.segment,
        "tags": list(change.tags),
        "sequence": change.sequence,
        "effective_at": change.effective_at,
        "detected_at": change.detected_at,
        "cause": change.cause,
        "scores": {name: repr(value) for name, value in sorted(change.scores.items())},
        "valid_until": change.valid_until,
    }


def row_of_transition(transition: Transition) -> Row:
    """A transition of the core, without the two hashes."""
    return {
        "type": transition.type,
        "contact_id": transition.contact_id,
        "segment": transition.segment,
        "tags": transition.tags,
        "sequence": transition.sequence,
        "effective_at": transition.effective_at,
        "detected_at": transition.detected_at,
        "cause": cause_body(transition.cause),
        "scores": {name: repr(float(value)) for name, value in sorted(transition.scores.items())},
        "valid_until": transition.valid_until,
    }


def in_order_of_contacts(transitions: list[Transition]) -> list[Transition]:
    """Timers that one record released, put in order of instant and contact id: folds order contacts by their key."""

    def key(transition: Transition) -> tuple[int, int, int, bytes]:
        offset = int(transition.cause.position.partition("@")[2])
        if transition.cause.kind != "timer":
            return (offset, 1, 0, b"")
        return (offset, 0, transition.effective_at, transition.contact_id.encode())

    return sorted(transitions, key=key)


def run_oracle(file: File, bodies: list[Body], until: int | None = None) -> tuple[Oracle, list[str]]:
    """The oracle after all records and, if given, a last move of the clock."""
    oracle = Oracle(file)
    results = [oracle.take(body, offset) for offset, body in enumerate(bodies, start=1)]
    if until is not None:
        oracle.move_on(until, len(bodies) + 1)
    return oracle, results


def run_core(
    file: File, bodies: list[Body], until: int | None = None, between: BetweenRecords = unchanged
) -> tuple[Driven, list[str]]:
    """The core after the same."""
    driven = Driven(file, between)
    results = [driven.take(body, offset) for offset, body in enumerate(bodies, start=1)]
    if until is not None:
        driven.move_on(until, len(bodies) + 1)
    return driven, results


def assert_same(file: File, bodies: list[Body], until: int | None = None, between: BetweenRecords = unchanged) -> None:
    """Oracle and core agree on what became of every record and on every field of every transition."""
    oracle, expected_results = run_oracle(file, bodies, until)
    driven, results = run_core(file, bodies, until, between)
    transitions = in_order_of_contacts(driven.transitions)
    assert results == expected_results
    assert [row_of_transition(each) for each in transitions] == [row_of_change(each) for each in oracle.changes]
    assert_identities(transitions, oracle.changes)


def assert_identities(transitions: list[Transition], changes: list[Change]) -> None:
    """Ids are equal exactly where all is equal that they are a function of; so are hashes of definitions."""
    ids: dict[str, tuple[Any, ...]] = {}
    names: dict[tuple[Any, ...], str] = {}
    meanings: dict[str, str] = {}
    definitions: dict[str, str] = {}
    for transition, change in zip(transitions, changes, strict=True):
        assert ids.setdefault(transition.transition_id, change.identity) == change.identity
        assert names.setdefault(change.identity, transition.transition_id) == transition.transition_id
        assert meanings.setdefault(transition.definition, change.meaning) == change.meaning
        assert definitions.setdefault(change.meaning, transition.definition) == transition.definition
