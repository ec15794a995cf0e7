"""The lock files are complete, hashed, and satisfy what `pyproject.toml` asks for."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

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


@pytest.mark.parametrize(
    "wanted",
    [
        *sorted((CHECKOUT / "bench" / "contenders").glob("*/requirements.in")),
        CHECKOUT / "tests/clients/requirements.in",
    ],
    ids=lambda path: path.parent.name,
)
def test_what_has_an_environment_of_its_own_has_a_lock_too(wanted: Path) -> None:
    versions = locked(str(wanted.with_suffix(".lock").relative_to(CHECKOUT)))
    for line in wanted.read_text().split():
        requirement = Requirement(line)
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), line


def test_what_runs_is_the_same_in_both_locks() -> None:
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")
    assert runtime.items() <= development.items()


def imported_modules(package: str) -> set[str]:
    found: set[str] = set()
    for path in (CHECKOUT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found.add(node.module.split(".")[0])
    own = {"schemas", "streams", "consumers", "tests", "bench"}
    return found - sys.stdlib_module_names - own - {"_typeshed"}  # the last exists for type checkers only


@pytest.mark.parametrize(
    ("package", "wanted"),
    [("schemas", RUNTIME), ("streams", RUNTIME), ("consumers", RUNTIME), ("tests", RUNTIME + DEVELOPMENT)],
)
def test_what_is_imported_is_asked_for_by_name(package: str, wanted: list[Requirement]) -> None:
    """So that `make demo`, which installs no development tools, finds all that it imports."""
    providers = packages_distributions()
    names = {canonicalize_name(requirement.name) for requirement in wanted}
    for module in imported_modules(package):
        provided_by = {canonicalize_name(distribution) for distribution in providers[module]}
        assert provided_by & names, module
