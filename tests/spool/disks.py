"""Disks that fail."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from streams.spool.segments import Disk


class FailingDisk(Disk):
    """The real one, until a test lets it fail; counts what is asked of it."""

    def __init__(self) -> None:
        self.sync_error = 0
        self.room: int | None = None
        """Bytes that still fit; None: any number."""
        self.read_error = 0
        self.unreadable = range(0)
        """Bytes of each segment that cannot be read, with that error."""
        self.reads = 0
        self.syncs = 0
        self.gate = threading.Event()
        self.gate.set()

    def write(self, file: int, content: bytes) -> None:
        if self.room is not None:
            fits, self.room = content[: self.room], max(0, self.room - len(content))
            super().write(file, fits)
            if len(fits) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        else:
            super().write(file, content)

    def sync(self, file: int) -> None:
        self.gate.wait(30)
        self.syncs += 1
        if self.sync_error:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        super().sync(file)

    def read(self, path: Path, start: int, count: int) -> bytes:
        self.reads += 1
        wanted = range(max(start, self.unreadable.start), min(start + count, self.unreadable.stop))
        if self.read_error and wanted:
            raise OSError(self.read_error, os.strerror(self.read_error))
        return super().read(path, start, count)
