"""Since when conditions hold: a contact's steps are watched one by one while its records are replayed.

The state that is kept of a contact is bounded and cannot say it.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.transitions import Cause
from streams.segmentation.contact import Contact
from streams.segmentation.expressions import Node, compile_test, walk
from streams.segmentation.program import Program
from streams.segmentation.units import Test


class Turn(NamedTuple):
    """A condition came out otherwise: at which instant, and by which step."""

    at_ms: int
    cause: Cause | None
    """None where only the state is known, which does not keep causes."""
    told_ms: int | None = None
    """When it was told, where that was later: by a change of definitions under which it has been so all the time."""


class _Watched(NamedTuple):
    place: int
    test: Test
    reads: int


class Turns:
    """When each condition and each membership of one contact last came out otherwise."""

    def __init__(self, program: Program) -> None:
        nodes = [
            node
            for segment in program.definitions.segments
            for condition in segment.conditions()
            for node in walk(condition)
        ]
        self._watched = [_Watched(id(node), *compile_test(node, program.bit_of)) for node in nodes]
        self._segments = program.segments
        self._last: dict[int | str, Turn] = {}
        self._bits: int | None = None

    def note(self, contact: Contact, at_ms: int, cause: Cause) -> None:
        """The contact has taken a step."""
        before, bits = self._bits, contact.bits
        if bits == before:
            return
        turn = Turn(at_ms, cause)
        changed = -1 if before is None else before ^ bits
        for watched in self._watched:
            if watched.reads & changed and (before is None or watched.test(bits) != watched.test(before)):
                self._last[watched.place] = turn
        for segment in self._segments:
            if segment.bit & changed:
                self._last[segment.name] = turn
        self._bits = bits

    def note_segment(self, name: str, turn: Turn) -> None:
        """Since when the contact is, or is not, in a segment, where its steps do not say it."""
        self._last[name] = turn

    def clear(self) -> None:
        """The contact does not exist any more."""
        self._last.clear()
        self._bits = None

    def of(self, node: Node) -> Turn | None:
        """Since when a condition of the definitions comes out as it does; None where no step was watched."""
        return self._last.get(id(node))

    def of_segment(self, name: str) -> Turn | None:
        """Since when the contact is, or is not, in a segment."""
        return self._last.get(name)

    def of_segments(self) -> dict[str, Turn]:
        """The same of every segment of which it is known, by name."""
        return {name: turn for name, turn in self._last.items() if isinstance(name, str)}
