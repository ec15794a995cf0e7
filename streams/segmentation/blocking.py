"""Why not: the smallest set of leaves that keeps a contact out of a segment.

A *change* is a set of leaves that turn, under which a condition comes out as wanted. Of two changes that ask the
same of leaves which stand at several places, only the smaller can be part of a smallest one. So leaves that stand
at one place never multiply, and the search is exact for trees of any size as long as few leaves are repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from streams.segmentation.expressions import All, Any_, InSegment, Leaf, Node, Not, walk

MAX_CHANGES = 250
"""Changes that are kept of one condition; past that the smallest are, and the answer may not be the smallest."""


class Change(NamedTuple):
    """Leaves that turn, and repeated leaves that must stay as they are, both as bits."""

    turned: int
    kept: int


class Blocking(NamedTuple):
    """Leaves, as bits, that would all have to turn; `smallest` where no smaller set does.

    No leaves: so many are repeated that none was found within the search.
    """

    leaves: int
    smallest: bool


def blocking(
    when: Node, exit_when: Node | None, bits: int, bit_of: Callable[[Leaf | InSegment], int]
) -> Blocking | None:
    """The leaves that keep a contact with these bits out. None: whatever turns, it stays out.

    It comes in where `when` holds and `exit_when`, if there is one, does not.
    """
    wanted: Node = when if exit_when is None else All((when, Not(exit_when)))
    search = _Search(wanted, bits, bit_of)
    changes = search.changes(wanted, True)
    if not changes:
        return Blocking(0, smallest=False) if search.cut else None
    return Blocking(changes[0].turned, not search.cut)


class _Search:
    def __init__(self, root: Node, bits: int, bit_of: Callable[[Leaf | InSegment], int]) -> None:
        self._bits = bits
        self._bit_of = bit_of
        once = self._repeated = 0
        for node in walk(root):
            if isinstance(node, Leaf | InSegment):
                bit = bit_of(node)
                self._repeated |= once & bit
                once |= bit
        self.cut = False

    def changes(self, node: Node, wanted: bool) -> list[Change]:
        """Changes under which the node comes out as wanted, the smallest first; none where it cannot."""
        if isinstance(node, Leaf | InSegment):
            bit = self._bit_of(node)
            if bool(self._bits & bit) == wanted:
                return [Change(0, bit & self._repeated)]
            return [Change(bit, 0)]
        if isinstance(node, Not):
            return self.changes(node.part, not wanted)
        alternatives = [self.changes(part, wanted) for part in node.parts]
        if isinstance(node, Any_) == wanted:
            return self._best(change for changes in alternatives for change in changes)
        together = [Change(0, 0)]
        for changes in alternatives:
            together = self._best(_joined(together, changes))
        return together

    def _best(self, changes: Iterable[Change]) -> list[Change]:
        """Without those that are no better than another, wherever they are used."""
        kept: list[Change] = []
        for change in sorted(dict.fromkeys(changes), key=_size):
            if any(self._covers(other, change) for other in kept):
                continue
            if len(kept) == MAX_CHANGES:
                self.cut = True
                break
            kept.append(change)
        return kept

    def _covers(self, other: Change, change: Change) -> bool:
        """Whether `other` asks for no more of repeated leaves, and turns no more of the others."""
        repeated = self._repeated
        return (
            other.turned & repeated & ~change.turned == 0
            and other.kept & ~change.kept == 0
            and (other.turned & ~repeated).bit_count() <= (change.turned & ~repeated).bit_count()
        )


def _joined(left: list[Change], right: list[Change]) -> Iterable[Change]:
    for one in left:
        for other in right:
            turned, kept = one.turned | other.turned, one.kept | other.kept
            if not turned & kept:
                yield Change(turned, kept)


def _size(change: Change) -> int:
    return change.turned.bit_count()
