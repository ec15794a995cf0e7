"""The README's commands print what the README says they print, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli import COMMANDS
from streams.segmentation.conditions import LEAVES
from tests.support.processes import base_environment
from tests.support.run_directory import CHECKOUT

README = (CHECKOUT / "README.md").read_text()
SAVED_FILES = re.findall(r"Save\s+this\s+as\s+`([^`]+)`:\n\n```\w+\n(.*?)```", README, re.DOTALL)
CONSOLES: list[str] = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]


def test_what_the_readme_says_on_the_console_is_what_happens(tmp_path: Path) -> None:
    for name, text in SAVED_FILES:
        (tmp_path / name).write_text(text)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    steps = [step for console in CONSOLES for step in re.split(r"^\$ ", console, flags=re.MULTILINE) if step]
    assert len(steps) >= 3
    for step in steps:
        command, _, expected = step.partition("\n")
        outcome = subprocess.run(
            command, shell=True, cwd=tmp_path, env=base_environment(), capture_output=True, text=True, check=False
        )
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == expected, command


def test_every_command_is_in_the_readme_or_mends_what_is_broken() -> None:
    named = set(re.findall(r"segue ([a-z]+)", README))
    assert set(COMMANDS) - {"fence", "epoch"} <= named
    assert named <= set(COMMANDS)


def test_the_readme_names_every_condition() -> None:
    sentence = re.search(r"Conditions are (.*?), put together by", README, re.DOTALL)
    assert sentence is not None
    assert set(re.findall(r"`(\w+)`", sentence[1])) == {*LEAVES, "in_segment"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_that_exist(page: str) -> None:
    text = (CHECKOUT / page).read_text()
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (CHECKOUT / target).exists(), target
