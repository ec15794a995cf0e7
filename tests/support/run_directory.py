"""One directory for each run of pytest, shared by all xdist workers, and everything in it ended with the run.

What a test starts is noted in a file there. A small process of its own (`tests/support/reaper.py`) waits
for the end of pytest, however that comes (also by SIGKILL), ends all that is still noted, and removes the directory.
"""

from __future__ import annotations

import fcntl
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

CHECKOUT = Path(__file__).resolve().parents[2]
_REAPER_TIMEOUT_S = 30


class UnavailableServiceError(Exception):
    """One way of getting a service does not work here; the text says why."""


class RunDirectory:
    """Where a run of pytest keeps its servers' files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note_process(self, pid: int) -> None:
        """Have the process group of `pid` killed when the run ends."""
        try:
            born = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        self._note(f"process {pid} {born}")

    def note_container(self, container_id: str) -> None:
        """Have a container removed when the run ends."""
        self._note(f"container {container_id}")

    def _note(self, line: str) -> None:
        # One short write in append mode is atomic, so xdist's workers need no lock here.
        with (self.path / "started").open("a") as notes:
            notes.write(line + "\n")

    @contextmanager
    def lock(self, name: str) -> Iterator[Path]:
        """Hold a lock among xdist's workers; yields the file that what is agreed on is kept in."""
        with (self.path / f"{name}.lock").open("w") as lock_file:
            fcntl.flock(lock_file, fcntl.LOCK_EX)
            yield self.path / f"{name}.json"

    def subdirectory(self, prefix: str) -> Path:
        """A new directory that goes with the run."""
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.path))


class Run:
    """A run directory together with the process that tidies up after it. Belongs to pytest's main process."""

    def __init__(self) -> None:
        self.directory = RunDirectory(Path(tempfile.mkdtemp(prefix="segue-tests-")))
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.reaper", str(self.directory.path)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for pytest; the end of its input is for the reaper
        )

    def end(self) -> None:
        """End everything that was started and remove the directory."""
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait(_REAPER_TIMEOUT_S)


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
