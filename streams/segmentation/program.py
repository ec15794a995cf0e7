"""Definitions compiled to what the core runs: units, bits, and segments as tests on bits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streams.segmentation.conditions.reading import ScoreLeafSpec
from streams.segmentation.definitions import Definitions, Segment
from streams.segmentation.expressions import InSegment, Leaf, Test, compile_test
from streams.segmentation.points import ScoreUnit
from streams.segmentation.units import Unit


@dataclass(frozen=True, slots=True)
class CompiledSegment:
    """A segment as the core evaluates it."""

    index: int
    name: str
    tags: list[str]
    definition: str
    bit: int
    when: Test
    exit_when: Test | None
    reads: int
    """Bits that its own conditions read, memberships included."""
    leaf_mask: int
    """Bits of all leaves that it rests on, also through other segments."""
    units: tuple[Unit, ...]
    """Units of those leaves."""
    rests_on: tuple[int, ...]
    """Indexes of the segments that it rests on, in order of evaluation, itself last."""
    scores: tuple[ScoreUnit, ...]
    """Scores that it uses, directly or through other segments, in the order of the file."""

    def member(self, bits: int) -> bool:
        """Whether the contact is in it, given all bits, its former membership among them."""
        if self.exit_when is None:
            return self.when(bits)
        if bits & self.bit:
            return not self.exit_when(bits)
        return self.when(bits) and not self.exit_when(bits)


class Program:
    """Units and segments of a set of definitions. A set is compiled once and serves every contact."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.units: list[Unit] = []
        self.scores: dict[str, ScoreUnit] = {}
        self.segments: list[CompiledSegment] = []
        self._bits_used = 0
        self._leaf_bits: dict[str, int] = {}
        self._unit_of_bit: dict[int, Unit] = {}
        for name, spec in definitions.scores.items():
            self.scores[name] = ScoreUnit(name, spec, definitions.zone)
        for segment in definitions.segments:
            for node in segment.nodes():
                if isinstance(node, Leaf) and node.text not in self._leaf_bits:
                    self._add_leaf(node)
        for score in self.scores.values():
            self._add_unit(score)
        self._segment_bits = {segment.name: self._new_bit() for segment in definitions.segments}
        for segment in definitions.segments:
            self.segments.append(self._compile(segment))
        self.by_event = self._index((unit, unit.events) for unit in self.units)
        self.by_fact = self._index((unit, unit.facts) for unit in self.units)

    def _new_bit(self) -> int:
        bit = 1 << self._bits_used
        self._bits_used += 1
        return bit

    def _add_unit(self, unit: Unit) -> None:
        unit.index = len(self.units)
        self.units.append(unit)

    def _add_leaf(self, leaf: Leaf) -> None:
        bit = self._new_bit()
        self._leaf_bits[leaf.text] = bit
        if leaf.kind.build is not None:
            unit = leaf.kind.build(leaf.spec, self.definitions.zone)
            unit.mask = bit
            self._add_unit(unit)
            self._unit_of_bit[bit] = unit
            return
        score = self.scores[leaf.spec.name]
        spec = leaf.spec
        score.watch(bit, spec.span() if isinstance(spec, ScoreLeafSpec) else score.span_of_tier(spec.is_))
        self._unit_of_bit[bit] = score

    def _bit_of(self, node: Leaf | InSegment) -> int:
        return self._leaf_bits[node.text] if isinstance(node, Leaf) else self._segment_bits[node.segment]

    def _compile(self, segment: Segment) -> CompiledSegment:
        when, reads = compile_test(segment.when, self._bit_of)
        exit_when = None
        if segment.exit_when is not None:
            exit_when, exit_reads = compile_test(segment.exit_when, self._bit_of)
            reads |= exit_reads
        below = [other for other in self.segments if other.bit & reads]
        leaf_mask = reads & (self._segment_mask() - 1)
        rests_on = {index for other in below for index in other.rests_on}
        for other in below:
            leaf_mask |= other.leaf_mask
        units = {id(unit): unit for bit, unit in self._unit_of_bit.items() if bit & leaf_mask}
        scores = {score.name for other in below for score in other.scores}.union(segment.score_names())
        index = len(self.segments)
        return CompiledSegment(
            index=index,
            name=segment.name,
            tags=list(segment.tags),
            definition=segment.definition,
            bit=self._segment_bits[segment.name],
            when=when,
            exit_when=exit_when,
            reads=reads,
            leaf_mask=leaf_mask,
            units=tuple(units.values()),
            rests_on=(*sorted(rests_on), index),
            scores=tuple(score for name, score in self.scores.items() if name in scores),
        )

    def _segment_mask(self) -> int:
        """The lowest bit of a membership: all bits under it are leaves."""
        return min(self._segment_bits.values())

    @staticmethod
    def _index(pairs: Iterable[tuple[Unit, frozenset[str]]]) -> dict[str, tuple[Unit, ...]]:
        index: dict[str, list[Unit]] = {}
        for unit, names in pairs:
            for name in names:
                index.setdefault(name, []).append(unit)
        return {name: tuple(units) for name, units in index.items()}
