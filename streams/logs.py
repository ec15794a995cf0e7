"""The worker's log: to standard error, and no flood of it while a broker is away."""

from __future__ import annotations

import logging
import re
import sys
import time

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LIBRARIES = ("faust", "mode", "aiokafka", "streams.agents.faust_hooks")
_REPEATED = ("aiokafka", "segue.kafka")
_SELDOM_S = 10.0
_KNOWN_MAX = 1_000
_NUMBERS = re.compile(r"[0-9]+")


class Seldom(logging.Filter):
    """Passes what the Kafka clients say once in ten seconds: they say the same at every attempt."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written."""
        if not record.name.startswith(_REPEATED):
            return True
        now, what = time.monotonic(), f"{record.name} {_NUMBERS.sub('', record.getMessage())}"
        if now - self._said.get(what, -_SELDOM_S) < _SELDOM_S:
            return False
        if len(self._said) >= _KNOWN_MAX:
            self._said.clear()
        self._said[what] = now
        return True


def set_up_log(level: str) -> None:
    """Write lines of at least `level` to standard error; of the libraries warnings only, unless it is `debug`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom())
    logging.basicConfig(level=level.upper(), format=_FORMAT, handlers=[handler])
    if level != "debug":
        for chatty in _LIBRARIES:
            logging.getLogger(chatty).setLevel(logging.WARNING)
