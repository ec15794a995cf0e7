"""The library of ready definitions: valid without a warning, as its scenarios say, and told in its index."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.cli import segue
from streams.definition_files.reading import load_definition_file
from tests.support.run_directory import CHECKOUT

LIBRARY = CHECKOUT / "ops" / "definitions"
INDEX = (LIBRARY / "README.md").read_text()
FILES = sorted(path for path in LIBRARY.glob("*.yaml") if not path.name.endswith(".scenarios.yaml"))
TESTED = [*FILES, CHECKOUT / "ops" / "examples" / "shop.yaml"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(segue, [str(each) for each in arguments])


def name(path: Path) -> str:
    return path.stem


def scenarios_of(path: Path) -> Path:
    return path.with_suffix(".scenarios.yaml")


def expectations(path: Path) -> list[dict[str, Any]]:
    scenarios = load_definition_file(scenarios_of(path))["scenarios"]
    return [item for scenario in scenarios.values() for item in scenario["expect"]]


@pytest.mark.parametrize("path", TESTED, ids=name)
def test_a_file_is_valid_without_a_warning(path: Path) -> None:
    result = run("check", path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["warnings"] == []


@pytest.mark.parametrize("path", TESTED, ids=name)
def test_all_scenarios_beside_a_file_hold(path: Path) -> None:
    result = run("test", path, scenarios_of(path))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("path", TESTED, ids=name)
def test_scenarios_show_of_each_segment_how_it_is_entered_kept_and_left(path: Path) -> None:
    entered, kept, left = set(), set(), set()
    for item in expectations(path):
        moves = item.get("transitions", [item])
        entered |= {item.get("segment") for move in moves if "entered_at" in move}
        left |= {item.get("segment") for move in moves if "exited_at" in move}
        inside = item.get("in", []) if "from" in item else []
        kept |= {inside} if isinstance(inside, str) else set(inside)
    segments = set(load_definition_file(path)["segments"])
    assert segments - entered == set()
    assert segments - kept == set()
    assert segments - left == set()


def test_every_segment_has_a_description_and_one_line_in_the_index() -> None:
    lines = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| `(\w+)` \| (.+) \|$", INDEX, re.MULTILINE)
    assert all(shown == link for shown, link, _, _ in lines)
    listed = {(link, segment): text for _, link, segment, text in lines}
    assert len(listed) == len(lines)
    assert listed == {
        (path.name, segment): body["description"]
        for path in FILES
        for segment, body in load_definition_file(path)["segments"].items()
    }


def test_every_file_has_scenarios_and_there_are_no_others() -> None:
    assert {scenarios_of(path) for path in FILES} == set(LIBRARY.glob("*.scenarios.yaml"))
    assert len(FILES) >= 13


def test_the_example_of_scenarios_in_the_index_holds(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(start:.*?)```", INDEX, re.DOTALL)
    shop = (CHECKOUT / "ops" / "examples" / "shop.yaml").read_text()
    (tmp_path / "shop.yaml").write_text(f"{shop}\nlists: {{vip: []}}\n")
    (tmp_path / "scenarios.yaml").write_text(example)
    result = run("test", tmp_path / "shop.yaml", tmp_path / "scenarios.yaml")
    assert result.exit_code == 0, result.output
