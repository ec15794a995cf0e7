"""Settings that are several things by name, as one JSON object in an environment variable."""

from __future__ import annotations

import json
from typing import TypeVar

ValueT = TypeVar("ValueT")


def named_values(text: str, kind: type[ValueT], expected: str) -> dict[str, ValueT]:
    """The object in `text`, whose values are all of a kind.

    Raises `ValueError` that says what was `expected` and shows nothing of the text: secrets may stand in it.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, kind) for value in found.values()):
        raise ValueError(expected)
    return found
