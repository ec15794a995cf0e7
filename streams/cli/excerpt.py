"""A line of a file with a mark under a column, as compilers show it."""

from __future__ import annotations

from streams.segmentation import Problem

_WIDTH = 76
_LEAD = 30


def excerpt(line: str, number: int, column: int) -> list[str]:
    """The line with its number, and below it a caret under the column, counted from 1. Long lines are cut."""
    text, place = line.replace("\t", " "), column - 1
    margin = max(5, len(str(number)) + 2)
    width = _WIDTH - margin
    begin = max(0, min(place - _LEAD, len(text) - width)) if len(text) > width else 0
    part = text[begin : begin + width]
    part = ("…" + part[1:] if begin else part) if begin + width >= len(text) else part[:-1] + "…"
    return [f"{number:>{margin}} | {part}", f"{'':>{margin}} | {' ' * (place - begin)}^"]


def warning_text(warning: Problem) -> str:
    """A warning in one line, marked as such behind its place."""
    place = f"{warning.file}:{warning.line}:{warning.column}: " if warning.line else ""
    return f"{place}warning: {warning.path}: {warning.sentence}"
