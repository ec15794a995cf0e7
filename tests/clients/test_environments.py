"""What the SDKs run on is made once, also when several ask, and what is missing is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clients.stage import CACHE, FOLDER
from tests.support.environments import node_modules_of, python_of
from tests.support.run_directory import UnavailableServiceError


def test_an_environment_that_is_there_is_taken_without_any_program(
    client_python: Path, node_modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.environments._run", lambda command, _directory: pytest.fail(f"ran {command}"))
    assert python_of(FOLDER / "requirements.lock", CACHE / "python") == client_python
    assert node_modules_of(FOLDER, CACHE / "node") == node_modules


def test_without_node_the_tests_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(UnavailableServiceError, match="apt-get install nodejs npm"):
        node_modules_of(FOLDER, tmp_path)


def test_packages_that_cannot_be_had_are_told_and_tried_again(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("no-hash-here==1\n")
    for _ in range(2):
        with pytest.raises(UnavailableServiceError, match="failed"):
            python_of(lock, tmp_path / "cache")


def test_no_lock_file_of_the_sdks_holds_the_address_of_a_registry() -> None:
    text = (FOLDER / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert "omit-lockfile-registry-resolved=true" in (FOLDER / ".npmrc").read_text()
