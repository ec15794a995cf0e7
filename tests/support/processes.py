"""`segue …` commands as child processes of a test: started apart, watched, signalled by pid, always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from consumers.cli import SINKS
from streams.cli import COMMANDS
from tests.support.run_directory import CHECKOUT, RunDirectory
from tests.support.waiting import wait_until
from tests.support.zygote import Start, Zygote

SEGUE = str(Path(sys.executable).with_name("segue"))
_END_TIMEOUT_S = 30
_FORKED_MODULES = ("tests.faults.worker", "tests.faults.detector")
"""What tests start often of `python -m …`; `segue …` is forked whatever it is."""


class Child(Protocol):
    """What is used of `Popen`."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float) -> int: ...


class Zygotes:
    """One for each module that something was started of, made when that is first asked for."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._by_module: dict[str, Zygote] = {}
        self._environment = base_environment()
        self._making = threading.Lock()

    def of(self, module: str, environment: Mapping[str, str]) -> Zygote | None:
        """None where the environment asks for another Python than this one."""
        if _of_python(environment) != _of_python(self._environment):
            return None
        with self._making:
            if module not in self._by_module:
                found = self._by_module[module] = Zygote(module, self._environment)
                self._run.note_process(found.pid)
            return self._by_module[module]


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("PYTHON")}


class StartedCommand:
    """A command that was started; its output goes to two files."""

    def __init__(self, name: str, child: Child, stdout: Path, stderr: Path) -> None:
        self.name = name
        self._child = child
        self._stdout = stdout
        self._stderr = stderr

    @property
    def pid(self) -> int:
        """Also the number of its process group and session."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._child.poll()

    @property
    def stdout(self) -> str:
        """What it wrote to standard output so far."""
        return self._stdout.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """What it wrote to standard error so far: its log."""
        return self._stderr.read_text(errors="replace")

    def wait_for_output(self, pattern: str, timeout_s: float = 60.0) -> re.Match[str]:
        """Wait until `pattern` is found in what it wrote; `AssertionError` if it ends or time runs out before."""

        def found() -> re.Match[str] | None:
            ended = self.returncode is not None
            match = re.search(pattern, self.stdout) or re.search(pattern, self.stderr)
            assert match or not ended, f"{self.name} ended with {self.returncode} before {pattern!r}:\n{self.tail()}"
            return match

        match = wait_until(found, timeout_s, f"{pattern!r} in the output of {self.name}")
        assert match is not None
        return match

    def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for its end and return the exit code."""
        wait_until(lambda: self.returncode is not None, timeout_s, f"the end of {self.name}")
        assert self.returncode is not None
        return self.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this one process."""
        os.kill(self.pid, number)

    def terminate(self, timeout_s: float = _END_TIMEOUT_S) -> int:
        """Ask it to end (SIGTERM), wait, and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """`kill -9`: it gets no chance to tidy up."""
        self.signal(signal.SIGKILL)
        self._child.wait(_END_TIMEOUT_S)

    def pause(self) -> None:
        """Let it hang, as a long stop of a virtual machine does (SIGSTOP)."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self.signal(signal.SIGCONT)

    def tail(self, lines: int = 60) -> str:
        """The end of what it wrote, for messages."""
        parts = []
        for title, text in (("stdout", self.stdout), ("stderr", self.stderr)):
            if text:
                parts.append(f"--- {self.name} {title}\n" + "\n".join(text.splitlines()[-lines:]))
        return "\n".join(parts)

    def end(self) -> None:
        """Kill its whole process group, whatever state it is in."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait(_END_TIMEOUT_S)


def _module_of(arguments: Sequence[str]) -> str | None:
    """What `segue` imports for these arguments; None where it finds no command in them."""
    if arguments[:1] == ("consumer",):
        return SINKS.get(arguments[1]) if len(arguments) > 1 else None
    return COMMANDS.get(arguments[0]) if arguments else None


def _start_anew(how: Start) -> subprocess.Popen[bytes]:
    python = [] if how.main is None else [sys.executable, "-m"]
    with Path(how.stdout).open("wb") as out, Path(how.stderr).open("wb") as err:
        return subprocess.Popen(
            [*python, *how.arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=dict(how.environment),
            cwd=how.directory,
            # Out of pytest's group: a stopped process in an orphaned group would be sent SIGHUP.
            start_new_session=True,
        )


class Commands:
    """Starts commands for one test and ends them with it: from zygotes, or else each by a new interpreter."""

    def __init__(self, run: RunDirectory, environment: Mapping[str, str], zygotes: Zygotes | None = None) -> None:
        self._run = run
        self._zygotes = zygotes
        self._directory = run.subdirectory("commands")
        self._started: list[StartedCommand] = []
        self.environment = dict(environment)

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> StartedCommand:
        """Start `segue ARGUMENTS` in a session of its own; `environment` adds to the test's."""
        how = self._how([SEGUE, *arguments], environment, self._directory)
        return self._start(how, "-".join(arguments[:2]), _module_of(arguments))

    def start_module(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> StartedCommand:
        """Start `python -m MODULE ARGUMENTS`, one of this checkout, as `start` does."""
        how = self._how([module, *arguments], environment, CHECKOUT, module)
        return self._start(how, module, module if module in _FORKED_MODULES else None)

    def _how(
        self, arguments: list[str], environment: Mapping[str, str] | None, directory: Path, main: str | None = None
    ) -> Start:
        files = [str(self._directory / f"{len(self._started)}.{kind}") for kind in ("out", "err")]
        return Start(arguments, self.environment | dict(environment or {}), str(directory), files[0], files[1], main)

    def _start(self, how: Start, title: str, module: str | None) -> StartedCommand:
        zygote = self._zygotes.of(module, how.environment) if self._zygotes and module else None
        child: Child = zygote.start(how) if zygote else _start_anew(how)
        self._run.note_process(child.pid)
        name = f"{len(self._started)}-{title}"
        started = StartedCommand(name, child, Path(how.stdout), Path(how.stderr))
        self._started.append(started)
        return started

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = 60.0
    ) -> StartedCommand:
        """Start `segue ARGUMENTS` and wait for its end; look at `.returncode`, `.stdout`, `.stderr`."""
        started = self.start(*arguments, environment=environment)
        started.wait(timeout_s)
        return started

    def tails(self) -> str:
        """The end of what each wrote."""
        return "\n".join(started.tail() for started in self._started)

    def kill_all(self) -> None:
        """End all of them, whatever state they are in."""
        for started in self._started:
            started.end()

    def end(self) -> None:
        """End all of them; pytest shows the printed tails where the test failed."""
        self.kill_all()
        print(self.tails())  # noqa: T201 - captured by pytest


def base_environment(**variables: str) -> dict[str, str]:
    """This process's environment without Segue's own variables, plus `variables`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
    return inherited | {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", "NO_COLOR": "1"} | variables
