"""The files of a spool: a directory of segments that one process owns. Everything here blocks.

A segment is written by one process, in order, and never again after that process, or one of its calls, has failed: a
kernel that could not write a page may call it clean afterwards, so that a later fsync that succeeds means nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError

_SETTING = "SEGUE_COLLECTOR_SPOOL_DIR"
_SEGMENT = re.compile(r"\d{20}\.spool")
_LOCK = "lock"
_REFUSED = "refused"


class Disk:
    """The calls of the operating system that a spool makes. All raise `OSError`."""

    def create(self, path: Path) -> int:
        """A new file that only we may read: it holds what people did."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, file: int, content: bytes) -> None:
        """All of it, behind what is there."""
        left = memoryview(content)
        while left:
            left = left[os.write(file, left) :]

    def sync(self, file: int) -> None:
        """Returns when the disk has what was written."""
        os.fsync(file)

    def sync_directory(self, path: Path) -> None:
        """Returns when the disk has the names in it."""
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def read(self, path: Path, start: int, count: int) -> bytes:
        """Bytes of a file; fewer where it ends before."""
        with path.open("rb") as file:
            file.seek(start)
            return file.read(count)


@dataclass(slots=True, eq=False)
class Segment:
    """A file of the spool."""

    path: Path
    synced: int
    """Bytes that the disk has for certain; what lies behind them is not read while we run."""


class SegmentFiles:
    """The directory. One thread at a time may call `append`, `set_aside` and `remove`."""

    def __init__(self, directory: Path, segment_bytes: int, disk: Disk | None = None) -> None:
        """Take possession of it, and make it where there is none. Raises `InputError`.

        A segment of at least `segment_bytes` is followed by another one.
        """
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._disk = disk or Disk()
        self._open: tuple[Segment, int] | None = None
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputError(
                f"{_SETTING}: {directory}: expected a directory that may be written to: {error.strerror}"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise InputError(
                f"{_SETTING}: {directory}: another collector has it; expected a directory for each of them"
            ) from None
        self.found = self._found()
        """What an earlier process left, oldest first."""
        self._number = int(self.found[-1].path.stem) if self.found else 0

    def append(self, content: bytes) -> tuple[Segment, int]:
        """Write behind all there is; returns, when the disk has it, the segment that it lies in and where it ends.

        Raises `OSError`: nothing of it counts then, and the segment is not written to again.
        """
        segment, file = self._writable()
        try:
            self._disk.write(file, content)
            self._disk.sync(file)
        except OSError:
            self._abandon(segment, file)
            raise
        segment.synced += len(content)
        if segment.synced >= self._segment_bytes:
            self._close()
        return segment, segment.synced

    def read(self, segment: Segment, start: int, end: int) -> bytes:
        """A stretch of a segment. Raises `OSError`."""
        return self._disk.read(segment.path, start, end - start)

    def remove(self, segment: Segment, read_to: int) -> bool:
        """Remove it, unless it has grown past what was read of it. Raises `OSError`."""
        if segment.synced > read_to:
            return False
        if self._open is not None and self._open[0] is segment:
            self._close()
        segment.path.unlink(missing_ok=True)
        self._disk.sync_directory(self._directory)
        return True

    def set_aside(self, content: bytes) -> None:
        """Keep what Kafka will never take, for a person to look at. Raises `OSError`."""
        path = self._directory / _REFUSED
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._disk.write(file, content)
            self._disk.sync(file)
        finally:
            os.close(file)
        self._disk.sync_directory(self._directory)

    def close(self) -> None:
        """Give the directory up to the next process."""
        self._close()
        os.close(self._lock)

    def _found(self) -> list[Segment]:
        paths = sorted(path for path in self._directory.iterdir() if _SEGMENT.fullmatch(path.name))
        return [Segment(path, path.stat().st_size) for path in paths]

    def _writable(self) -> tuple[Segment, int]:
        if self._open is None:
            self._number += 1
            path = self._directory / f"{self._number:020}.spool"
            file = self._disk.create(path)
            self._open = Segment(path, 0), file
            try:
                self._disk.sync_directory(self._directory)
            except OSError:
                self._abandon(*self._open)
                raise
        return self._open

    def _abandon(self, segment: Segment, file: int) -> None:
        """Cut off what failed, as far as that is possible, and never write to it again."""
        self._open = None
        with contextlib.suppress(OSError):
            os.ftruncate(file, segment.synced)
        with contextlib.suppress(OSError):
            os.close(file)
        if not segment.synced:
            with contextlib.suppress(OSError):
                segment.path.unlink()

    def _close(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None
