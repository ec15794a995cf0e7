"""What refers to what: the order of evaluation, circles, and all that a segment rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from streams.segmentation.expressions import InSegment, Leaf, Node, walk
from streams.segmentation.problems import Findings, join
from streams.segmentation.refusals import ABSENT


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
    under_way: dict[Place, Iterator[Place]] = {}
    for start in starts:
        if start not in done:
            under_way[start] = iter(of(start))
        while under_way:
            place = next(reversed(under_way))
            other = next(under_way[place], None)
            if other is None:
                del under_way[place]
                done[place] = None
            elif other in under_way:
                around = list(under_way)
                circle = " -> ".join(str(each) for each in [*around[around.index(other) :], other])
                findings.add(str(other), ABSENT, f"expected no circle of references: {circle}", on_key=True)
            elif other not in done:
                under_way[other] = iter(of(other))
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
