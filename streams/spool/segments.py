"""The files of a spool: a directory of segments that one process owns. Everything here blocks.

A segment is written by one process, in order, and never again after that process, or one of its calls, has failed: a
kernel that could not write a page may call it clean afterwards, so that a later fsync that succeeds means nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from schemas.errors import InputError, UnavailableError
from streams.spool.layout import DAMAGED_SUFFIX, LOCK, REFUSED, SETTING, listing

MEDIUM_ERRORS = frozenset({errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.ENOENT})
"""What a read fails with when trying again does not help, if the disk is well otherwise."""
_BLOCK_BYTES = 4_096
_NO_FRAME = b"\xff"
_PROBE = "probe"


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
        pieces: list[bytes] = []
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Unbuffered: no more is asked for than is wanted, which may lie beside what the disk cannot give.
            while count and (piece := os.pread(file, count, start)):
                pieces.append(piece)
                start += len(piece)
                count -= len(piece)
        finally:
            os.close(file)
        return b"".join(pieces)


@dataclass(slots=True, eq=False)
class Segment:
    """A file of the spool."""

    path: Path
    synced: int
    """Bytes that the disk has for certain; what lies behind them is not read while we run."""


class Stretch(NamedTuple):
    """Part of a segment."""

    content: bytes
    missing: int
    """Bytes that the disk does not give. They stand in the content as what is part of no frame, or are not in it."""


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
            self._lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unfit(directory, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sizes, found, damaged = listing(directory)
        except BlockingIOError:
            os.close(self._lock)
            raise InputError(
                f"{SETTING}: {directory}: another collector has it; expected a directory for each of them"
            ) from None
        except OSError as error:
            os.close(self._lock)
            raise _unfit(directory, error) from error
        self.found = [Segment(directory / name, sizes[name]) for name in found]
        """What an earlier process left, oldest first."""
        self.damaged_bytes = sum([sizes[name] for name in damaged])
        """Of segments that were set aside: nobody sends them, and they take room."""
        self._number = max((int(Path(name).stem) for name in (*found, *damaged)), default=0)

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

    def read(self, segment: Segment, start: int, end: int) -> Stretch:
        """A stretch of a segment. Raises `OSError`."""
        content = self._disk.read(segment.path, start, end - start)
        return Stretch(content, end - start - len(content))

    def read_around(self, segment: Segment, start: int, end: int) -> Stretch:
        """The same, around what the disk cannot give. Raises `OSError` where the disk is not to blame."""
        try:
            return self.read(segment, start, end)
        except OSError as error:
            if error.errno not in MEDIUM_ERRORS:
                raise
        content = b""
        missing = 0
        while (at := start + len(content)) < end:
            count = min(end, (at // _BLOCK_BYTES + 1) * _BLOCK_BYTES) - at
            try:
                piece = self._disk.read(segment.path, at, count)
            except OSError as error:
                if error.errno not in MEDIUM_ERRORS:
                    raise
                piece = b""
            missing += count - len(piece)
            content += piece.ljust(count, _NO_FRAME)
        return Stretch(content, missing)

    def look_through(self, segment: Segment) -> bytes:
        """All of what an earlier process left, as far as the disk gives it. Raises `InputError`, `UnavailableError`."""
        try:
            return self.read_around(segment, 0, segment.synced).content
        except (PermissionError, IsADirectoryError) as error:
            found = f"{SETTING}: {segment.path}: {error.strerror}"
            raise InputError(f"{found}; expected a file of the spool that may be read") from error
        except OSError as error:
            raise UnavailableError(f"{segment.path}: cannot be read: {error.strerror}") from error

    def probe(self) -> None:
        """Returns when the disk has taken something. Raises `OSError`."""
        path = self._directory / _PROBE
        path.unlink(missing_ok=True)
        file = self._disk.create(path)
        try:
            self._disk.write(file, b"?")
            self._disk.sync(file)
        finally:
            os.close(file)
            path.unlink(missing_ok=True)

    def remove(self, segment: Segment, read_to: int, *, damaged: bool = False) -> bool:
        """Remove it, unless it has grown past what was read of it. Raises `OSError`.

        One that is `damaged` is kept, under a name by which nobody sends it.
        """
        if segment.synced > read_to:
            return False
        if self._open is not None and self._open[0] is segment:
            self._close()
        if damaged:
            self._keep(segment)
        else:
            segment.path.unlink(missing_ok=True)
        self._disk.sync_directory(self._directory)
        return True

    def set_aside(self, content: bytes) -> None:
        """Keep what Kafka will never take, for a person to look at. Raises `OSError`."""
        path = self._directory / REFUSED
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

    def _keep(self, segment: Segment) -> None:
        aside = segment.path.with_suffix(DAMAGED_SUFFIX)
        with contextlib.suppress(FileNotFoundError):  # somebody has removed it
            segment.path.rename(aside)
            segment.path = aside
            self.damaged_bytes += segment.synced

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


def _unfit(directory: Path, error: OSError) -> InputError:
    return InputError(f"{SETTING}: {directory}: expected a directory that may be written to: {error.strerror}")
