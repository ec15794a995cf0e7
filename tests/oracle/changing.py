"""The simulator over records among which definitions change, and its answers beside those of the oracle."""

from __future__ import annotations

import json

from schemas.transitions import Transition
from streams.segmentation import Contact, Core, compile_definitions
from streams.simulation.simulator import CONTACTS_DECODED_MAX, BadLine, Simulator
from tests.oracle.drawn_records import Case
from tests.oracle.driving import assert_identities, row_of_change, row_of_transition
from tests.oracle.timeline import Oracle

Standings = dict[str, dict[str, tuple[int, int]]]
"""By contact and segment: transitions so far, and the instant of the last entry or exit."""


def simulated(
    case: Case, partitions: int = 1, contacts_decoded_max: int = CONTACTS_DECODED_MAX
) -> tuple[Simulator, list[Transition]]:
    """A simulation whose history is read again at each change, and its transitions in order."""
    lines = [json.dumps(body).encode() for body in case.bodies]
    simulator = Simulator(
        compile_definitions(case.file), partitions, contacts_decoded_max, history=lambda count: lines[:count]
    )
    found = []
    for result in simulator.feed(lines):
        assert not isinstance(result, BadLine), result
        found.append(result)
    if case.until is not None:
        found += simulator.until(case.until)
    return simulator, found


def brute(case: Case) -> Oracle:
    """The oracle over the same; it counts offsets from 0, as a simulation of one partition does."""
    oracle = Oracle(case.file)
    for offset, body in enumerate(case.bodies):
        oracle.take(body, offset)
    if case.until is not None:
        oracle.move_on(case.until, len(case.bodies))
    return oracle


def standings(simulator: Simulator) -> Standings:
    """How contacts stand with all segments that they were ever in."""
    contacts = [contact for contact in simulator.contacts.values() if contact.exists]
    return {contact.contact_id or "": standing(simulator.core, contact) for contact in contacts}


def standing(core: Core, contact: Contact) -> dict[str, tuple[int, int]]:
    """How one contact does."""
    segments = core.program.segments
    return {
        **{segments[index].name: (each, contact.since_ms[index]) for index, each in contact.sequences.items()},
        **{name: (each.sequence, each.since_ms) for name, each in contact.retired.items()},
    }


def stood(oracle: Oracle) -> Standings:
    """The same as the oracle has it."""
    return {
        contact_id: {name: (each, contact.since[name]) for name, each in contact.sequences.items()}
        for contact_id, contact in oracle.contacts.items()
    }


def assert_changes_alike(case: Case, contacts_decoded_max: int = CONTACTS_DECODED_MAX) -> Oracle:
    """Oracle and simulator agree on every field of every transition, and on how all stand in the end."""
    oracle = brute(case)
    simulator, found = simulated(case, contacts_decoded_max=contacts_decoded_max)
    assert [row_of_transition(each) for each in found] == [row_of_change(change) for change in oracle.changes]
    assert_identities(found, oracle.changes)
    assert standings(simulator) == stood(oracle)
    return oracle
