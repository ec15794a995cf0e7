"""`segue simulate --partitions`: each partition has a clock and offsets of its own, as in the live pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, note

from schemas.topics import partition_of
from streams.cli import segue
from streams.segmentation import compile_definitions
from streams.simulation.simulator import Simulator
from tests.oracle.drawn_records import Case, cases
from tests.oracle.driving import Row, row_of_change, row_of_transition
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.timeline import Change, Oracle
from tests.simulator.drawn import EVERYTHING, simulated

DEFINITIONS = "version: 1\nsegments: {seen: {when: {performed: {event: page_view, within: 1h}}}}"


def in_partition(partition: int, partitions: int = 2) -> str:
    """A contact of a partition."""
    return next(name for name in map(str, range(1000)) if partition_of(name, partitions) == partition)


def view(contact: str, time: str, event_id: str = "e") -> dict[str, str]:
    return {
        "type": "track", "event": "page_view", "event_id": event_id, "contact_id": contact,
        "occurred_at": f"2026-01-01T{time}Z",
    }  # fmt: skip


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    path = tmp_path / "definitions.yaml"
    path.write_text(DEFINITIONS)
    return path


def moves(definitions: Path, bodies: list[dict[str, str]], *options: str) -> list[tuple[str, str, str]]:
    """Who moved, when, and by which record."""
    lines = "".join(json.dumps(body) + "\n" for body in bodies)
    result = CliRunner().invoke(segue, ["simulate", str(definitions), "-", *options], input=lines)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return [(each["contact_id"], each["effective_at"][11:19], each["cause"]["position"]) for each in found]


A, B = in_partition(0), in_partition(1)


def test_a_record_moves_the_clock_of_its_own_partition_only(definitions: Path) -> None:
    records = [view(A, "00:00:00"), view(B, "05:00:00"), view(A, "00:30:00", "e2")]
    assert moves(definitions, records, "--partitions", "2") == [
        (A, "00:00:00", "tracking-0@1"),
        (B, "05:00:00", "tracking-1@1"),
    ]
    one_clock = [(A, "00:00:00", "tracking-0@0"), (A, "01:00:00", "tracking-0@1"), (B, "05:00:00", "tracking-0@1")]
    assert moves(definitions, records) == moves(definitions, records, "--partitions", "1") == one_clock


def test_a_tick_moves_all_clocks_and_what_it_releases_comes_in_one_order(definitions: Path) -> None:
    tick = {"type": "tick", "received_at": "2026-01-01T09:00:00Z"}
    found = moves(definitions, [view(B, "00:00:00"), view(A, "00:10:00"), tick, view(A, "09:30:00", "e2")],
                  "--partitions", "2")  # fmt: skip
    assert found == [
        (B, "00:00:00", "tracking-1@1"),
        (A, "00:10:00", "tracking-0@1"),
        (B, "01:00:00", "tracking-1@2"),
        (A, "01:10:00", "tracking-0@2"),
        (A, "09:30:00", "tracking-0@3"),
    ]


def test_until_ticks_every_partition_and_an_earlier_one_leaves_those_that_are_past_it(definitions: Path) -> None:
    records = [view(A, "00:00:00"), view(B, "05:00:00")]
    found = moves(definitions, records, "--partitions", "2", "--until", "2026-01-01T03:00:00Z")
    assert found == [
        (A, "00:00:00", "tracking-0@1"),
        (B, "05:00:00", "tracking-1@1"),
        (A, "01:00:00", "tracking-0@2"),
    ]


def test_contacts_of_a_list_are_on_it_in_their_own_partition() -> None:
    file = {"version": 1, "lists": {"vip": [A, B]}, "segments": {"vip": {"when": {"listed": "vip"}}}}
    simulator = Simulator(compile_definitions(file), partitions=2)
    lines = [json.dumps(view(contact, "00:00:00")).encode() for contact in (A, B)]
    assert len(list(simulator.feed(lines))) == 2


def live_rule(case: Case, partitions: int) -> list[Row]:
    """What the brute force finds in each partition alone, put in the order of the records' lines."""
    oracles = [Oracle(case.file, partition) for partition in range(partitions)]
    offsets, rows = [1] * partitions, list[Row]()
    for body in case.bodies:
        contact_id = body.get("contact_id")
        touched = range(partitions) if contact_id is None else [partition_of(contact_id, partitions)]
        before = [len(oracle.changes) for oracle in oracles]
        for partition in touched:
            oracles[partition].take(body, offsets[partition])
            offsets[partition] += 1
        new = [change for oracle, start in zip(oracles, before, strict=True) for change in oracle.changes[start:]]
        rows += map(row_of_change, new if contact_id is not None else in_one_order(new))
    if case.until is not None:
        before = [len(oracle.changes) for oracle in oracles]
        for oracle, offset in zip(oracles, offsets, strict=True):
            oracle.move_on(case.until, offset)
        new = [change for oracle, start in zip(oracles, before, strict=True) for change in oracle.changes[start:]]
        rows += map(row_of_change, in_one_order(new))
    return rows


def in_one_order(changes: list[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: (change.effective_at, change.contact_id.encode()))


@fuzzed(0.02)
@given(case=cases(EVERYTHING))
def test_every_partition_is_simulated_as_if_it_were_alone(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    _, found = simulated(case, partitions=3)
    assert [row_of_transition(each) for each in found] == live_rule(case, 3)


@fuzzed(0.01)
@given(case=cases(EVERYTHING))
def test_one_partition_is_what_a_simulation_is_without_any(case: Case) -> None:
    assert simulated(case, partitions=1)[1] == simulated(case)[1]
