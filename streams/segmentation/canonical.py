"""One text for one meaning: canonical JSON and the hashes made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

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


def meaning(spec: BaseModel, *, without: Iterable[str] = ()) -> str:
    """One text for all ways to write a spec: what was read, with defaults, and its filters in any order.

    Fields of the top level that are named in `without` are left out.
    """
    return _meaning(spec.model_dump(exclude=set(without)))


def _meaning(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(
            {key: _all_of(each) if key == "where" else _meaning(each) for key, each in sorted(value.items())}
        )
    if isinstance(value, list):
        return json.dumps([_meaning(each) for each in value])
    return json.dumps(value, default=str)


def _all_of(filters: list[Any]) -> list[str]:
    return sorted(map(_meaning, filters))


def contact_key(contact_id: str) -> str:
    """The name of a contact in stores: 32 hex digits of BLAKE2b over its id, so that no key shows an id."""
    return hashlib.blake2b(contact_id.encode(), digest_size=16).hexdigest()
