"""The compiled core is the same core: what it makes of a log is the same to the byte."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.compiled import compiled_tree
from tests.support.run_directory import CHECKOUT


@pytest.fixture(scope="session")
def tree() -> Path:
    return compiled_tree()


def run(tree: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the packages of a checkout, or of a compiled copy of one."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)} | variables,
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip


def folded(tree: Path) -> dict[str, Any]:
    outcome = run(tree, "-m", "tests.compiled.folded")
    assert outcome.returncode == 0, outcome.stderr
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def test_compiled_or_not_the_core_makes_the_same_bytes_of_the_same_records(tree: Path) -> None:
    compiled, pure = folded(tree), folded(CHECKOUT)
    assert compiled["core"].endswith(".so")
    assert pure["core"].endswith("core.py")
    assert len(set(pure["digests"])) == 3
    assert compiled["digests"] == pure["digests"]


def test_the_compiled_core_agrees_with_the_brute_force(tree: Path) -> None:
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "fuzzed", "tests/oracle")
    outcome = run(tree, *arguments, SEGUE_FUZZ_DRAWS="150")
    assert outcome.returncode == 0, outcome.stdout[-4000:]


def test_every_module_that_is_named_is_compiled(tree: Path) -> None:
    named = runpy.run_path(str(CHECKOUT / "setup.py"), run_name="read")["COMPILED"]
    assert len(named) > 10
    for name in named:
        assert list((tree / name).parent.glob(f"{Path(name).stem}.*.so")), name
