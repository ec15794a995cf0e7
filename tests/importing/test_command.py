"""`segue import` as people see it: the dry run, what is refused, exit codes, and nothing written that need not be."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_UNAVAILABLE, EXIT_USAGE, SegueError
from streams.cli import segue
from streams.cli.import_shown import scanning_shown, sending_shown
from streams.importing.job import contact_file
from streams.importing.scan import Scan
from streams.importing.sending import Progress
from tests.importing.files import csv_file
from tests.support.run_directory import CHECKOUT

EXAMPLES = CHECKOUT / "ops/examples"
GOLDEN = """\
                                             contacts.csv
rows                                                    5
contacts                                                3
rows of a contact that is in an earlier row             1
rows rejected                                           1
consent records                                         2
identify records                                        4

occurred at: as each row says, else 2026-11-20T00:00:00.000Z
cause of what changes: backfill, workflows may pass it over

line  column          before              after
   2  Email           Ann@Bücher.example  ann@xn--bcher-kva.example
   5  Email           ANN@bücher.example  ann@xn--bcher-kva.example
   2  Name             Ann  Lee           Ann Lee
   2  Telephone       01 23 45 67 89      +33123456789
   3  Telephone       +49 30 901820       +4930901820
   4  Telephone       020 7946 0018       +442079460018
   2  Country         France              FR
   3  Country         de                  DE
   4  Country         UK                  GB
   2  Spent           1203,50             1203.5
   4  Spent           74,90               74.9
   2  Customer since  03/05/2019          2019-05-03
   3  Customer since  01/02/2024          2024-02-01
   4  Customer since  15/09/2025          2025-09-15
line 6: Email: expected an e-mail address like name@example.org, found 'dora@@shop.example'
line 6: Telephone: Country: expected a country: its code in ISO 3166, or its English name, found '12'
line 6: Country: expected a country: its code in ISO 3166, or its English name, found 'Atlantis'
line 6: Orders: expected a number like 12.5, found 'many'
line 6: Newsletter: expected on, yes, true or 1, or nothing, off, no, false or 0, found 'perhaps'
line 5: the same contact as in line 2

nothing was written: this was a dry run
"""


@pytest.fixture
def example(tmp_path: Path) -> list[str]:
    """Arguments for a dry run of the example, in a directory of its own."""
    for name in ("contacts.csv", "contacts.map.yaml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    mapping = str(tmp_path / "contacts.map.yaml")
    return [str(tmp_path / "contacts.csv"), "--map", mapping, "--at", "2026-11-20T00:00:00Z", "--dry-run"]


def run(*arguments: str, stdin: str | None = None) -> Result:
    """`segue import ARGUMENTS`, with no Kafka at hand."""
    nowhere = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    return CliRunner().invoke(segue, ["import", *arguments], input=stdin, env=nowhere)


def code(outcome: Result) -> int:
    """The exit code that `segue` would end with."""
    return outcome.exception.exit_code if isinstance(outcome.exception, SegueError) else outcome.exit_code


def test_a_dry_run_shows_what_would_happen_and_writes_nothing(example: list[str], tmp_path: Path) -> None:
    outcome = run(*example)
    assert outcome.stdout == GOLDEN
    assert outcome.exit_code == EXIT_DONE
    assert sorted(each.name for each in tmp_path.iterdir()) == ["contacts.csv", "contacts.map.yaml"]


def test_a_dry_run_says_the_same_as_data(example: list[str]) -> None:
    body: dict[str, Any] = json.loads(run(*example, "--json").stdout)
    lists = {name: body.pop(name) for name in ("rejected_rows", "duplicate_rows", "samples", "shared_values")}
    assert body == {
        "dry_run": True,
        "file": "contacts.csv",
        "occurred_at": "2026-11-20T00:00:00.000Z",
        "backfill": True,
        "rows": 5,
        "contacts": 3,
        "rejected": 1,
        "duplicates": 1,
        "shared": 0,
        "records": {"consent": 2, "identify": 4},
        "unmapped_columns": [],
        "never_filled_columns": [],
    }
    assert lists["duplicate_rows"] == [{"line": 5, "first_line": 2}]
    (rejected,) = lists["rejected_rows"]
    assert rejected["line"] == 6
    assert rejected["problems"][3] == {"column": "Orders", "value": "many", "expected": "expected a number like 12.5"}
    spent = next(each for each in lists["samples"] if each["column"] == "Spent")
    assert spent == {"line": 2, "column": "Spent", "before": "1203,50", "after": 1203.5}


def test_strict_and_refuse_end_a_dry_run_with_code_1(example: list[str]) -> None:
    strict = run(*example, "--strict")
    assert (code(strict), "1 of 5 rows are rejected" in str(strict.exception)) == (EXIT_BAD_INPUT, True)
    refused = run(*example, "--duplicates", "refuse")
    assert (code(refused), "1 rows are of contacts" in str(refused.exception)) == (EXIT_BAD_INPUT, True)


def test_a_file_of_which_no_row_can_be_taken_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", "email", ["a@", "b@"])
    outcome = run(str(path), "--contact-id", "email", "--dry-run")
    assert (code(outcome), str(outcome.exception)) == (
        EXIT_BAD_INPUT,
        "2 of 2 rows are rejected; nothing was written to the log",
    )


def test_standard_input_is_taken_with_its_format(tmp_path: Path) -> None:
    arguments = ["-", "--contact-id", "email", "--dry-run", "--json"]
    outcome = run(*arguments, "--format", "jsonl", "--state-dir", str(tmp_path), stdin='{"email":"a@s.example"}\n')
    assert json.loads(outcome.stdout)["contacts"] == 1
    assert code(run(*arguments, stdin="")) == EXIT_USAGE


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], EXIT_USAGE),
        (["--map", "m.yaml", "--contact-id", "email"], EXIT_USAGE),
        (["--map", "m.yaml", "--trait", "a=a"], EXIT_USAGE),
        (["--contact-id", "email", "--rate", "0"], EXIT_USAGE),
        (["--contact-id", "email", "--patience", "5"], EXIT_USAGE),
        (["--contact-id", "e-mail"], EXIT_BAD_INPUT),
        (["--contact-id", "email", "--state-dir", "gone"], EXIT_BAD_INPUT),
        (["--map", "gone.yaml"], EXIT_BAD_INPUT),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], expected: int) -> None:
    path = csv_file(tmp_path / "c.csv", "email", ["a@s.example"])
    assert code(run(str(path), *arguments, "--dry-run")) == expected


def test_without_kafka_an_import_ends_with_code_75_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", "email", ["a@s.example", "b@"])
    assert code(run(str(path), "--contact-id", "email")) == EXIT_UNAVAILABLE
    assert [each.name for each in tmp_path.iterdir()] == ["c.csv"]


class Terminal(io.StringIO):
    """A standard error that says it is one."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_rows_rate_and_time_left_are_shown_and_elsewhere_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = contact_file(csv_file(tmp_path / "c.csv", "email", ["a@s.example"] * 9), None, None)
    shown = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        with scanning_shown(file) as scanned:
            scanned(50, Scan(rows=7, rejected=1))
        with sending_shown(100, 10) as (show, say):
            show(Progress(60, 50))
            say("Kafka is away; trying again")
        shown[stream.isatty()] = stream.getvalue()
    for words in ("7 rows, 1 rejected", "60 of 100 rows", "rows a second", "left", "Kafka is away; trying again"):
        assert words in shown[True]
    assert shown[False] == "Kafka is away; trying again\n"


def test_the_page_shows_the_example_as_it_is() -> None:
    page = (CHECKOUT / "ops/import.md").read_text()
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL))
    mapping = (EXAMPLES / "contacts.map.yaml").read_text()
    for line in blocks["yaml"].splitlines():
        bare = line.partition("  # ")[0].strip()
        assert bare.partition("                         #")[0].strip() in mapping, line
    for line in blocks["console"].splitlines()[1:]:
        assert line == "…" or line in GOLDEN, line
    for line in blocks["csv"].splitlines():
        assert line in (EXAMPLES / "contacts.csv").read_text()
