"""Draws the parts of a definition file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import strategies as st

from tests.oracle.language import File

T = TypeVar("T")


@dataclass(frozen=True)
class Taste:
    """What a family of files is to consist of; a rich one has filters, `since` and every kind of points.

    Where it is chained, there are more scores, most of which follow one another.
    """

    leaves: tuple[str, ...]
    max_segments: int = 3
    rich: bool = False
    chained: bool = False


@dataclass
class Writer:
    """Draws for one file."""

    draw: st.DrawFn
    taste: Taste
    durations: tuple[str, ...] = ()
    """Those that the file may use."""
    scores: File = field(default_factory=dict)
    """Those that it has so far."""
    base: tuple[str, ...] = ()
    """Segments that refer to nothing, so that everything may refer to them."""

    def one(self, options: Sequence[T]) -> T:
        """One of the options; the first is the simplest."""
        return options[self.draw(st.integers(0, len(options) - 1))]

    def sometimes(self) -> bool:
        """True once in four times."""
        return bool(self.draw(st.integers(0, 3)) == 3)

    def duration(self) -> str:
        """One of the durations that the file may use."""
        return self.one(self.durations)
