"""Contacts and timers in memory: what is written, what is kept, and what is forgotten."""

from __future__ import annotations

from schemas.records import validate_record
from streams.pipeline.workspace import Workspace
from streams.ports import Loaded
from streams.segmentation import Core, compile_definitions, contact_key
from tests.engine.stories import DEFINITIONS, HOUR, MINUTE, START

CORE = Core(compile_definitions(DEFINITIONS))
ANN, BOB, CYD = (contact_key(name) for name in ("ann", "bob", "cyd"))


def workspace(contacts_max: int = 10) -> Workspace:
    return Workspace(CORE, 0, START, contacts_max, ())


def add(space: Workspace, contact_id: str, minute: int, kind: str = "track", **fields: object) -> None:
    """Apply a record `minute` minutes after the start."""
    at_ms = START + minute * MINUTE
    body = {"type": kind, "contact_id": contact_id, "event_id": f"{contact_id}-{minute}", **fields}
    if kind == "track":
        body["event"] = "cart_add"
    record = validate_record(body | {"occurred_at": f"2026-03-01T00:{minute:02}:00Z"})
    assert record.type in ("track", "erase")
    space.fold.apply(record, minute, at_ms)


def stored_copy(space: Workspace, *keys: str) -> Loaded:
    """What a store would hold of contacts, with their timers."""
    states = {key: CORE.encode(space.fold.contacts[key]) or b"" for key in keys}
    timers = sorted((space.fold.contacts[key].next_due or 0, key) for key in keys)
    return Loaded(states, timers, timers[0][0])


def test_a_timer_is_written_only_where_its_instant_changed() -> None:
    space = workspace()
    assert space.begin([ANN, BOB]) == [ANN, BOB]
    add(space, "ann", 1)
    add(space, "bob", 1)
    changes = space.changes()
    assert set(changes.states) == set(changes.timers) == {ANN, BOB}
    space.settle(changes)
    due = changes.timers[ANN]
    assert due is not None
    space.fold.changed.add(ANN)
    assert (set(space.changes().states), space.changes().timers) == ({ANN}, {})
    space.fold.contacts[ANN].next_due = None
    assert space.changes().timers == {ANN: None}
    space.settle(space.changes())
    space.fold.contacts[ANN].next_due = due
    space.fold.changed.add(ANN)
    assert space.changes().timers == {ANN: due}  # as it was once, but not as it is stored


def test_the_timer_of_a_contact_that_was_kept_from_an_earlier_batch_is_known_as_stored() -> None:
    space = workspace()
    space.begin([ANN])
    add(space, "ann", 1)
    space.settle(space.changes())
    assert space.begin([ANN]) == []
    space.fold.changed.add(ANN)
    assert space.changes().timers == {}
    space.fold.contacts[ANN].next_due = None
    assert space.changes().timers == {ANN: None}


def test_a_loaded_timer_that_was_put_off_still_leaves_the_horizon_where_it_was() -> None:
    source = workspace()
    source.begin([ANN, BOB])
    add(source, "ann", 1)
    add(source, "bob", 2)
    loaded = stored_copy(source, ANN, BOB)
    for limit, horizon in ((2, loaded.timers[-1]), (3, None)):
        space = workspace()
        space.begin([ANN])
        space.take_in(loaded, limit)
        assert space.until == horizon
        assert (space.horizon_ms < START + HOUR) == (horizon is not None)
        assert space.fold.next_timer() == loaded.timers[0]
        space.settle(space.changes())
        assert (space.until, space.fold.next_timer()) == (None, None)
        assert space.horizon_ms > START + HOUR


def test_a_state_that_is_held_already_is_not_replaced_by_the_stored_one() -> None:
    space = workspace()
    space.begin([ANN])
    add(space, "ann", 1)
    held = space.fold.contacts[ANN]
    space.take_in(stored_copy(space, ANN), 10)
    assert space.fold.contacts[ANN] is held


def test_contacts_that_were_not_used_for_longest_are_forgotten_first() -> None:
    space = workspace(contacts_max=2)
    for minute, name in enumerate(("ann", "bob", "cyd"), 1):
        space.begin([contact_key(name)])
        add(space, name, minute)
        space.settle(space.changes())
        if name == "bob":
            space.begin([ANN])
        space.trim(between_batches=True)
    assert set(space.fold.contacts) == {ANN, CYD}


def test_no_contact_is_forgotten_that_the_batch_under_way_needs() -> None:
    space = workspace(contacts_max=1)
    space.begin([ANN, BOB])
    for name in ("ann", "bob", "cyd"):
        add(space, name, 1)
    space.settle(space.changes())
    space.trim(between_batches=False)
    assert set(space.fold.contacts) == {ANN, BOB}
    space.trim(between_batches=True)
    assert set(space.fold.contacts) == {BOB}


def test_a_contact_of_which_nothing_is_left_is_deleted_and_forgotten() -> None:
    space = workspace()
    space.begin([ANN])
    add(space, "ann", 1, kind="erase")
    space.settle(space.changes())
    due = space.fold.contacts[ANN].next_due
    assert due is not None
    space.fold.schedule(due, ANN)
    assert space.fold.fire(due, 2) == 1
    changes = space.changes()
    assert (changes.states, changes.timers) == ({ANN: None}, {ANN: None})
    space.settle(changes)
    assert ANN not in space.fold.contacts
