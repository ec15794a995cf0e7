"""The log of the worker and the collector: to standard error, and no flood of it while a broker is away."""

from __future__ import annotations

import logging
import sys

from schemas.log_lines import Seldom

REPEATED = ("aiokafka", "segue.kafka", "streams.collector.writing", "streams.collector.providers.hooks")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LIBRARIES = ("faust", "mode", "aiokafka", "streams.agents.faust_hooks")


def set_up_log(level: str) -> None:
    """Write lines of at least `level` to standard error; of the libraries warnings only, unless it is `debug`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom(*REPEATED))
    logging.basicConfig(level=level.upper(), format=_FORMAT, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it writes whole addresses, tokens and all
    if level != "debug":
        for chatty in _LIBRARIES:
            logging.getLogger(chatty).setLevel(logging.WARNING)
