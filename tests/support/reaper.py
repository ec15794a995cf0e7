"""Ends what a run of pytest started, once its standard input is closed, which happens however pytest ends."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from tests.support.waiting import wait_until


def _end_process(pid: int, born: float) -> None:
    try:
        if psutil.Process(pid).create_time() != born:
            return  # the number belongs to somebody else by now
        os.killpg(pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return
    wait_until(lambda: is_dead(pid), 10, f"the end of process {pid}")


def is_dead(pid: int) -> bool:
    """Gone, or a zombie that its parent has not asked about."""
    try:
        # A pytest that still lives has not asked for its children's exit codes, nor will it.
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _end_container(container_id: str) -> None:
    import docker  # noqa: PLC0415 - only where containers were started
    from docker.errors import NotFound  # noqa: PLC0415 - the same

    with suppress(NotFound):
        docker.from_env().containers.get(container_id).remove(force=True, v=True)


def reap(directory: Path) -> None:
    """End all that is noted in `directory`, newest first, and remove it."""
    notes = directory / "started"
    lines = notes.read_text().splitlines() if notes.exists() else []
    for line in reversed(lines):
        kind, *rest = line.split()
        if kind == "process":
            _end_process(int(rest[0]), float(rest[1]))
        else:
            _end_container(rest[0])
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    reap(Path(sys.argv[1]))
