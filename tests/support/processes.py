"""`segue …` commands as child processes of a test: started apart, watched, signalled by pid, always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.support.run_directory import CHECKOUT, RunDirectory
from tests.support.waiting import wait_until

SEGUE = str(Path(sys.executable).with_name("segue"))
_END_TIMEOUT_S = 30


class StartedCommand:
    """A command that was started; its output goes to two files."""

    def __init__(self, name: str, child: subprocess.Popen[bytes], stdout: Path, stderr: Path) -> None:
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


class Commands:
    """Starts commands for one test and ends them with it."""

    def __init__(self, run: RunDirectory, environment: Mapping[str, str]) -> None:
        self._run = run
        self._directory = run.subdirectory("commands")
        self._started: list[StartedCommand] = []
        self.environment = dict(environment)

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> StartedCommand:
        """Start `segue ARGUMENTS` in a session of its own; `environment` adds to the test's."""
        return self._start([SEGUE, *arguments], "-".join(arguments[:2]), environment, self._directory)

    def start_module(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> StartedCommand:
        """Start `python -m MODULE ARGUMENTS`, one of this checkout, as `start` does."""
        return self._start([sys.executable, "-m", module, *arguments], module, environment, CHECKOUT)

    def _start(
        self, command: list[str], title: str, environment: Mapping[str, str] | None, directory: Path
    ) -> StartedCommand:
        name = f"{len(self._started)}-{title}"
        stdout, stderr = self._directory / f"{len(self._started)}.out", self._directory / f"{len(self._started)}.err"
        with stdout.open("wb") as out, stderr.open("wb") as err:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self.environment | dict(environment or {}),
                cwd=directory,
                # Out of pytest's group: a stopped process in an orphaned group would be sent SIGHUP.
                start_new_session=True,
            )
        self._run.note_process(child.pid)
        started = StartedCommand(name, child, stdout, stderr)
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
