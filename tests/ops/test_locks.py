"""The lock files are complete, hashed, and satisfy what `pyproject.toml` asks for."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.run_directory import CHECKOUT

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PROJECT["optional-dependencies"]["dev"]]


def locked(name: str) -> dict[str, str]:
    text = (CHECKOUT / name).read_text()
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=[a-z0-9])", text):
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", block)
        if match is not None:
            assert "--hash=sha256:" in block, match[1]
            found[canonicalize_name(match[1])] = match[2]
    return found


@pytest.mark.parametrize(
    ("lock", "wanted"), [("requirements.lock", RUNTIME), ("requirements-dev.lock", RUNTIME + DEVELOPMENT)]
)
def test_a_lock_has_every_requirement_in_a_version_that_is_asked_for(lock: str, wanted: list[Requirement]) -> None:
    versions = locked(lock)
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name}: run `make lock`"
        assert requirement.specifier.contains(versions[name], prereleases=True), name


def test_what_runs_is_the_same_in_both_locks() -> None:
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")
    assert runtime.items() <= development.items()
