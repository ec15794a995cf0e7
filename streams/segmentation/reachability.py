"""Whether a condition can hold at all, of any contact at any time.

A condition is a boolean function of its leaves. Most leaves are free of one another; those that are not come in
groups (bounds on one score, counts of the same events, values of one trait) that can only be in certain *states*.
The states of all groups are searched for some that make the condition true, to a bound; past it nothing is claimed.
What is called impossible is impossible. What is not may still be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from streams.segmentation.canonical import meaning
from streams.segmentation.expressions import All, InSegment, Leaf, Node, Not
from streams.segmentation.reachable_states import Readings, State, groups_of

MAX_TRIES = 4096
Tree: TypeAlias = str | tuple[Literal["all", "any", "not"], "list[Tree]"]
"""A condition with a name in the place of each leaf; leaves that say the same have the same name."""


@dataclass(frozen=True, slots=True)
class World:
    """What is known of the scores, and of the segments that nobody can be in."""

    readings: Readings
    empty: set[str] = field(default_factory=set)
    _names: dict[int, tuple[str, Leaf]] = field(default_factory=dict)
    """Of each leaf that was met; kept with it, so that no other leaf comes to have its identity."""

    def can_hold(self, node: Node) -> bool:
        """False only where `node` can never be true."""
        leaves: dict[str, Leaf] = {}
        tree = self._named(node, leaves)
        groups = groups_of(leaves, self.readings)
        known = {_of_segment(name): False for name in self.empty}
        settled = known.keys() | {name for group in groups for name in group[0]}
        signs: dict[str, set[bool]] = {}
        for sign, name in _signs(tree, True):
            signs.setdefault(name, set()).add(sign)
        for name, seen in signs.items():
            if name not in settled and len(seen) == 1:
                known[name] = next(iter(seen))  # a free leaf that is only wanted, or only unwanted, is best so
            elif name not in settled:
                groups.append([{name: True}, {name: False}])
        return _Search(tree, groups).some(known, 0)

    def _named(self, node: Node, leaves: dict[str, Leaf]) -> Tree:
        """The condition with names; the leaves are put under theirs."""
        if isinstance(node, InSegment):
            return _of_segment(node.segment)
        if isinstance(node, Leaf):
            if id(node) not in self._names:
                self._names[id(node)] = f"{type(node.spec).__name__} {meaning(node.spec)}", node
            name = self._names[id(node)][0]
            leaves[name] = node
            return name
        if isinstance(node, Not):
            return "not", [self._named(node.part, leaves)]
        return "all" if isinstance(node, All) else "any", [self._named(part, leaves) for part in node.parts]


class _Search:
    """Goes through the states, group by group, and turns back as soon as the condition is false."""

    def __init__(self, tree: Tree, groups: list[list[State]]) -> None:
        self._tree = tree
        self._groups = sorted(groups, key=len)
        self._left = MAX_TRIES

    def some(self, known: Mapping[str, bool], place: int) -> bool:
        """Whether some states make the condition true, or too many would have to be tried."""
        truth = _truth(self._tree, known)
        if truth is not None:
            return truth
        for state in self._groups[place]:
            self._left -= 1
            if self._left < 0 or self.some({**known, **state}, place + 1):
                return True
        return False


def _of_segment(name: str) -> str:
    return f"in_segment {name}"


def _signs(tree: Tree, sign: bool) -> Iterator[tuple[bool, str]]:
    """The names of the leaves, each with whether it helps when it is true."""
    if isinstance(tree, str):
        yield sign, tree
        return
    for part in tree[1]:
        yield from _signs(part, sign != (tree[0] == "not"))


def _truth(tree: Tree, known: Mapping[str, bool]) -> bool | None:
    """The condition's truth, where what is known decides it."""
    if isinstance(tree, str):
        return known.get(tree)
    kind, parts = tree
    if kind == "not":
        truth = _truth(parts[0], known)
        return None if truth is None else not truth
    decisive = kind == "any"
    undecided = False
    for part in parts:
        truth = _truth(part, known)
        if truth is decisive:
            return decisive
        undecided |= truth is None
    return None if undecided else not decisive


def entering(when: Node, exit_when: Node | None) -> Node:
    """When a contact enters a segment."""
    return when if exit_when is None else All((when, Not(exit_when)))
