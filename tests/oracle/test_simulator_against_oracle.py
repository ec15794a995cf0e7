"""`segue simulate` writes what the brute force finds, line for line and in the same order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, note

from schemas.transitions import Transition, decode_transition
from streams.cli.simulate import command
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import START_MS, Case, cases, text_of
from tests.oracle.driving import Body, Row, row_of_change, row_of_transition, run_oracle
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.language import File
from tests.oracle.writer import Taste

EVERYTHING = Taste(tuple(LEAF_WRITERS), rich=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulated")


def _simulate(folder: Path, file: File, lines: list[str], until: int | None) -> list[Transition]:
    definitions, events, out = (folder / name for name in ("definitions.yaml", "events.jsonl", "out.jsonl"))
    definitions.write_text(json.dumps(file, ensure_ascii=False), encoding="utf-8")
    events.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    more = [] if until is None else ["--until", text_of(until)]
    result = CliRunner().invoke(command, [str(definitions), str(events), "--out", str(out), *more])
    assert result.exit_code == 0, result.output
    return [decode_transition(line) for line in out.read_bytes().splitlines()]


def _without_position(row: Row) -> Row:
    return {**row, "cause": {key: value for key, value in row["cause"].items() if key != "position"}}


def _assert_simulated(folder: Path, file: File, bodies: list[Body], lines: list[str], until: int | None) -> None:
    oracle, _ = run_oracle(file, bodies, until)
    found = [_without_position(row_of_transition(each)) for each in _simulate(folder, file, lines, until)]
    assert found == [_without_position(row_of_change(change)) for change in oracle.changes]


@fuzzed(0.02)
@given(case=cases(EVERYTHING))
def test_a_simulation_writes_every_transition_in_order(folder: Path, case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    lines = [json.dumps(body, ensure_ascii=len(body) % 2 == 0) for body in case.bodies]
    _assert_simulated(folder, case.file, case.bodies, lines, case.until)


def test_timers_that_one_record_releases_come_by_instant_and_contact(folder: Path) -> None:
    file: File = {
        "version": 1,
        "segments": {
            "zulu": {"when": {"performed": {"event": "page_view", "within": "1m"}}},
            "alpha": {"when": {"not_performed": {"event": "page_view", "within": "1m"}}},
        },
    }
    contacts = ["\U0001f600", "\uffee", "é", "z", "a", "B", *(f"c{number}" for number in range(20))]
    bodies: list[Body] = [
        {
            "type": "track",
            "event": "page_view",
            "event_id": contact,
            "contact_id": contact,
            "occurred_at": text_of(START_MS - number % 3),
            "received_at": text_of(START_MS),
        }
        for number, contact in enumerate(contacts)
    ]
    lines = [json.dumps(body) for body in bodies]
    _assert_simulated(folder, file, bodies, lines, START_MS + 3_600_000)


def test_lines_that_are_no_records_move_nothing(folder: Path) -> None:
    file: File = {"version": 1, "segments": {"seen": {"when": {"performed": {"event": "page_view", "within": "1m"}}}}}
    body: Body = {"type": "track", "event": "page_view", "event_id": "e", "contact_id": "c", "occurred_at": text_of(0)}
    later = {**body, "event_id": "", "occurred_at": text_of(START_MS)}
    lines = [json.dumps(body), json.dumps(later), "{", "", '{"type": "tick"}']
    _assert_simulated(folder, file, [body], lines, None)
