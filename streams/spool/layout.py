"""What lies in the directory of a spool, by its names."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SETTING = "SEGUE_COLLECTOR_SPOOL_DIR"
SEGMENT = re.compile(r"\d{20}\.spool")
"""Frames that Kafka has not acknowledged, as far as anybody noted; older ones have smaller numbers."""
DAMAGED = re.compile(r"\d{20}\.damaged")
"""A segment of which not all could be read, kept when the rest of it was acknowledged."""
DAMAGED_SUFFIX = ".damaged"
LOCK = "lock"
REFUSED = "refused"
"""Frames that Kafka refuses for good."""
KEYS = "keys"
"""A copy of the topic of keys, as it was when Kafka was last asked."""
NEW_KEYS = "keys.new"
"""The next one, while it is being written."""


class Listing(NamedTuple):
    """What lies in the directory."""

    sizes: dict[str, int]
    """Bytes of each file, by its name."""
    segments: list[str]
    """Oldest first."""
    damaged: list[str]


def listing(directory: Path) -> Listing:
    """Look what lies there. Raises `OSError`."""
    sizes: dict[str, int] = {}
    for entry in os.scandir(directory):
        with suppress(FileNotFoundError):  # since then its owner has sent it, or given it another name
            sizes[entry.name] = entry.stat().st_size
    segments, damaged = (sorted(filter(kind.fullmatch, sizes)) for kind in (SEGMENT, DAMAGED))
    return Listing(sizes, segments, damaged)
