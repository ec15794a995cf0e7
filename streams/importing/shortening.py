"""Values of cells in messages: in one line, and not longer than it takes to find them."""

from __future__ import annotations

import json

VALUE_CHARACTERS_MAX = 40


def as_shown(value: object) -> str:
    """A value as a file would have it, cut short."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 1] + "…"
