"""Definitions compiled to what the core runs: units, bits, and segments as tests on bits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from streams.segmentation.conditions.reading import ScoreLeafSpec
from streams.segmentation.definitions import Definitions, Segment
from streams.segmentation.expressions import InSegment, Leaf, compile_test, walk, written
from streams.segmentation.file_parts import Label
from streams.segmentation.mix import MixUnit
from streams.segmentation.points import PointsUnit
from streams.segmentation.readings import ScoreUnit
from streams.segmentation.references import Place
from streams.segmentation.scores import Span
from streams.segmentation.units import Test, Unit
from streams.segmentation.wording import one_line


@dataclass(frozen=True, slots=True)
class CompiledSegment:
    """A segment as the core evaluates it."""

    index: int
    name: str
    label: Label
    bit: int
    when: Test
    exit_when: Test | None
    reads: int
    """Bits that its own conditions read, memberships included."""
    leaf_mask: int
    """Bits of all leaves that it rests on, also through other segments; a score is one leaf."""
    all_read: int
    """Bits of all that decides on it, through other segments and scores too."""
    units: tuple[Unit, ...]
    """Units that it rests on, also through other segments and scores, those that read other bits left out."""
    rests_on: tuple[Dependent, ...]
    """What it rests on that reads other bits, in order of evaluation."""
    flips: tuple[int, ...]
    """Indexes of all units that it rests on."""
    scores: tuple[ScoreUnit, ...]
    """Scores that it uses, directly or through other segments, in the order of the file."""

    def member(self, bits: int) -> bool:
        """Whether the contact is in it, given all bits, its former membership among them."""
        if self.exit_when is None:
            return self.when(bits)
        if bits & self.bit:
            return not self.exit_when(bits)
        return self.when(bits) and not self.exit_when(bits)


Dependent: TypeAlias = CompiledSegment | ScoreUnit
"""What reads bits of others: a segment, or a score with points while a condition holds."""


class Program:
    """Units and segments of a set of definitions. A set is compiled once and serves every contact."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.units: list[Unit] = []
        self.scores: dict[str, ScoreUnit] = {}
        self.segments: list[CompiledSegment] = []
        self.dependents: list[Dependent] = []
        """In order of evaluation."""
        self._bits_used = 0
        self._leaf_bits: dict[Hashable, int] = {}
        self._unit_of_past: dict[Hashable, Unit] = {}
        self._unit_of_bit: dict[int, Unit] = {}
        self._place_of_bit: dict[int, int] = {}
        """By bit of a dependent: its place among them."""
        self._all_read_by: list[int] = []
        """By place of a dependent: all bits that decide on it."""
        self._readers_of_bit: dict[int, int] = {}
        """By bit: the dependents that read it, as bits of their places."""
        self._make_units()
        self._leaves = (1 << self._bits_used) - 1
        """The bits of all leaves; those of memberships lie above them."""
        self._segment_bits = {segment.name: self._new_bit() for segment in definitions.segments}
        self.names = frozenset(self._segment_bits)
        """Of the segments."""
        self._add_whiles()
        by_name = {segment.name: segment for segment in definitions.segments}
        for place in definitions.order:
            if place.kind == "segments":
                compiled = self._compile(by_name[place.name])
                self.segments.append(compiled)
                self._add_dependent(compiled, compiled.bit)
            elif self.scores[place.name].reads:
                self._add_dependent(self.scores[place.name], self.scores[place.name].mask)
        self.readers = [self._readers(unit.mask) for unit in self.units]
        """By unit: the dependents that read it, as bits of their places."""
        self.readers_of_segment = [self._readers(segment.bit) for segment in self.segments]
        """By segment, likewise."""
        self.by_event = self._index((unit, unit.events) for unit in self.units)
        self.by_fact = self._index((unit, unit.facts) for unit in self.units)

    def _make_units(self) -> None:
        definitions = self.definitions
        for name, spec in definitions.scores.items():
            kind = PointsUnit if spec.mix is None else MixUnit
            self.scores[name] = kind(name, spec, definitions.zone)
        conditions = [node for segment in definitions.segments for node in segment.conditions()]
        conditions += [rule.condition for rules in definitions.whiles.values() for rule in rules]
        for condition in conditions:
            for node in walk(condition):
                if isinstance(node, Leaf) and self._identity(node) not in self._leaf_bits:
                    self._add_leaf(node)
        for score in self.scores.values():
            self._add_unit(score)

    def _add_whiles(self) -> None:
        for name, rules in self.definitions.whiles.items():
            score = self.scores[name]
            for rule in rules:
                test, reads = compile_test(rule.condition, self.bit_of)
                assert isinstance(score, PointsUnit), "a mix has no rules"
                score.add_while(test, reads, rule.points, one_line(written(rule.condition)))

    def _add_dependent(self, dependent: Dependent, own_bits: int) -> None:
        place = len(self.dependents)
        self.dependents.append(dependent)
        self._all_read_by.append(self._all_read(dependent.reads))
        for bit in _each(own_bits):
            self._place_of_bit[bit] = place
        for bit in _each(dependent.reads):
            self._readers_of_bit[bit] = self._readers_of_bit.get(bit, 0) | 1 << place

    def _new_bit(self) -> int:
        bit = 1 << self._bits_used
        self._bits_used += 1
        return bit

    def _add_unit(self, unit: Unit) -> None:
        unit.index = len(self.units)
        self.units.append(unit)

    def _add_leaf(self, leaf: Leaf) -> None:
        bit = self._leaf_bits[self._identity(leaf)] = self._new_bit()
        if leaf.kind.build is None:
            score = self._unit_of_bit[bit] = self.scores[leaf.spec.name]
            score.watch(bit, self._span(leaf))
            return
        past = self._past(leaf)
        unit = self._unit_of_past.get(past)
        if unit is None:
            unit = self._unit_of_past[past] = leaf.kind.build(leaf.spec, self.definitions.zone)
            self._add_unit(unit)
        unit.watch(bit, leaf.spec)
        self._unit_of_bit[bit] = unit

    def _span(self, leaf: Leaf) -> Span:
        """The readings at which a leaf on a score holds."""
        spec = leaf.spec
        return spec.span() if isinstance(spec, ScoreLeafSpec) else self.scores[spec.name].span_of_tier(spec.is_)

    @staticmethod
    def _past(leaf: Leaf) -> Hashable:
        """What a leaf rests on. Leaves that rest on the same share a unit."""
        return leaf.kind.build, leaf.kind.past(leaf.spec)

    def _identity(self, leaf: Leaf) -> Hashable:
        """What a leaf means, however it is written. Leaves that mean the same are one bit."""
        if leaf.kind.build is None:
            return leaf.spec.name, self._span(leaf)
        return self._past(leaf), leaf.kind.asks(leaf.spec)

    def bit_of(self, node: Leaf | InSegment) -> int:
        """The bit that says whether a leaf holds."""
        return self._leaf_bits[self._identity(node)] if isinstance(node, Leaf) else self._segment_bits[node.segment]

    def unit_of(self, leaf: Leaf) -> Unit:
        """The unit that decides on a leaf."""
        return self._unit_of_bit[self.bit_of(leaf)]

    def units_of(self, place: Place) -> tuple[Unit, ...]:
        """The units that a segment or a score rests on, a score's own among them."""
        if place.kind == "segments":
            compiled = next(segment for segment in self.segments if segment.name == place.name)
            return tuple(self.units[index] for index in compiled.flips)
        score = self.scores[place.name]
        below = [other for other in self._dependents_below(score.reads) if isinstance(other, ScoreUnit)]
        return (*self._units_below(score.reads), *below, score)

    def _compile(self, segment: Segment) -> CompiledSegment:
        when, reads = compile_test(segment.when, self.bit_of)
        exit_when = None
        if segment.exit_when is not None:
            exit_when, exit_reads = compile_test(segment.exit_when, self.bit_of)
            reads |= exit_reads
        leaf_mask = reads & self._leaves
        read = [self._unit_of_bit[bit] for bit in _each(leaf_mask)]
        scores = {unit.name for unit in read if isinstance(unit, ScoreUnit)}
        below, units = self._dependents_below(reads), self._units_below(reads)
        whiles = [other for other in below if isinstance(other, ScoreUnit)]
        for other in below:
            if isinstance(other, CompiledSegment) and other.bit & reads:
                leaf_mask |= other.leaf_mask
                scores.update(score.name for score in other.scores)
        return CompiledSegment(
            index=len(self.segments),
            name=segment.name,
            label=segment.label(),
            bit=self._segment_bits[segment.name],
            when=when,
            exit_when=exit_when,
            reads=reads,
            leaf_mask=leaf_mask,
            all_read=self._all_read(reads),
            units=units,
            rests_on=tuple(below),
            flips=tuple(unit.index for unit in (*units, *whiles)),
            scores=tuple(score for name, score in self.scores.items() if name in scores),
        )

    def _all_read(self, reads: int) -> int:
        """All bits that decide on some bits, through segments and scores, themselves included."""
        found = reads
        for bit in _each(reads):
            place = self._place_of_bit.get(bit)
            if place is not None:  # of a score that reads others, or of a segment; each stands after all that it reads
                found |= self._all_read_by[place]
        return found

    def _units_below(self, reads: int) -> tuple[Unit, ...]:
        read = [self._unit_of_bit[bit] for bit in _each(self._all_read(reads) & self._leaves)]
        return tuple({unit.index: unit for unit in read if not unit.reads}.values())

    def _dependents_below(self, reads: int) -> list[Dependent]:
        places = {self._place_of_bit[bit] for bit in _each(self._all_read(reads)) if bit in self._place_of_bit}
        return [self.dependents[place] for place in sorted(places)]

    def _readers(self, bits: int) -> int:
        readers = 0
        for bit in _each(bits):
            readers |= self._readers_of_bit.get(bit, 0)
        return readers

    @staticmethod
    def _index(pairs: Iterable[tuple[Unit, frozenset[str]]]) -> dict[str, tuple[Unit, ...]]:
        index: dict[str, list[Unit]] = {}
        for unit, names in pairs:
            for name in names:
                index.setdefault(name, []).append(unit)
        return {name: tuple(units) for name, units in index.items()}


def _each(bits: int) -> Iterator[int]:
    """Each bit of a mask, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest
        bits ^= lowest
