"""Scores: points rules, one decay, a cap, a floor and tiers."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from streams.segmentation.comparisons import Number
from streams.segmentation.patterns import CountedSpec, EventSpec, Path
from streams.segmentation.problems import Findings, Spec, join
from streams.segmentation.quantities import Bound, Duration, Points

UNBOUNDED = 1 << 200


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


class WhileSpec(Spec):
    """Adds points, undecayed, while a condition holds; the condition is read apart."""

    points: Points


class RecencySpec(EventSpec):
    """How lately the newest matching event lies: 1 at its instant, 0 after `over`."""

    over: Duration


class FrequencySpec(EventSpec):
    """How many matching events lie in a window, by the number that is worth 1."""

    within: Duration
    full: Number
    scale: Literal["linear", "log"] = "linear"


class MonetarySpec(FrequencySpec):
    """The sum of a property in a window, by the sum that is worth 1."""

    property: Path


class MixPart(Spec):
    """A part between 0 and 1, times its weight."""

    weight: Points
    recency: RecencySpec | None = None
    frequency: FrequencySpec | None = None
    monetary: MonetarySpec | None = None


class ScoreSpec(Spec):
    """A score as the file has it, its `while` rules apart."""

    points: list[PointsRule] | None = None
    mix: Annotated[list[MixPart], Field(min_length=1)] | None = None
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
    if (spec.points is None) == (spec.mix is None):
        findings.add(path, None, "expected either points or mix")
    decays = [name for name in ("half_life", "expires_after") if getattr(spec, name) is not None]
    if spec.mix is not None and decays:
        findings.add(join(path, decays[0]), getattr(spec, decays[0]), "expected no decay beside a mix")
    elif len(decays) > 1:
        findings.add(join(path, "expires_after"), spec.expires_after, "expected one decay: half_life or expires_after")
    for place, part in enumerate(spec.mix or ()):
        _check_part(part, join(path, "mix", place), findings)
    if spec.cap is not None and spec.floor is not None and spec.cap < spec.floor:
        findings.add(join(path, "cap"), spec.cap / 1000, f"expected a cap not below the floor of {spec.floor / 1000:g}")
    _check_tiers(spec, path, findings)


def _check_part(part: MixPart, path: str, findings: Findings) -> None:
    given = [name for name in ("recency", "frequency", "monetary") if getattr(part, name) is not None]
    if len(given) != 1:
        findings.add(path, given, "expected one of recency, frequency and monetary")
    for name in ("frequency", "monetary"):
        measure = getattr(part, name)
        if measure is not None and measure.full <= 0:
            findings.add(join(path, name, "full"), float(measure.full), "expected a number above 0")


def _check_tiers(spec: ScoreSpec, path: str, findings: Findings) -> None:
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
