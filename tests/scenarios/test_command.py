"""`segue test` as a person and as a pipeline run it: lines, JSON, JUnit's XML, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

from click.testing import CliRunner
from rich.console import Console

from streams.cli import segue
from streams.definition_files.reading import read_definitions
from streams.scenarios.reading import read_scenarios
from streams.scenarios.telling import Teller
from streams.scenarios.trial import try_scenario
from tests.scenarios.trying import Bench

TWO = """
start: 2026-03-02T09:00:00Z
contact: ana
scenarios:
  a click counts:
    description: The first one is enough.
    given: [{at: start, event: email_click}]
    expect: [{at: start, in: clickers}]
  a look does not:
    given: [{at: start, event: page_view}]
    expect: [{at: start, in: clickers}]
"""
RIGHT, WRONG = TWO.split("  a look", maxsplit=1)[0], "start: 2026-03-02T09:00:00Z\nscenarios: {}"


def test_each_scenario_has_a_line_and_all_have_a_summary(bench: Bench) -> None:
    result = bench.run(TWO, "-k", "CLICK")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"ok a click counts  {bench.folder}/scenarios.yaml:5", "1 scenario holds"]


def test_a_scenario_that_fails_ends_with_1_and_says_what_was_found(bench: Bench) -> None:
    result = bench.run(TWO)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"ok a click counts  {bench.folder}/scenarios.yaml:5",
        f"FAILED a look does not  {bench.folder}/scenarios.yaml:9",
        "    line 11",
        "    expected  ana in clickers at 2026-03-02T09:00:00.000Z (start)",
        "    found     not in; never entered until 2026-03-02T09:00:00.000Z (start)",
        "    why       not in at 2026-03-02T09:00:00.000Z (start): email_click, at least 1 time: has none",
        "1 of 2 scenarios failed",
    ]


def test_several_files_are_run_and_one_that_is_refused_does_not_keep_back_the_others(bench: Bench) -> None:
    (bench.folder / "more.yaml").write_text(WRONG)
    result = bench.run(RIGHT, str(bench.folder / "more.yaml"), str(bench.folder / "absent.yaml"))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "1 scenario holds; 2 files refused"
    assert "more.yaml:2:12: scenarios: expected at least one scenario" in result.stderr
    assert "absent.yaml: expected a scenarios file that can be read" in result.stderr


def test_nothing_to_run_is_an_error(bench: Bench) -> None:
    assert CliRunner().invoke(segue, ["test", str(bench.definitions)]).exit_code == 2
    result = bench.run(TWO, "-k", "nothing of the kind")
    assert result.exit_code == 2
    assert "no scenario has 'nothing of the kind' in its name" in result.stderr


def test_definitions_that_are_refused_run_nothing(bench: Bench) -> None:
    bench.definitions.write_text("version: 1\nsegments: {s: {when: {performed: {evnt: x}}}}\n")
    result = bench.run(TWO)
    assert result.exit_code != 0
    assert "definitions.yaml:2:" in str(result.exception)


def test_the_outcome_as_data_has_everything_that_was_said(bench: Bench) -> None:
    outcome = bench.outcome(TWO)
    assert {key: outcome[key] for key in ("holds", "passed", "failed", "refused")} == {
        "holds": False,
        "passed": 1,
        "failed": 1,
        "refused": [],
    }
    right, wrong = outcome["scenarios"]
    assert right == {
        "name": "a click counts",
        "description": "The first one is enough.",
        "file": f"{bench.folder}/scenarios.yaml",
        "line": 5,
        "holds": True,
        "expectations": 1,
        "failures": [],
        "notes": [],
    }
    (failure,) = wrong["failures"]
    assert failure == {
        "path": "scenarios.a look does not.expect[0].in[0]",
        "line": 11,
        "column": 26,
        "contact_id": "ana",
        "expected": "ana in clickers at 2026-03-02T09:00:00.000Z (start)",
        "found": "not in; never entered until 2026-03-02T09:00:00.000Z (start)",
        "difference": [],
        "transitions": [],
        "why": "not in at 2026-03-02T09:00:00.000Z (start): email_click, at least 1 time: has none",
    }


def test_continuous_integration_reads_the_outcome_as_junit_s_xml(bench: Bench) -> None:
    (bench.folder / "bad & wrong.yaml").write_text(WRONG)
    report = bench.folder / "report.xml"
    text = TWO.replace("a look does not", '"a <look> \\a & no more"')
    result = bench.run(text, str(bench.folder / "bad & wrong.yaml"), "--junit", str(report))
    assert result.exit_code == 1
    right, refused = ElementTree.fromstring(report.read_bytes())
    assert (right.attrib["tests"], right.attrib["failures"], right.attrib["errors"]) == ("2", "1", "0")
    holds, fails = right
    assert (holds.attrib["name"], list(holds)) == ("a click counts", [])
    assert fails.attrib["name"] == "a <look> � & no more"
    (failure,) = fails
    assert failure.attrib["message"] == "ana in clickers at 2026-03-02T09:00:00.000Z (start)"
    assert "found     not in; never entered" in str(failure.text)
    assert (refused.attrib["errors"], refused.attrib["tests"]) == ("1", "1")
    assert "expected at least one scenario" in str(refused[0][0].text)


def test_a_report_that_cannot_be_written_is_told(bench: Bench) -> None:
    result = bench.run(RIGHT, "--junit", str(bench.folder / "absent" / "report.xml"))
    assert result.exit_code != 0
    assert "expected a file that can be written" in str(result.exception)


def test_on_a_terminal_lines_are_marked_and_wrapped(bench: Bench) -> None:
    path = bench.folder / "scenarios.yaml"
    path.write_text(TWO)
    definitions = read_definitions(bench.definitions)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60, color_system=None, highlight=False)
    for scenario in read_scenarios(path, definitions):
        Teller(console).tell(try_scenario(scenario, definitions))
    first, second, *rest = out.getvalue().splitlines()
    assert first == f"✓ a click counts  {path}:5"
    assert second == f"✗ a look does not  {path}:9"
    assert max(map(len, rest)) <= 60


def test_the_same_file_given_twice_runs_once(bench: Bench) -> None:
    again = str(bench.folder / "scenarios.yaml")
    assert len(json.loads(bench.run(TWO, again, "--json").stdout)["scenarios"]) == 2


def test_a_folder_is_no_scenarios_file(tmp_path: Path, bench: Bench) -> None:
    assert CliRunner().invoke(segue, ["test", str(bench.definitions), str(tmp_path)]).exit_code == 2


def test_a_report_never_takes_the_place_of_the_scenarios(bench: Bench) -> None:
    result = bench.run(RIGHT, "--junit", str(bench.folder / "scenarios.yaml"))
    assert "expected a file of its own to write to" in str(result.exception)
    assert (bench.folder / "scenarios.yaml").read_text() == RIGHT
