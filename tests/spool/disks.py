"""Disks that fail."""

from __future__ import annotations

import errno
import os
import threading

from streams.spool.segments import Disk


class FailingDisk(Disk):
    """The real one, until a test lets it fail; counts what is asked of it."""

    def __init__(self) -> None:
        self.sync_error = 0
        self.room: int | None = None
        """Bytes that still fit; None: any number."""
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
