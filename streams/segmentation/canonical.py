"""One text for one meaning: canonical JSON and the hashes made of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

ORDERED = frozenset({"segments", "tiers"})
"""Mappings whose order carries meaning keep it; all others are sorted by key."""


def _arranged(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        keys = list(value) if name in ORDERED else sorted(value)
        return {key: _arranged(value[key], key) for key in keys}
    if isinstance(value, list):
        return [_arranged(item) for item in value]
    return value


def canonical_text(value: Any) -> str:
    """JSON without blanks, keys sorted but for the mappings whose order means something."""
    return json.dumps(_arranged(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_hash(value: Any) -> str:
    """SHA-256, in hex, of the JSON of `value` with every mapping sorted by key."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def contact_key(contact_id: str) -> str:
    """The name of a contact in stores: 32 hex digits of BLAKE2b over its id, so that no key shows an id."""
    return hashlib.blake2b(contact_id.encode(), digest_size=16).hexdigest()
