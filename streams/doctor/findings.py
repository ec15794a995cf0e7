"""What a check says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, TypeAlias

from streams.doctor.facts import Facts

Level: TypeAlias = Literal["ok", "warning", "error"]


class Finding(NamedTuple):
    """One thing that was looked at: what was found, and, where it is not well, what was expected and the fix."""

    about: str
    level: Level
    found: str
    expected: str = ""
    fix: str = ""


Check: TypeAlias = Callable[[Facts], Iterable[Finding]]


def ok(about: str, found: str) -> Finding:
    """It is well."""
    return Finding(about, "ok", found)


def warning(about: str, found: str, expected: str, fix: str) -> Finding:
    """It works today."""
    return Finding(about, "warning", found, expected, fix)


def error(about: str, found: str, expected: str, fix: str) -> Finding:
    """It does not work, or loses something."""
    return Finding(about, "error", found, expected, fix)


def numbers(partitions: Iterable[int]) -> str:
    """`0, 2, 5`."""
    return ", ".join(str(partition) for partition in sorted(partitions))
