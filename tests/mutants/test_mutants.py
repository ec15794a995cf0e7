"""Every change that breaks a law is noticed by the quick tests: each is applied to a copy, and they must fail there.

The first line of a patch names one of them that does. Only where that one passes are all of them run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.run_directory import CHECKOUT

PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
QUICK = (
    "tests/consumers/test_gate.py",
    "tests/consumers/test_window.py",
    "tests/detecting",
    "tests/worker/test_lane.py",
    "tests/engine/test_state_store.py",
    "tests/engine/test_relay.py",
    "tests/engine/test_batches.py",
    "tests/engine/test_dead_letters.py",
    "tests/engine/test_workspace.py",
    "tests/engine/test_changing.py",
    "tests/engine/test_change_faults.py",
    "tests/engine/test_builders.py",
    "tests/engine/test_upgrade.py",
    "tests/engine/test_upgrade_faults.py",
    "tests/engine/test_semantics.py",
    "tests/engine/test_links.py",
    "tests/simulation/test_simulation.py::test_nothing_is_lost_and_nothing_comes_twice_whatever_breaks",
)
"""What needs no server, in the order of what is quickest."""
_PLUGINS = ("-p", "_hypothesis_pytestplugin", "-p", "anyio.pytest_plugin")
"""Those that these tests need; to load all that are installed takes longer than most of the tests."""
_BEING_COMPILED = shutil.ignore_patterns("*.pyc.*")
"""Python writes there what it then gives its name, and may do so while the tree is copied."""
_NOTICED_BY = "Noticed by "
_VARIABLES = {
    "SEGUE_SIMULATION_SEEDS": "40",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
_TIMEOUT_S = 600
_ALL_PASSED, _SOME_FAILED = 0, 1


def _run_quick_tests(directory: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *_PLUGINS,
         "-k", "not redis and not cluster and not kafka",
         *(tests or QUICK)],
        cwd=directory, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
        env=inherited | _VARIABLES,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their tests, apart from the checkout, with what Python has compiled of them."""
    for name in ("schemas", "streams", "consumers", "tests"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=_BEING_COMPILED)
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    found = subprocess.run(
        [sys.executable, "-c", "import streams; print(streams.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(found.stdout.strip()).is_relative_to(tmp_path), "the copy is what is tested"
    return tmp_path


def _apply(patch: Path, copy: Path) -> None:
    # Outside of a repository: git apply would pass over paths that the surrounding one does not know.
    outside = os.environ | {"GIT_CEILING_DIRECTORIES": str(copy.parent)}
    applied = subprocess.run(
        ["git", "apply", "--verbose", str(patch)], cwd=copy, env=outside, capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, f"{patch.name} must be written anew:\n{applied.stderr}"
    for line in patch.read_text().splitlines():
        if line.startswith("+++ b/"):
            module = copy / line.removeprefix("+++ b/")
            for compiled in module.parent.glob(f"__pycache__/{module.stem}.*"):
                compiled.unlink()


def _named_in(patch: Path) -> str:
    first = patch.read_text().splitlines()[0]
    assert first.startswith(_NOTICED_BY), f"{patch.name} begins with the test that notices it: {_NOTICED_BY}tests/…"
    return first.removeprefix(_NOTICED_BY)


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_a_change_that_breaks_a_law_is_noticed(patch: Path, copy: Path) -> None:
    _apply(patch, copy)
    if _run_quick_tests(copy, _named_in(patch)).returncode != _SOME_FAILED:
        outcome = _run_quick_tests(copy)
        assert outcome.returncode == _SOME_FAILED, f"survived:\n{outcome.stdout[-2_000:]}{outcome.stderr[-2_000:]}"


def test_what_the_changes_are_noticed_by_is_among_the_quick_tests() -> None:
    for patch in PATCHES:
        named = _named_in(patch)
        assert any(named == quick or named.startswith((f"{quick}::", f"{quick}/", f"{quick}[")) for quick in QUICK), (
            patch.name
        )


def test_the_quick_tests_pass_where_nothing_is_broken(copy: Path) -> None:
    outcome = _run_quick_tests(copy)
    assert outcome.returncode == _ALL_PASSED, outcome.stdout[-3_000:]
