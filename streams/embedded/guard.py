"""Ends what a supervisor started when the supervisor itself was killed and could not.

`python -m streams.embedded.guard DIRECTORY` reads lines from standard input: `+PID` (a process group was started),
`-PID` (it has ended). The input closes however the supervisor ends; what is still noted then is ended, and the
directory removed unless the last line was `keep`. Every started program notes itself before it becomes what it
is, so there is no instant at which one could slip away.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TERM_TIMEOUT_S = 5.0
"""How long the programs may take to end by themselves."""
_PAUSE_S = 0.05


def is_running(group: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS refuses to signal a zombie
        return False
    return True


def end_groups(groups: Iterable[int], timeout_s: float) -> None:
    """SIGTERM to each group, SIGKILL to those that are left after the time-out."""
    left = set(groups)
    for group in left:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while left and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
        left = {group for group in left if is_running(group)}
    for group in left:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def watch(lines: Iterable[str], directory: Path) -> None:
    """Follow the lines to their end, then end what is noted and remove the directory."""
    groups: set[int] = set()
    keep = False
    for line in lines:
        word = line.strip()
        if word == "keep":
            keep = True
        elif word.startswith("+"):
            groups.add(int(word))
        elif word.startswith("-"):
            groups.discard(-int(word))
    end_groups(groups, TERM_TIMEOUT_S)
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    watch(sys.stdin, Path(sys.argv[1]))
