"""Contacts that were not touched lately rest encoded: memory is bounded, and no result shows it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from schemas.instants import format_instant
from schemas.transitions import Transition
from streams.segmentation import Core, compile_definitions, contact_key
from streams.simulation.packed_contacts import PackedContacts
from streams.simulation.simulator import Simulator
from tests.oracle.drawn_records import START_MS, Case, cases
from tests.oracle.fuzzing import SEED, fuzzed
from tests.simulator.drawn import EVERYTHING, simulated

FILE = {
    "version": 1,
    "lists": {"vip": ["c1", "c2", "c9"]},
    "segments": {
        "seen": {"when": {"performed": {"event": "page_view", "within": "1h"}}},
        "vip": {"when": {"listed": "vip"}},
    },
}


def line(kind: str, contact: str, number: int, **more: object) -> bytes:
    body = {"type": kind, "event_id": f"e{number}", "contact_id": contact, **more}
    return json.dumps({**body, "occurred_at": format_instant(START_MS + number)}).encode()


def views(contacts: list[str]) -> list[bytes]:
    return [line("track", contact, number, event="page_view") for number, contact in enumerate(contacts)]


@fuzzed(0.03)
@given(case=cases(EVERYTHING), partitions=st.sampled_from((1, 2)))
def test_with_one_contact_at_hand_all_comes_out_as_with_all_of_them(case: Case, partitions: int) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    narrow, found = simulated(case, partitions, contacts_decoded_max=1)
    wide, expected = simulated(case, partitions)
    assert found == expected
    assert narrow.tally == wide.tally
    kept = {contact.key: narrow.core.encode(contact) for contact in narrow.contacts.values()}
    known = {contact.key: wide.core.encode(contact) for contact in wide.contacts.values()}
    assert {key: raw for key, raw in kept.items() if raw} == {key: raw for key, raw in known.items() if raw}


def test_only_so_many_contacts_are_kept_as_objects_and_the_others_as_bytes() -> None:
    core = Core(compile_definitions(FILE))
    simulator = Simulator(compile_definitions(FILE), contacts_decoded_max=3)
    list(simulator.feed(views([f"c{number}" for number in range(50)])))
    contacts = simulator.contacts
    assert len(contacts) == len(list(contacts)) == len(list(contacts.values())) == 50
    assert len(contacts._decoded) == 3
    assert {type(raw) for raw in contacts._encoded.values()} == {bytes}
    assert core.encode(contacts[contact_key("c7")]) is not None


def test_looking_over_all_contacts_turns_none_of_those_in_use_out() -> None:
    simulator = Simulator(compile_definitions(FILE), contacts_decoded_max=2)
    list(simulator.feed(views(["c1", "c2", "c3"])))
    before = list(simulator.contacts._decoded)
    assert sorted(contact.contact_id or "" for contact in simulator.contacts.values()) == ["c1", "c2", "c3"]
    assert list(simulator.contacts._decoded) == before


def test_what_is_kept_reads_like_a_mapping() -> None:
    core = Core(compile_definitions(FILE))
    contacts = PackedContacts(core, 1)
    simulator = Simulator(compile_definitions(FILE), contacts_decoded_max=1)
    list(simulator.feed(views(["c1", "c2"])))
    for contact in simulator.contacts.values():
        contacts[contact.key] = contact
    first, second = contact_key("c1"), contact_key("c2")
    assert (first in contacts, second in contacts, "c3" in contacts) == (True, True, False)
    assert contacts.get("c3") is None
    for key in (first, second):
        del contacts[key]
    assert len(contacts) == 0
    with pytest.raises(KeyError):
        del contacts[first]


@pytest.mark.parametrize("decoded_max", [1, 100])
def test_contacts_are_counted_from_their_first_record_to_their_erasure(decoded_max: int) -> None:
    simulator = Simulator(compile_definitions(FILE), contacts_decoded_max=decoded_max)
    assert (simulator.tally.contacts, len(simulator.contacts)) == (0, 0)
    counts = []
    for record in (
        line("track", "c1", 0, event="page_view"),
        line("track", "c1", 1, event="page_view"),
        line("erase", "c3", 2),
        line("identify", "c2", 3, traits={}),
        line("erase", "c1", 4),
        line("erase", "c1", 4),
        line("track", "c1", 3, event="page_view"),
        line("track", "c1", 5, event="page_view"),
    ):
        list(simulator.feed([record]))
        counts.append(simulator.tally.contacts)
    assert counts == [1, 1, 1, 2, 1, 1, 1, 2]


@pytest.mark.parametrize("decoded_max", [1, 100])
def test_an_erasure_takes_a_contact_off_its_lists_even_before_its_first_record(decoded_max: int) -> None:
    simulator = Simulator(compile_definitions(FILE), contacts_decoded_max=decoded_max)
    lines = [line("erase", "c1", 0), *views(["c2", "c3"]), line("track", "c1", 5, event="page_view")]
    entered = [(each.contact_id, each.segment) for each in simulator.feed(lines) if isinstance(each, Transition)]
    assert entered == [("c2", "seen"), ("c2", "vip"), ("c3", "seen"), ("c1", "seen")]
