"""Keeps a copy of the topic of keys up to date, and gives it to a collector that starts while Kafka is away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from schemas.errors import InputError
from schemas.instants import format_instant
from streams.spool.key_copy import KeyCopy, read_key_copy, write_key_copy
from streams.spool.segments import Disk

_log = logging.getLogger(__name__)
REFRESH_S = 300.0
"""Once in so long a copy that is still right says so: it tells since when nobody was asked."""
_RETRY_S = 5.0


class KeptKeys:
    """The copy in one directory, of one topic. Nothing that is wrong with it stops anything. Calls block."""

    def __init__(self, directory: Path, topic: str, seconds: Callable[[], float], disk: Disk | None = None) -> None:
        """`seconds` is a clock that never goes back."""
        self._directory = directory
        self._topic = topic
        self._seconds = seconds
        self._disk = disk or Disk()
        self._due_s = 0.0
        self._failure = ""

    def load(self) -> KeyCopy | None:
        """What was kept; None, with a line in the log, where there is nothing that could be started from."""
        try:
            copy = read_key_copy(self._directory, self._disk)
        except InputError as error:
            _log.warning("the copy of the keys is passed over: %s", error)
            return None
        if copy is None:
            _log.warning("there is no copy of the keys in %s", self._directory)
        elif copy.topic != self._topic:
            _log.warning("the copy of the keys is passed over: it is of the topic %s", copy.topic)
        else:
            return copy
        return None

    def is_due(self, *, changed: bool) -> bool:
        """Whether to keep what is known now: where something has `changed`, or every now and then."""
        return changed or self._seconds() >= self._due_s

    def keep(self, values: Mapping[bytes, bytes], offset: int, as_of_ms: int) -> None:
        """Keep these in place of the earlier ones. What fails is logged, and due again after some seconds."""
        try:
            write_key_copy(self._directory, KeyCopy(self._topic, offset, as_of_ms, values), self._disk)
        except OSError as error:
            self._due_s = self._seconds() + _RETRY_S
            self._note(error.strerror or str(error))
        else:
            self._due_s = self._seconds() + REFRESH_S
            self._note("")

    def _note(self, failure: str) -> None:
        if failure == self._failure:
            return
        self._failure = failure
        if failure:
            _log.error(
                "the copy of the keys cannot be written: %s; a start without Kafka has an older one, or none", failure
            )
        else:
            _log.info("the copy of the keys is written again")


def told_of(copy: KeyCopy) -> str:
    """One line for people."""
    return f"{len(copy.values)} keys as of {format_instant(copy.as_of_ms)} (offset {copy.offset})"
