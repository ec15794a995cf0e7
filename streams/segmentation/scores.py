"""Scores: points rules, one decay, a cap, a floor and tiers."""

from __future__ import annotations

from datetime import tzinfo
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from schemas.records import Track
from streams.segmentation.contact import Contact
from streams.segmentation.decay import Decaying, HalfLife
from streams.segmentation.patterns import CountedSpec, Path, Pattern, property_of
from streams.segmentation.problems import Findings, Spec, join
from streams.segmentation.quantities import NANO, NEVER, Bound, Duration, Points, nano, rounded
from streams.segmentation.units import Unit

UNBOUNDED = 1 << 80
_NO_DECAY = HalfLife(1)


class Span(NamedTuple):
    """Readings, in thousandths: `low <= reading < high`."""

    low: int
    high: int


class PointsRule(CountedSpec):
    """Each matching event contributes `points`, times the number in its property `per` where that is given."""

    points: Points
    per: Path | None = None


class ScoreSpec(Spec):
    """A score as the file has it."""

    points: Annotated[list[PointsRule], Field(min_length=1)]
    half_life: Duration | None = None
    cap: Bound | None = None
    floor: Bound | None = None
    tiers: dict[str, Bound | None] = Field(default_factory=dict)
    description: str = ""

    def tier_spans(self) -> dict[str, Span]:
        """The readings of each tier: from its bound, inclusive, to the next one's."""
        names = list(self.tiers)
        lows = [-UNBOUNDED if bound is None else bound for bound in self.tiers.values()]
        return {name: Span(low, high) for name, low, high in zip(names, lows, [*lows, UNBOUNDED][1:], strict=True)}


def check_score(spec: ScoreSpec, path: str, findings: Findings) -> None:
    """Note what the types of a score's spec alone cannot say."""
    if spec.cap is not None and spec.floor is not None and spec.cap < spec.floor:
        findings.add(join(path, "cap"), spec.cap / 1000, f"expected a cap not below the floor of {spec.floor / 1000:g}")
    previous: int | None = None
    for place, (name, bound) in enumerate(spec.tiers.items()):
        where = join(path, "tiers", name)
        if bound is None:
            if place:
                findings.add(where, None, "expected the tier without a bound to come first")
            continue
        if previous is not None and bound <= previous:
            findings.add(where, bound / 1000, f"expected a bound above {previous / 1000:g}: tiers rise")
        previous = bound


class _Rule:
    """A compiled points rule."""

    def __init__(self, spec: PointsRule, zone: tzinfo) -> None:
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._points = spec.points
        self._factor = None if spec.per is None else property_of(spec.per, zone)

    def worth(self, event: Track, at_ms: int) -> int:
        """What the event contributes, in billionths."""
        if not self._pattern.matches(event, at_ms):
            return 0
        if self._factor is None:
            return self._points
        values = self._factor(event, at_ms)
        factor = nano(values[0]) if len(values) == 1 else None
        # Exact product of two decimals with 9 places, rounded half to even to 9 places again.
        return 0 if factor is None else rounded(self._points * factor, NANO)


class ScoreUnit(Unit):
    """A score and all leaves that read it. Its slot is the steady sum and the decaying one."""

    def __init__(self, name: str, spec: ScoreSpec, zone: tzinfo) -> None:
        self.name = name
        self.spec = spec
        self._rules: dict[str, list[_Rule]] = {}
        for rule in spec.points:
            self._rules.setdefault(rule.event, []).append(_Rule(rule, zone))
        self._decay = None if spec.half_life is None else HalfLife(spec.half_life)
        self._low = -UNBOUNDED if spec.floor is None else spec.floor
        self._high = UNBOUNDED if spec.cap is None else spec.cap
        self._leaves: list[tuple[int, Span]] = []
        self._bounds: list[int] = []
        self._tiers = spec.tier_spans()
        self.mask = 0
        self.events = frozenset(self._rules)

    def watch(self, bit: int, span: Span) -> None:
        """Let `bit` be true while the reading lies in `span`."""
        self._leaves.append((bit, span))
        self.mask |= bit
        # A bound outside of (floor, cap] is never passed by the bounded reading.
        passed = {bound for bound in span if self._low < bound <= self._high}
        self._bounds = sorted(passed.union(self._bounds))

    def fresh(self) -> tuple[int, Decaying]:
        return 0, Decaying()

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:  # noqa: ARG002 - decay knows no now
        steady, decaying = contact.slots[self.index]
        changed = False
        for rule in self._rules[event.event]:
            points = rule.worth(event, at_ms)
            if points:
                changed = True
                if self._decay is None:
                    steady += points
                else:
                    self._decay.add(decaying, points, at_ms)
        contact.slots[self.index] = (steady, decaying)
        return changed

    def reading(self, contact: Contact, now_ms: int) -> int:
        """The score read at `now_ms`, in thousandths, within floor and cap."""
        return max(self._low, min(self._high, self._unbounded(contact, now_ms)))

    def _unbounded(self, contact: Contact, now_ms: int) -> int:
        steady, decaying = contact.slots[self.index]
        # A sum without decay is read like one that has not begun to.
        return (self._decay or _NO_DECAY).reading(decaying, steady, now_ms)

    def tier(self, reading: int) -> str | None:
        """The tier of a reading; None below the lowest bound."""
        return next((name for name, span in self._tiers.items() if span.low <= reading < span.high), None)

    def span_of_tier(self, name: str) -> Span:
        """The readings of one tier."""
        return self._tiers[name]

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        if not self._leaves:
            return 0, NEVER
        unbounded = self._unbounded(contact, now_ms)
        reading = max(self._low, min(self._high, unbounded))
        bits = 0
        for bit, (low, high) in self._leaves:
            if low <= reading < high:
                bits |= bit
        if self._decay is None:
            return bits, NEVER
        steady, decaying = contact.slots[self.index]
        return bits, self._decay.crossing(decaying, steady, self._bounds, unbounded, now_ms)

    def store(self, slot: Any) -> Any:
        steady, decaying = slot
        weight: int = decaying.weight
        return [steady.to_bytes(24, "big", signed=True), decaying.exponent,
                weight.to_bytes(weight.bit_length() // 8 + 1, "big", signed=True)]  # fmt: skip

    def restore(self, stored: Any) -> Any:
        steady, exponent, weight = stored
        return (
            int.from_bytes(steady, "big", signed=True),
            Decaying(int.from_bytes(weight, "big", signed=True), exponent),
        )
