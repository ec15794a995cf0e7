"""`python -m tests.faults.detector DIRECTORY POINT`: `segue detect` that stands still at a point of its writing.

It makes the file `reached` there and goes on when there is one named `go`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.errors import SegueError
from schemas.settings import load_settings
from streams.cli.detect import run_detector
from streams.detecting.settings import DetectorSettings
from streams.ports import LogWriter
from tests.support.waiting import wait_until

POINTS = ("found", "partly", "written")
"""Before anything is sent, when the broker has the first correction and no other, and when it has all of them."""
_LONGEST_S = 120


class Halting:
    """A `LogWriter` around another."""

    def __init__(self, inner: LogWriter, directory: Path, point: str) -> None:
        self._inner = inner
        self._directory = directory
        self._point = point
        self._appended = 0

    def append(
        self, value: bytes, *, contact_id: str | None = None, partition: int = -1, timestamp_ms: int = 0
    ) -> None:
        """As the other one."""
        if self._appended == 1 and self._point == "partly":
            self._inner.flush()
        self._halt("found" if self._appended == 0 else "partly")
        self._appended += 1
        self._inner.append(value, contact_id=contact_id, partition=partition, timestamp_ms=timestamp_ms)

    def flush(self) -> None:
        """As the other one."""
        self._inner.flush()
        self._halt("written")

    def _halt(self, point: str) -> None:
        if point != self._point:
            return
        (self._directory / "reached").touch()
        wait_until((self._directory / "go").exists, _LONGEST_S, "leave to go on")


if __name__ == "__main__":
    try:
        run_detector(load_settings(DetectorSettings), lambda writer: Halting(writer, Path(sys.argv[1]), sys.argv[2]))
    except SegueError as error:
        sys.stderr.write(f"segue: {error}\n")
        sys.exit(error.exit_code)
