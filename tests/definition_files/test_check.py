"""`segue check` as a person and a program see it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.check import command
from streams.cli.excerpt import excerpt

GOOD = "version: 1\nsegments: {s: {when: {known_for: 7d}}}\n"
BAD = "version: 1\nsegments:\n  s: {when: {performd: {event: email_opened}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def check(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments], input=text)


def test_a_problem_is_shown_with_its_line_and_a_caret(folder: Path) -> None:
    path = folder / "bad.yaml"
    result = check(path)
    assert result.exit_code == 1
    assert result.stdout == ""
    told, line, caret, *_, last = result.stderr.splitlines()
    assert told.startswith(f"{path}:3:14: segments.s.when.performd: unknown condition; expected one of all, any")
    assert told.endswith("; did you mean performed?")
    assert line == "    3 |   s: {when: {performd: {event: email_opened}}}"
    assert caret == "      |              ^"
    assert last == f"{path}: refused, 1 problem"


def test_a_valid_file_says_so_on_standard_output(folder: Path) -> None:
    result = check(folder / "good.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{folder / 'good.yaml'}: valid; 1 segment, 0 scores, hash ")
    assert result.stderr == ""


def test_warnings_are_shown_and_do_not_matter_for_the_exit_code() -> None:
    result = check("-", text="version: 1\nsegments:\n  s: {when: {performed: {event: email_opened}}}\n")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0].startswith("<stdin>:3:33: warning: segments.s.when.performed.event: ")
    assert result.stderr.splitlines()[0].endswith('(found "email_opened"); did you mean email_open?')


def test_a_contact_that_may_hold_others_up_is_warned_of() -> None:
    ratio = "{ratio: {of: {event: page_view, within: %dd}, to: {event: purchase, within: %dd}, gte: 0.5}}"
    lines = "".join(f"  s{days}: {{when: {ratio % (days, days)}}}\n" for days in range(1, 121))
    result = check("-", text=f"version: 1\nsegments:\n{lines}")
    assert result.exit_code == 0
    [told] = [line for line in result.stderr.splitlines() if "warning" in line]
    assert "may take up to 4," in told
    assert "all others of its partition wait" in told
    few = "".join(lines.splitlines(keepends=True)[:80])
    assert check("-", text=f"version: 1\nsegments:\n{few}").stderr == ""


def test_several_files_are_all_checked_and_one_that_is_refused_refuses_the_call(folder: Path) -> None:
    result = check(folder / "bad.yaml", folder / "good.yaml", folder / "absent.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{folder / 'good.yaml'}: valid")
    assert f"{folder / 'bad.yaml'}: refused" in result.stderr
    assert f"{folder / 'absent.yaml'}: expected a definition file that can be read" in result.stderr


def test_json_has_problems_and_warnings_with_their_places(folder: Path) -> None:
    result = check(folder / "bad.yaml", folder / "good.yaml", "--json")
    refused, valid = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, refused["valid"], valid["valid"]) == (1, False, True)
    (problem,) = refused["problems"]
    assert problem.pop("expected").startswith("unknown condition; expected one of")
    path = str(folder / "bad.yaml")
    assert problem == {
        "file": path,
        "line": 3,
        "column": 14,
        "path": "segments.s.when.performd",
        "value": None,
        "suggestion": "performed",
    }
    (warning,) = refused["warnings"]
    assert (warning["line"], warning["value"], warning["suggestion"]) == (3, "email_opened", "email_open")
    assert set(valid) == {"file", "valid", "hash", "segments", "problems", "warnings"}


def test_very_many_problems_are_shown_in_part_and_counted() -> None:
    ids = ", ".join(map(str, range(150)))
    result = check("-", text=f"version: 1\nlists: {{vip: [{ids}]}}\nsegments: {{s: {{when: {{listed: vip}}}}}}")
    *shown, more, last = result.stderr.splitlines()
    assert (len(shown), more) == (300, "and 50 more; --json has them all")
    assert last == "-: refused, 150 problems"


def test_a_syntax_error_and_a_missing_file_are_json_too(folder: Path) -> None:
    (folder / "broken.yaml").write_text("a: [")
    broken, absent = map(
        json.loads, check(folder / "broken.yaml", folder / "absent.yaml", "--json").stdout.splitlines()
    )
    assert (broken["problems"][0]["line"], absent["problems"][0]["line"]) == (1, None)


def test_lists_of_standard_input_lie_in_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "vip.csv").write_text("c1\n")
    text = "version: 1\nlists: {vip: {file: vip.csv}}\nsegments: {s: {when: {listed: vip}}}"
    assert check("-", text=text).exit_code == 0


@pytest.mark.parametrize("arguments", [["simulate", "bad.yaml", "events.jsonl"], ["apply", "bad.yaml"]])
def test_every_command_that_reads_a_definition_file_tells_the_same(folder: Path, arguments: list[str]) -> None:
    (folder / "events.jsonl").write_text("")
    program = "from streams.cli import main; main()"
    outcome = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 1
    head, told = outcome.stderr.splitlines()
    assert head == "segue: bad.yaml is refused, 1 problem:"
    assert told.startswith("bad.yaml:3:14: segments.s.when.performd: unknown condition")


@pytest.mark.parametrize("column", [1, 40, 200, 399, 400, 401])
def test_a_long_line_is_cut_around_its_column(column: int) -> None:
    line, caret = excerpt("".join(chr(97 + place % 26) for place in range(400)), 12, column)
    assert len(line) <= 90
    place = caret.index("^")
    if column <= 400:
        assert line[place] == chr(97 + (column - 1) % 26)


def test_a_tab_counts_as_one_column() -> None:
    line, caret = excerpt("a:\tb", 1, 4)
    assert line[caret.index("^")] == "b"
