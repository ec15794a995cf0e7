"""A stage for each test, and what its SDKs run on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.stage import CACHE, FOLDER, Stage
from tests.conftest import Kafka
from tests.live.workers import Place
from tests.support.environments import node_modules_of, python_of
from tests.support.processes import Commands, base_environment
from tests.support.run_directory import UnavailableServiceError

_TIMEOUT_S = 60


@pytest.fixture
def stage(commands: Commands, kafka: Kafka, redis_url: str, namespace: str, tmp_path: Path) -> Stage:
    """A collector that is ready."""
    return Stage(Place(commands, kafka.bootstrap_servers, redis_url, namespace, tmp_path))


@pytest.fixture(scope="session")
def client_python() -> Path:
    """A Python with the SDKs; where it cannot be had, the test fails and says why."""
    return _had(lambda: python_of(FOLDER / "requirements.lock", CACHE / "python"))


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """SDKs of JavaScript; where they cannot be had, the test fails and says what to install."""
    return _had(lambda: node_modules_of(FOLDER, CACHE / "node"))


def _had(make: Callable[[], Path]) -> Path:
    try:
        return make()
    except UnavailableServiceError as error:
        pytest.fail(str(error), pytrace=False)


def run_python(python: Path, *arguments: str) -> None:
    """Run `python_sdk.py` to its end."""
    _run([str(python), str(FOLDER / "python_sdk.py"), *arguments], {})


def run_node(node_modules: Path, *arguments: str) -> None:
    """Run `node_sdk.cjs` to its end."""
    node = shutil.which("node")
    assert node is not None
    _run([node, str(FOLDER / "node_sdk.cjs"), *arguments], {"NODE_PATH": str(node_modules)})


def _run(command: list[str], more: dict[str, str]) -> None:
    outcome = subprocess.run(
        command, env=base_environment() | more, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
