"""What comes from a zygote is a process as any other that was started with these arguments."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes import Commands, Zygotes, base_environment
from tests.support.run_directory import RunDirectory
from tests.support.waiting import wait_until
from tests.support.zygote import Forked, Start, Zygote

Started = Callable[..., Forked]


@pytest.fixture
def started(run_directory: RunDirectory, zygotes: Zygotes, tmp_path: Path) -> Started:
    """Starts a module of Python's in the test's directory; what it says is in `out` and `err` there."""

    def start(module: str, *arguments: str, **environment: str) -> Forked:
        zygote = zygotes.of(module, base_environment())
        assert zygote is not None
        out, err = str(tmp_path / "out"), str(tmp_path / "err")
        variables = base_environment(**environment)
        forked = zygote.start(Start([module, *arguments], variables, str(tmp_path), out, err, module))
        run_directory.note_process(forked.pid)
        return forked

    return start


def test_it_has_its_own_arguments_files_and_directory(started: Started, tmp_path: Path) -> None:
    (tmp_path / "given.json").write_text('{"a":1}')
    assert started("json.tool", "--compact", "given.json").wait(30) == 0
    assert json.loads((tmp_path / "out").read_text()) == {"a": 1}
    assert (tmp_path / "err").read_text() == ""


def test_how_it_ended_is_told_as_often_as_it_is_asked(started: Started, tmp_path: Path) -> None:
    refused = started("json.tool", "nowhere.json")
    assert [refused.wait(30), refused.poll()] == [2, 2]
    assert "nowhere.json" in (tmp_path / "err").read_text()


def test_it_has_a_session_of_its_own_and_ends_by_a_signal(started: Started, tmp_path: Path) -> None:
    served = started("http.server", "0", "--bind", "127.0.0.1")
    wait_until(lambda: "Serving HTTP" in (tmp_path / "out").read_text(), 30, "the server")
    assert served.poll() is None
    assert os.getsid(served.pid) == served.pid != os.getsid(0)
    os.kill(served.pid, signal.SIGKILL)
    assert served.wait(30) == -signal.SIGKILL
    assert served.poll() == -signal.SIGKILL


def test_several_threads_may_start_and_ask_at_once(started: Started) -> None:
    def outcome(number: int) -> int:
        return started("json.tool", f"nowhere-{number}.json").wait(30)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(outcome, range(12))) == [2] * 12


def test_its_environment_is_what_it_was_started_with_and_no_other(started: Started, tmp_path: Path) -> None:
    for place in ("one", "two"):
        assert started("tests.support.environment_said", PLACE=place).wait(30) == 0
        said = json.loads((tmp_path / "out").read_text())
        assert said == base_environment(PLACE=place)


def test_only_what_asks_for_this_python_comes_from_a_zygote(zygotes: Zygotes) -> None:
    first = zygotes.of("json.tool", base_environment())
    assert isinstance(first, Zygote)
    assert zygotes.of("json.tool", base_environment(SEGUE_NAMESPACE="other")) is first
    assert zygotes.of("json.tool", base_environment(PYTHONHASHSEED="7")) is None


def test_another_python_is_started_anew(commands: Commands) -> None:
    outcome = commands.run("check", "--help", environment={"PYTHONHASHSEED": "7"})
    assert outcome.returncode == 0
    assert outcome.stdout.startswith("Usage: segue check")
