"""Conditions in words: as the file writes them, on one line, and as a person would say them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import yaml

from schemas.instants import format_instant

Wording: TypeAlias = Callable[[Any], str]
"""The body of a condition as it is written, as a phrase."""

_KEYS = (
    *("event", "name", "trait", "purpose", "property", "function", "of", "to", "steps", "where"),
    *("eq", "ne", "in", "not_in", "gt", "gte", "lt", "lte", "contains", "starts_with", "matches", "exists"),
    *("older_than", "newer_than", "within_next", "within", "ago", "in_last", "since", "nth", "min"),
    *("days_before", "days", "zone", "is", "at_least", "at_most", "exactly", "between", "include_machine"),
)
_RANK = {key: rank for rank, key in enumerate(_KEYS)}
"""In this order people write the keys; the log has them sorted."""
_SYMBOLS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<", "eq": "=", "ne": "is not"}
_OPERATORS = {**_SYMBOLS, "in": "one of", "not_in": "none of", "contains": "contains", "starts_with": "starts with",
              "matches": "matches"}  # fmt: skip


def one_line(value: Any) -> str:
    """A condition, or a part of one, in one line of YAML: `performed: {event: purchase, within: 30d}`."""
    text = yaml.safe_dump(
        _arranged(value), default_flow_style=True, width=1 << 20, sort_keys=False, allow_unicode=True
    ).removesuffix("...\n")
    text = text.rstrip("\n")
    return text[1:-1] if isinstance(value, dict) else text


def _arranged(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _arranged(value[key]) for key in sorted(value, key=lambda key: (_RANK.get(key, 99), str(key)))}
    return [_arranged(item) for item in value] if isinstance(value, list) else value


def instant(instant_ms: int) -> str:
    """RFC 3339, without milliseconds where there are none."""
    return format_instant(instant_ms).replace(".000Z", "Z")


def number(value: Fraction | float) -> str:
    """At most six decimals."""
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


def duration(duration_ms: int) -> str:
    """`7d`, `36h`, `90s`: the largest unit of which it is a whole number, up to days."""
    for unit, length_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if duration_ms % length_ms == 0:
            return f"{duration_ms // length_ms}{unit}"
    return f"{duration_ms // 1000}s"


def plural(count: int, noun: str) -> str:
    """`1 event`, `3 events`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def bounds(body: dict[str, Any]) -> str:
    """The comparisons of a body: `>= 10 and < 20`."""
    return " and ".join(f"{symbol} {body[key]}" for key, symbol in _SYMBOLS.items() if body.get(key) is not None)


def operators(body: dict[str, Any]) -> str:
    """The operators of a filter or a trait: `= "pro"`, `one of "a", "b"`, `exists`."""
    told = [f"{word} {_option(body[key])}" for key, word in _OPERATORS.items() if body.get(key) is not None]
    if body.get("exists") is not None:
        told.append("is set" if body["exists"] else "is not set")
    return " and ".join(told)


def _option(value: Any) -> str:
    return (
        ", ".join(map(_option, value))
        if isinstance(value, list)
        else f'"{value}"'
        if isinstance(value, str)
        else str(value)
    )


def event(body: dict[str, Any]) -> str:
    """The events that are meant: `purchase where amount >= 50`."""
    where = body.get("where") or ()
    filters = " and ".join(f"{each['property']} {operators(each)}" for each in where)
    return f"{body['event']} where {filters}" if filters else str(body["event"])


def counted(body: dict[str, Any]) -> str:
    """The events that are meant, and when: `purchase in 30d since the last cart_add`."""
    text = event(body)
    if body.get("within") is not None:
        text += f" in {body['within']}"
    if body.get("ago") is not None:
        text += f", {body['ago']} ago"
    since = body.get("since")
    if since is None:
        return text
    nth = since.get("nth", 1)
    return f"{text} since the {'last' if nth == 1 else f'{_ordinal(nth)} newest'} {event(since)}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def printable(text: str) -> str:
    """`text` with an escape for what moves a terminal's cursor or cannot be seen: `\\n` for a line feed."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
