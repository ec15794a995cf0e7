"""`segue demo` as a child process of a test."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.processes import base_environment
from tests.support.run_directory import RunDirectory
from tests.support.waiting import wait_until

START_TIMEOUT_S = 90.0
END_TIMEOUT_S = 60.0


class RunningDemo:
    """A demo whose every process and file can be told by the directory that it was given for temporary files."""

    def __init__(self, run: RunDirectory, *command: str) -> None:
        self.directory = run.subdirectory("demo")
        self._out, self._err = run.subdirectory("demo-output") / "out", run.subdirectory("demo-output") / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,
                env=base_environment(TMPDIR=str(self.directory), TERM="xterm", COLUMNS="100", LINES="30"),
            )
        run.note_process(self.child.pid)

    @property
    def out(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")

    def wait_for(self, words: str) -> None:
        def said() -> bool:
            assert self.child.poll() is None, f"it ended with {self.child.returncode}:\n{self.out}{self.err}"
            return words in self.out + self.err

        wait_until(said, START_TIMEOUT_S, f"{words!r} in the demo's output")

    def end(self) -> int:
        return self.child.wait(END_TIMEOUT_S)

    def processes(self) -> list[psutil.Process]:
        """All that belong to it, also those that it left behind."""
        return [one for one in psutil.process_iter() if self._is_mine(one)]

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            # Redis writes its title over its environment, but works in the demo's directory.
            mine = (
                process.environ().get("TMPDIR") == str(self.directory) or self.directory in Path(process.cwd()).parents
            )
            return mine and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def leaves_nothing(self) -> None:
        wait_until(lambda: not self.processes(), 15, f"no process left, {self.processes()}")
        wait_until(lambda: not list(self.directory.iterdir()), 15, "no file left")


@contextmanager
def demos(run_directory: RunDirectory) -> Iterator[Callable[..., RunningDemo]]:
    """Starts demos by their command lines; all are ended with it."""
    started: list[RunningDemo] = []

    def start_demo(*command: str) -> RunningDemo:
        started.append(RunningDemo(run_directory, *command))
        return started[-1]

    yield start_demo
    for demo in started:
        for process in demo.processes():
            process.kill()
        demo.child.wait(END_TIMEOUT_S)
        assert demo.child.stdin is not None
        demo.child.stdin.close()
