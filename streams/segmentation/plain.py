"""What holds of every value in a definition file, whatever it stands for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from schemas.event_names import STANDARD_NAMES
from streams.segmentation.names import standard_event_like
from streams.segmentation.problems import Findings, join

MAX_LEVELS = 100
"""Mappings and lists in one another, in the whole file."""
_FREE = "meta"
"""What stands under this key of a segment is the user's own."""


def plain(value: Any, findings: Findings) -> Any:
    """`value` without what no rule could read, and with that noted.

    Keys that are no text, numbers that are not finite, half characters, nulls where nothing may be null, and what
    lies too deep. Raises nothing, whatever the value.
    """
    return _Plain(findings).read(value, ())


class _Plain:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def read(self, value: Any, steps: tuple[str | int, ...]) -> Any:
        if isinstance(value, dict | list):
            if len(steps) >= MAX_LEVELS:
                self._findings.settle(join("", *steps), "...", f"expected at most {MAX_LEVELS} levels of nesting")
                return None
            if isinstance(value, list):
                return [self.read(each, (*steps, place)) for place, each in enumerate(value)]
            return {key: self.read(each, (*steps, key)) for key, each in self._items(value, steps)}
        self._scalar(value, steps)
        return value

    def _items(self, value: dict[Any, Any], steps: tuple[str | int, ...]) -> Iterator[tuple[str, Any]]:
        for key, each in value.items():
            name = key if isinstance(key, str) else str(key)
            if not isinstance(key, str):
                where = join("", *steps, name)
                self._findings.add(where, key, "expected a text as key; put it in quotes", f'"{name}"', on_key=True)
            if _whole_characters(name):
                yield name, each
            else:
                self._findings.add(join("", *steps), repr(key), "expected a key of whole characters")

    def _scalar(self, value: Any, steps: tuple[str | int, ...]) -> None:
        if value is None:
            if not _may_be_null(steps):
                self._findings.settle(
                    join("", *steps), None, "expected a value; leave the key out where there is none to give"
                )
        elif isinstance(value, str):
            self._text(value, steps)
        elif isinstance(value, float) and not math.isfinite(value):
            self._findings.settle(join("", *steps), str(value), "expected a finite number")
        elif not isinstance(value, bool | int | float):
            self._findings.settle(join("", *steps), str(value), "expected a text, a number, true or false")

    def _text(self, value: str, steps: tuple[str | int, ...]) -> None:
        if not _whole_characters(value):
            self._findings.settle(join("", *steps), repr(value), "expected a text of whole characters")
        elif steps and steps[-1] == "event" and not _is_free(steps):
            like = standard_event_like(value)
            if like:
                why = (
                    f"a custom event; what SDKs send under this name becomes {like}"
                    if value in STANDARD_NAMES
                    else "a custom event, nearly named like a standard one; it is not that one"
                )
                self._findings.warn(join("", *steps), value, why, like)


def _is_free(steps: tuple[str | int, ...]) -> bool:
    return len(steps) > 2 and steps[0] == "segments" and steps[2] == _FREE


def _may_be_null(steps: tuple[str | int, ...]) -> bool:
    return _is_free(steps) or (len(steps) == 4 and steps[0] == "scores" and steps[2] == "tiers")


def _whole_characters(text: str) -> bool:
    """Whether it can be encoded: a half of a surrogate pair alone is no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
