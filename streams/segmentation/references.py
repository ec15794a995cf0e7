"""What refers to what: the order of evaluation, circles, and all that a segment rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, TypeAlias

from streams.segmentation.expressions import InSegment, Leaf, Node, walk
from streams.segmentation.problems import Findings, join


class Place(NamedTuple):
    """A segment or a score."""

    kind: Literal["segments", "scores"]
    name: str

    def __str__(self) -> str:
        return join(self.kind, self.name)


References: TypeAlias = Callable[[Place], list[Place]]


def references(conditions: Iterable[Node]) -> list[Place]:
    """Segments and scores that conditions refer to directly, in the order of the file."""
    found: dict[Place, None] = {}
    for condition in conditions:
        for node in walk(condition):
            if isinstance(node, InSegment):
                found[Place("segments", node.segment)] = None
            elif isinstance(node, Leaf):
                found.update((Place("scores", name), None) for name in node.kind.score(node.spec))
    return list(found)


def in_order(starts: Iterable[Place], of: References, findings: Findings) -> list[Place]:
    """Depth-first, each right after those it refers to; circles are noted."""
    done: dict[Place, None] = {}
    under_way: list[Place] = []

    def visit(place: Place) -> None:
        if place in done:
            return
        if place in under_way:
            circle = " -> ".join(str(each) for each in [*under_way[under_way.index(place) :], place])
            findings.add(str(place), place.name, f"expected no circle of references: {circle}")
            return
        under_way.append(place)
        for other in of(place):
            visit(other)
        under_way.pop()
        done[place] = None

    for start in starts:
        visit(start)
    return list(done)


def reached_from(start: Place, of: References) -> set[Place]:
    """All that a place rests on, itself left out."""
    found: set[Place] = set()
    waiting = of(start)
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += of(place)
    return found - {start}
