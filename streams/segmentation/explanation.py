"""Why a contact is in a segment, or why not: the tree of conditions with all that is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.segmentation.blocking import blocking
from streams.segmentation.contact import Contact
from streams.segmentation.core import Core
from streams.segmentation.definitions import Segment
from streams.segmentation.evidence import Evidence, Past
from streams.segmentation.expressions import All, InSegment, Leaf, Node, Not, compile_test, walk, written
from streams.segmentation.forecast import turns_ahead
from streams.segmentation.program import CompiledSegment
from streams.segmentation.turns import Turn, Turns
from streams.segmentation.wording import one_line


@dataclass(frozen=True, slots=True)
class ExplainedNode:
    """A condition of the tree."""

    kind: str
    """`all`, `any`, `not`, or the name of the leaf condition."""
    condition: str
    """As the file has it, on one line."""
    words: str
    """As a person would say it. Empty for `all`, `any` and `not`."""
    holds: bool
    since: Turn | None
    """When it last came out otherwise; None where the log was not read."""
    until_ms: int | None
    """When it will if only the clock moves. None: never, or not within the flips that are searched."""
    evidence: Evidence | None
    parts: tuple[ExplainedNode, ...]
    segment: ExplainedSegment | None
    """The other segment's tree, where it is mentioned for the first time."""

    def missing(self) -> str:
        """What is asked for, and what there is instead."""
        if self.evidence is not None:
            return f"{self.words}: {self.evidence.brief()}"
        return f"{self.words}: {'is' if self.holds else 'is not'}"


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The smallest set of leaves that keeps the contact out: it would come in if all of them came out otherwise."""

    leaves: tuple[ExplainedNode, ...]
    smallest: bool
    """False where the tree is too large to be sure that no smaller set does."""
    possible: bool = True
    """False where the conditions contradict themselves, so that nothing lets the contact in."""


@dataclass(frozen=True, slots=True)
class ExplainedSegment:
    """A segment, and the contact's membership of it."""

    segment: str
    member: bool
    sequence: int
    """Transitions so far."""
    since: Turn
    until_ms: int | None
    when: ExplainedNode
    exit_when: ExplainedNode | None
    why_not: WhyNot | None
    """None for a member."""


class Explainer:
    """Explains one contact at `now_ms`; all its timers due by then must have fired.

    Without `turns` it is not known since when conditions hold, and without `past` events are known by their time only.
    """

    def __init__(
        self, core: Core, contact: Contact, now_ms: int, past: Past | None = None, turns: Turns | None = None
    ) -> None:
        self.definitions = core.definitions
        self.contact = contact
        self.now_ms = now_ms
        self._core = core
        self._past = past or Past()
        self._turns = turns
        self._compiled = {segment.name: segment for segment in core.program.segments}
        self._defined = {segment.name: segment for segment in core.definitions.segments}

    def segments(self) -> list[ExplainedSegment]:
        """Every segment, those that the contact is in first."""
        explained = [self.segment(name) for name in self._compiled]
        return sorted(explained, key=lambda segment: not segment.member)

    def segment(self, name: str) -> ExplainedSegment:
        """One segment, with the trees of those that it refers to."""
        return self._segment(name, {name})

    def _segment(self, name: str, expanded: set[str]) -> ExplainedSegment:
        compiled, defined = self._compiled[name], self._defined[name]
        ahead = self._ahead(compiled, defined)
        when = self._node(defined.when, ahead, expanded)
        exit_when = None if defined.exit_when is None else self._node(defined.exit_when, ahead, expanded)
        member = bool(self.contact.bits & compiled.bit)
        return ExplainedSegment(
            segment=name,
            member=member,
            sequence=self.contact.sequences.get(compiled.index, 0),
            since=self._since(compiled),
            until_ms=self._core.valid_until(self.contact, compiled),
            when=when,
            exit_when=exit_when,
            why_not=None if member else self._why_not(defined, ahead),
        )

    def _ahead(self, compiled: CompiledSegment, defined: Segment) -> dict[int, int | None]:
        """Until when each condition of a segment comes out as it does, by the condition's place in memory."""
        nodes = [node for condition in defined.conditions() for node in walk(condition)]
        tests = [compile_test(node, self._core.program.bit_of)[0] for node in nodes]
        return {id(node): at_ms for node, at_ms in zip(nodes, turns_ahead(self.contact, compiled, tests), strict=True)}

    def _since(self, compiled: CompiledSegment) -> Turn:
        turn = None if self._turns is None else self._turns.of_segment(compiled.name)
        if turn is not None:
            return turn
        moved = self.contact.sequences.get(compiled.index, 0)
        return Turn(self.contact.since_ms[compiled.index] if moved else self.contact.known_since_ms, None)

    def _node(self, node: Node, ahead: Mapping[int, int | None], expanded: set[str]) -> ExplainedNode:
        test, _ = compile_test(node, self._core.program.bit_of)
        parts: tuple[Node, ...] = ()
        if not isinstance(node, Leaf | InSegment):
            parts = (node.part,) if isinstance(node, Not) else node.parts
        segment = None
        if isinstance(node, InSegment) and node.segment not in expanded:
            expanded.add(node.segment)
            segment = self._segment(node.segment, expanded)
        return ExplainedNode(
            kind=_kind(node),
            condition=one_line(written(node)),
            words=_words(node),
            holds=test(self.contact.bits),
            since=None if self._turns is None else self._turns.of(node),
            until_ms=ahead[id(node)],
            evidence=self._evidence(node) if isinstance(node, Leaf) else None,
            parts=tuple(self._node(part, ahead, expanded) for part in parts),
            segment=segment,
        )

    def _evidence(self, leaf: Leaf) -> Evidence:
        unit = self._core.program.unit_of(leaf)
        return unit.evidence(self.contact, self.now_ms, self._past, leaf.spec)

    def _why_not(self, defined: Segment, ahead: Mapping[int, int | None]) -> WhyNot:
        bit_of = self._core.program.bit_of
        found = blocking(defined.when, defined.exit_when, self.contact.bits, bit_of)
        if found is None:
            return WhyNot((), True, possible=False)
        leaves: dict[int, ExplainedNode] = {}
        for condition in defined.conditions():
            for node in walk(condition):
                if isinstance(node, Leaf | InSegment) and found.leaves & bit_of(node):
                    leaves.setdefault(bit_of(node), self._node(node, ahead, set(self._defined)))
        return WhyNot(tuple(leaves.values()), found.smallest)


def _kind(node: Node) -> str:
    if isinstance(node, Leaf):
        return next(iter(node.written))
    if isinstance(node, InSegment):
        return "in_segment"
    return "not" if isinstance(node, Not) else "all" if isinstance(node, All) else "any"


def _words(node: Node) -> str:
    if isinstance(node, Leaf):
        return node.kind.wording(next(iter(node.written.values())))
    return f"in the segment {node.segment}" if isinstance(node, InSegment) else ""
