"""`segue check` and `segue simulate` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli import segue

DEFINITIONS = """
version: 1
segments:
  openers: {when: {performed: {event: email_open, within: 1h}}}
"""
OPEN = '{"type":"track","event_id":"%s","contact_id":"c1","event":"email_open","occurred_at":"%s"}'


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "d.yaml").write_text(DEFINITIONS)
    lines = [OPEN % ("1", "2026-01-01T00:00:00Z"), "nonsense", OPEN % ("2", "2026-01-01T03:00:00Z")]
    (tmp_path / "e.jsonl").write_text("\n".join(lines))
    return str(tmp_path / "d.yaml"), str(tmp_path / "e.jsonl")


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(segue, arguments, input=stdin)


def test_transitions_come_out_one_a_line_and_bad_lines_are_told_by_number(files: tuple[str, str]) -> None:
    result = run("simulate", *files, "--until", "2026-01-02T00:00:00Z")
    assert result.exit_code == 0
    moves = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(move["type"], move["effective_at"]) for move in moves] == [
        ("segment.entered", "2026-01-01T00:00:00.000Z"),
        ("segment.exited", "2026-01-01T01:00:00.000Z"),
        ("segment.entered", "2026-01-01T03:00:00.000Z"),
        ("segment.exited", "2026-01-01T04:00:00.000Z"),
    ]
    assert "e.jsonl:2: expected JSON" in result.stderr


def test_strict_stops_at_the_first_bad_line(files: tuple[str, str]) -> None:
    result = run("simulate", *files, "--strict")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1


def test_standard_input_and_a_file_of_transitions_serve_as_well(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    result = run("simulate", files[0], "-", "--out", str(out), stdin=Path(files[1]).read_text())
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(out.read_text().splitlines()) == 3


def test_an_earlier_until_does_nothing_and_a_bad_one_is_bad_usage(files: tuple[str, str]) -> None:
    assert len(run("simulate", *files, "--until", "2020-01-01T00:00:00Z").stdout.splitlines()) == 3
    result = run("simulate", *files, "--until", "tomorrow")
    assert result.exit_code == 2
    assert "RFC 3339" in result.stderr


def test_check_says_valid_or_lists_every_problem(files: tuple[str, str], tmp_path: Path) -> None:
    assert "valid; 1 segment" in run("check", files[0]).stdout
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nsegments: {a: {when: {nope: 1}}, b: {when: {in_segment: c}}}")
    result = run("check", str(bad))
    assert result.exit_code == 1
    assert "segments.a.when.nope: unknown condition" in result.stderr
    assert "segments.b.when.in_segment: expected the name of a segment" in result.stderr
    found = json.loads(run("check", str(bad), "--json").stdout)
    assert [problem["path"] for problem in found["problems"]] == ["segments.a.when.nope", "segments.b.when.in_segment"]


def test_contacts_of_a_list_are_on_it_from_the_start_and_exist_from_their_first_record(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text("version: 1\nlists: {vip: [c1, c2]}\nsegments: {vip: {when: {listed: vip}}}")
    (tmp_path / "e.jsonl").write_text(OPEN % ("1", "2026-01-01T00:00:00Z"))
    result = run("simulate", str(tmp_path / "d.yaml"), str(tmp_path / "e.jsonl"), "--until", "2026-01-02T00:00:00Z")
    moves = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(move["contact_id"], move["type"], move["cause"]["kind"]) for move in moves] == [
        ("c1", "segment.entered", "event")
    ]
