"""Scores: points rules, one decay, a cap, a floor and tiers."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from streams.segmentation.patterns import CountedSpec, Path
from streams.segmentation.problems import Findings, Spec, join
from streams.segmentation.quantities import Bound, Duration, Points

UNBOUNDED = 1 << 80


class Span(NamedTuple):
    """Readings, in thousandths: `low <= reading < high`."""

    low: int
    high: int


class PointsRule(CountedSpec):
    """Each matching event contributes `points`, times the number in its property `per` where that is given.

    With `expires_after` the contribution does not decay, and vanishes that long after the event.
    """

    points: Points
    per: Path | None = None
    expires_after: Duration | None = None


class ScoreSpec(Spec):
    """A score as the file has it."""

    points: Annotated[list[PointsRule], Field(min_length=1)]
    half_life: Duration | None = None
    expires_after: Duration | None = None
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
    if spec.half_life is not None and spec.expires_after is not None:
        findings.add(join(path, "expires_after"), spec.expires_after, "expected one decay: half_life or expires_after")
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
