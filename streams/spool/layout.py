"""What lies in the directory of a spool, by its names."""

from __future__ import annotations

import re

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
