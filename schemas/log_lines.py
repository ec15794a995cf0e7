"""What every program's log has in common: no flood of it while a broker is away."""

from __future__ import annotations

import logging
import re
import time

SELDOM_S = 10.0
_KNOWN_MAX = 1_000
_NUMBERS = re.compile(r"[0-9]+")


class Seldom(logging.Filter):
    """Passes what the loggers `repeated` say once in ten seconds: Kafka clients say the same at every attempt.

    Lines are the same when they differ in numbers alone. What other loggers say passes.
    """

    def __init__(self, *repeated: str) -> None:
        super().__init__()
        self._repeated = repeated
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written."""
        if not record.name.startswith(self._repeated):
            return True
        now, what = time.monotonic(), f"{record.name} {_NUMBERS.sub('', record.getMessage())}"
        if now - self._said.get(what, -SELDOM_S) < SELDOM_S:
            return False
        if len(self._said) >= _KNOWN_MAX:
            self._said.clear()
        self._said[what] = now
        return True
