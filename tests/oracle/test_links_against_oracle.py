"""Contacts that turn out to be others: the core, the simulator and the brute force agree, whatever is linked when."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from schemas.instants import format_instant, parse_instant
from streams.segmentation import compile_definitions
from streams.simulation.simulator import Simulator
from tests.oracle.changing import assert_changes_alike
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_links import linking_cases
from tests.oracle.drawn_records import Case
from tests.oracle.driving import assert_same, reloaded
from tests.oracle.fuzzing import fuzzed
from tests.oracle.writer import Taste

COUNTS = Taste(("performed", "known_for"))
EVERYTHING = Taste(tuple(LEAF_WRITERS), rich=True)


@fuzzed(0.05)
@given(linking_cases(COUNTS))
def test_counts_of_linked_contacts_are_those_of_the_brute_force(case: Case) -> None:
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.05)
@given(linking_cases(EVERYTHING))
def test_everything_of_linked_contacts_is_as_the_brute_force_has_it(case: Case) -> None:
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.03)
@given(linking_cases(EVERYTHING))
def test_linked_contacts_that_are_stored_and_read_again_at_every_record_do_the_same(case: Case) -> None:
    assert_same(case.file, case.bodies, case.until, reloaded)


@fuzzed(0.03)
@given(linking_cases(EVERYTHING))
def test_the_simulator_forwards_as_the_brute_force_does(case: Case) -> None:
    assert_changes_alike(case)


@fuzzed(0.03)
@given(linking_cases(EVERYTHING))
def test_partitions_change_nothing_but_positions(case: Case) -> None:
    lines, latest_ms = _in_order([body for body in case.bodies if body["type"] != "tick"])
    found = []
    for partitions in (1, 3):
        simulator = Simulator(compile_definitions(case.file), partitions)
        moves = list(simulator.feed(lines)) + simulator.until(max(case.until or 0, latest_ms))
        found.append(sorted(_told(each) for each in moves))
    assert found[0] == found[1]


def _in_order(bodies: list[dict[str, Any]]) -> tuple[list[bytes], int]:
    """As a file whose times never go back, and the last one: partitions have clocks of their own."""
    lines, latest_ms = [], 0
    for body in bodies:
        latest_ms = max(latest_ms, parse_instant(body.get("received_at") or body["occurred_at"]))
        lines.append(json.dumps(body | {"received_at": format_instant(latest_ms)}).encode())
    return lines, latest_ms


def _told(move: object) -> tuple[str, ...]:
    return tuple(str(getattr(move, name)) for name in ("contact_id", "segment", "sequence", "effective_at"))
