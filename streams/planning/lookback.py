"""How far back conditions look, against how far the log reaches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from streams.planning.plan import Lookback
from streams.segmentation import Definitions
from streams.segmentation.durations import parse_duration

_ALONE = ("over", "in_last", "expires_after", "known_for")


def short_lookbacks(definitions: Definitions, names: set[str], reach_ms: int) -> list[Lookback]:
    """Segments and scores among `names` with a condition that looks back further than `reach_ms`.

    A condition without a window looks back for all time: that it does is no news, and is told only where all that
    it needs was cut off, which the caller knows. So here are those with a window alone.
    """
    data: dict[str, Any] = json.loads(definitions.canonical)
    found = []
    for kind in ("scores", "segments"):
        for name, body in data.get(kind, {}).items():
            longest = max(_spans(body), default=0)
            if f"{kind}.{name}" in names and longest > reach_ms:
                found.append(Lookback(f"{kind}.{name}", longest))
    return found


def _spans(value: Any) -> Iterator[int]:
    """Durations over which something looks back."""
    if isinstance(value, dict):
        within, ago = value.get("within"), value.get("ago")
        if isinstance(within, str):
            yield parse_duration(within) + (parse_duration(ago) if isinstance(ago, str) else 0)
        for key in _ALONE:
            if isinstance(value.get(key), str):
                yield parse_duration(value[key])
        for item in value.values():
            yield from _spans(item)
    elif isinstance(value, list):
        for item in value:
            yield from _spans(item)
