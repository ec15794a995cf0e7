"""Groups of leaves that depend on one another, and the states that such a group can be in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, TypeAlias

from streams.segmentation.comparisons import Comparisons, satisfiable
from streams.segmentation.conditions.aggregate_spec import AggregateSpec
from streams.segmentation.conditions.performed import NotPerformedSpec
from streams.segmentation.conditions.ratio import RatioSpec
from streams.segmentation.conditions.reading import ScoreLeafSpec, TierLeafSpec
from streams.segmentation.conditions.standing import ConsentSpec, KnownForSpec
from streams.segmentation.conditions.trait import TraitSpec
from streams.segmentation.expressions import Leaf
from streams.segmentation.file_parts import WhileRule
from streams.segmentation.quantities import MILLI, NANO
from streams.segmentation.scores import UNBOUNDED, ScoreSpec, Span
from streams.segmentation.trait_states import is_simple, trait_states

State: TypeAlias = dict[str, bool]
"""Which leaves of a group are true, by their text."""
MAX_STATES = 256
_FOREVER_MS = 1 << 60
_ANY_COUNT = 1 << 30
"""No contact has so many events; a comparison without an upper bound ends here."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The scores of a file, and the readings that they can have."""

    scores: Mapping[str, ScoreSpec]
    whiles: Mapping[str, tuple[WhileRule, ...]]

    def span(self, name: str) -> Span:
        """The readings that a score can have, in thousandths."""
        spec = self.scores.get(name)
        if spec is None:
            return Span(-UNBOUNDED, UNBOUNDED)
        low, last = self._unbounded(name, spec)
        floor = -UNBOUNDED if spec.floor is None else spec.floor
        cap = UNBOUNDED if spec.cap is None else spec.cap
        return Span(max(floor, min(cap, low)), min(max(floor, min(cap, last)) + 1, UNBOUNDED))

    def tier(self, name: str, tier: str) -> Span:
        """The readings of a tier."""
        spec = self.scores.get(name)
        spans = {} if spec is None else spec.tier_spans()
        return spans.get(tier, Span(-UNBOUNDED, UNBOUNDED))

    def _unbounded(self, name: str, spec: ScoreSpec) -> tuple[int, int]:
        if spec.mix is not None:
            weights = [part.weight for part in spec.mix]
            low, high = sum(min(0, each) for each in weights), sum(max(0, each) for each in weights)
            return _read(low), _read(high)
        points = [rule.points for rule in self.whiles.get(name, ())]
        for rule in spec.points or ():
            # A property that multiplies them may be negative.
            points += [rule.points, -rule.points] if rule.per is not None else [rule.points]
        low = 0 if all(each >= 0 for each in points) else -UNBOUNDED
        return low, 0 if all(each <= 0 for each in points) else UNBOUNDED


def _read(nano: int) -> int:
    """A sum in billionths as it is read, in thousandths."""
    return (2 * nano * MILLI + NANO) // (2 * NANO)


def groups_of(leaves: Mapping[str, Leaf], readings: Readings) -> list[list[State]]:
    """Groups of leaves, each with all states that it can be in; leaves that depend on nothing are in none."""
    members: dict[tuple[Any, ...], dict[str, Any]] = {}
    for text, leaf in leaves.items():
        group = _group(leaf.spec)
        if group is not None:
            members.setdefault(group, {})[text] = leaf.spec
    found = [_states(group, specs, readings) for group, specs in members.items()]
    return [states for states in found if 0 < len(states) <= MAX_STATES]


def _group(spec: Any) -> tuple[Any, ...] | None:
    """What the leaf depends on, first the kind of its group; None for a leaf that is free."""
    group: tuple[Any, ...] | None = None
    if _never(spec):
        group = "never", repr(spec)
    elif isinstance(spec, ScoreLeafSpec | TierLeafSpec):
        group = "score", spec.name
    elif isinstance(spec, NotPerformedSpec):
        where = tuple(sorted(each.model_dump_json() for each in spec.where))
        since = None if spec.since is None else spec.since.model_dump_json()
        group = "count", spec.event, where, spec.include_machine, since
    elif isinstance(spec, TraitSpec) and is_simple(spec):
        group = "trait", spec.name
    elif isinstance(spec, ConsentSpec):
        group = "consent", spec.purpose
    elif isinstance(spec, KnownForSpec):
        group = ("known_for",)
    return group


def _states(group: tuple[Any, ...], specs: dict[str, Any], readings: Readings) -> list[State]:
    if group[0] == "score":
        return _score_states(specs, readings)
    if group[0] == "count":
        return _count_states(specs)
    if group[0] == "trait":
        return trait_states(specs, MAX_STATES)
    if group[0] == "consent":
        return [{text: spec.is_ == each for text, spec in specs.items()} for each in ("granted", "denied", "unknown")]
    if group[0] == "known_for":
        ages = [0, *sorted({spec.root for spec in specs.values()})]
        return [{text: age >= spec.root for text, spec in specs.items()} for age in ages]
    return [dict.fromkeys(specs, False)]


def _score_states(specs: Mapping[str, Any], readings: Readings) -> list[State]:
    name = next(iter(specs.values())).name
    spans = {
        text: spec.span() if isinstance(spec, ScoreLeafSpec) else readings.tier(name, spec.is_)
        for text, spec in specs.items()
    }
    possible = readings.span(name)
    edges = {possible.low, *(edge for span in spans.values() for edge in span)}
    samples = [edge for edge in sorted(edges) if possible.low <= edge < possible.high]
    return _different({text: low <= sample < high for text, (low, high) in spans.items()} for sample in samples)


def _count_states(specs: Mapping[str, NotPerformedSpec]) -> list[State]:
    """Counts of the same events: a longer window holds no fewer than a shorter one."""
    windows: dict[int, dict[str, tuple[int, int]]] = {}
    for text, spec in specs.items():
        windows.setdefault(_FOREVER_MS if spec.within is None else spec.within, {})[text] = spec.span()
    ranges = [_ranges(windows[width].values()) for width in sorted(windows)]
    if prod(map(len, ranges)) > MAX_STATES:
        return []
    states = []
    for each in product(*ranges):
        if _rising(each):
            state: State = {}
            for (low, _), width in zip(each, sorted(windows), strict=True):
                state |= {text: least <= low <= most for text, (least, most) in windows[width].items()}
            states.append(state)
    return _different(states)


def _ranges(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of counts, both ends included, in each of which all comparisons stay as they are."""
    starts = sorted({0, *(low for low, _ in spans), *(high + 1 for _, high in spans if high + 1 < _ANY_COUNT)})
    return [(low, after - 1) for low, after in zip(starts, [*starts[1:], _ANY_COUNT], strict=True)]


def _rising(ranges: Iterable[tuple[int, int]]) -> bool:
    """Whether there are counts in these ranges of which none is smaller than the one before it."""
    count = 0
    for low, high in ranges:
        count = max(count, low)
        if count > high:
            return False
    return True


def _different(states: Iterable[State]) -> list[State]:
    return [dict(each) for each in dict.fromkeys(tuple(state.items()) for state in states)]


def _never(spec: Any) -> bool:
    """Whether nothing that the leaf compares can satisfy it."""
    if isinstance(spec, RatioSpec):
        bounds = spec.bounds()
        return not satisfiable({**bounds, "gte": max(bounds.get("gte", 0), 0)})
    if isinstance(spec, AggregateSpec) and spec.function == "distinct":
        comparisons = Comparisons(spec)
        near = {0, *(int(bound) + step for bound in spec.bounds().values() for step in (-1, 0, 1))}
        return not any(comparisons.hold(count) for count in near if count >= 0)
    return isinstance(spec, TraitSpec) and spec.timed() and _apart_in_time(spec)


def _apart_in_time(spec: TraitSpec) -> bool:
    """Whether no instant satisfies all that is said of the trait's time."""
    if spec.exists is False:
        return True
    if spec.older_than is None:
        return False
    return spec.within_next is not None or (spec.newer_than is not None and spec.newer_than <= spec.older_than)
