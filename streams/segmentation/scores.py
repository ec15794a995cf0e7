"""Scores: points rules, one decay, a cap, a floor and tiers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from streams.segmentation.comparisons import Number
from streams.segmentation.patterns import CountedSpec, EventSpec, Path
from streams.segmentation.problems import Findings, Spec, join
from streams.segmentation.quantities import MAX_MAGNITUDE, Bound, Duration, Points, plainly
from streams.segmentation.refusals import ABSENT
from streams.segmentation.shapes import one_of, some_of

UNBOUNDED = 1 << 200


class Span(NamedTuple):
    """Readings, in thousandths: `low <= reading < high`."""

    low: int
    high: int


POINTS: Any = Field(description="Points that are added; fewer than 0 are taken off.", examples=[5])
_PARTS = ("recency", "frequency", "monetary")
_SHAPE: JsonDict = {
    **one_of("points", "mix"),
    "not": {"required": ["half_life", "expires_after"]},
    "dependentSchemas": {"mix": {"not": some_of("half_life", "expires_after")}},
}


class PointsRule(CountedSpec):
    """Each matching event contributes `points`, times the number in its property `per` where that is given.

    With `expires_after` the contribution does not decay, and vanishes that long after the event.
    """

    points: Points = POINTS
    per: Path | None = Field(
        default=None, description="The points are multiplied by this numeric property.", examples=["amount"]
    )
    expires_after: Duration | None = Field(
        default=None, description="The points do not decay, and vanish so long after the event.", examples=["30d"]
    )


class WhileSpec(Spec):
    """Adds points, undecayed, while a condition holds."""

    points: Points = POINTS


class RecencySpec(EventSpec):
    """How lately the newest matching event lies: 1 at its instant, 0 after `over`."""

    over: Duration = Field(description="How long it takes to fall from 1 to 0.", examples=["365d"])


class FrequencySpec(EventSpec):
    """How many matching events lie in a window, by the number that is worth 1."""

    within: Duration = Field(description="Only events of this last time.", examples=["365d"])
    full: Annotated[Number, WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": MAX_MAGNITUDE})] = (
        Field(description="The number, or the sum, that is worth 1.", examples=[10])
    )
    scale: Literal["linear", "log"] = Field(
        default="linear", description="How the part grows up to 1: evenly, or quickly first.", examples=["log"]
    )


class MonetarySpec(FrequencySpec):
    """The sum of a property in a window, by the sum that is worth 1."""

    property: Path = Field(description="The property that is summed, by its dotted path.", examples=["amount"])


class MixPart(Spec):
    """A part between 0 and 1, times its weight."""

    model_config = ConfigDict(json_schema_extra=one_of(*_PARTS))

    weight: Points = Field(description="What the part is worth at most.", examples=[50])
    recency: RecencySpec | None = Field(
        default=None, description="How lately the newest event lies.", examples=[{"event": "purchase", "over": "365d"}]
    )
    frequency: FrequencySpec | None = Field(
        default=None,
        description="How many events lie in a window.",
        examples=[{"event": "purchase", "within": "365d", "full": 10}],
    )
    monetary: MonetarySpec | None = Field(
        default=None,
        description="The sum of a property over a window.",
        examples=[{"event": "purchase", "property": "amount", "within": "365d", "full": 1000, "scale": "log"}],
    )


class ScoreSpec(Spec):
    """A score: points or a mix of parts, a decay, bounds and tiers."""

    model_config = ConfigDict(json_schema_extra=_SHAPE)

    points: list[PointsRule] | None = Field(
        default=None,
        description="Rules that add points; every one that matches adds.",
        examples=[[{"event": "email_open", "points": 5}]],
    )
    mix: Annotated[list[MixPart], Field(min_length=1)] | None = Field(
        default=None,
        description="Instead of points: parts between 0 and 1, each times its weight.",
        examples=[[{"weight": 50, "recency": {"event": "purchase", "over": "365d"}}]],
    )
    half_life: Duration | None = Field(
        default=None, description="Points are worth half after this time, a quarter after twice of it.", examples=["7d"]
    )
    expires_after: Duration | None = Field(
        default=None, description="Points vanish so long after their event.", examples=["90d"]
    )
    cap: Bound | None = Field(default=None, description="It is never read above this.", examples=[100])
    floor: Bound | None = Field(default=None, description="It is never read below this.", examples=[0])
    tiers: dict[str, Bound | None] = Field(
        default_factory=dict,
        description="Names for ranges of the score, rising; each begins at its bound. The first may have none (null).",
        examples=[{"cold": None, "warm": 30, "hot": 70}],
    )
    description: str = Field(default="", description="What the score is for.", examples=["How engaged a contact is."])

    def tier_spans(self) -> dict[str, Span]:
        """The readings of each tier: from its bound, inclusive, to the next one's."""
        names = list(self.tiers)
        lows = [-UNBOUNDED if bound is None else bound for bound in self.tiers.values()]
        return {name: Span(low, high) for name, low, high in zip(names, lows, [*lows, UNBOUNDED][1:], strict=True)}


def check_score(spec: ScoreSpec, path: str, findings: Findings) -> None:
    """Note what the types of a score's spec alone cannot say."""
    if spec.points is None and spec.mix is None:
        findings.add_whole(path, ABSENT, "expected `points` or `mix`, like `points: [{event: email_open, points: 5}]`")
    elif spec.points is not None and spec.mix is not None:
        findings.add_whole(path, ["points", "mix"], "expected either `points` or `mix`, not both")
    decays = [name for name in ("half_life", "expires_after") if getattr(spec, name) is not None]
    if spec.mix is not None and decays:
        findings.add(
            join(path, decays[0]), ABSENT, "expected no decay beside a `mix`, whose parts have times of their own"
        )
    elif len(decays) > 1:
        findings.add(join(path, "expires_after"), ABSENT, "expected one decay, half_life or expires_after, not both")
    for place, part in enumerate(spec.mix or ()):
        _check_part(part, join(path, "mix", place), findings)
    if spec.cap is not None and spec.floor is not None and spec.cap < spec.floor:
        findings.add(
            join(path, "cap"),
            plainly(spec.cap / 1000),
            f"expected a cap not below the floor of {spec.floor / 1000:g}",
        )
    _check_tiers(spec, path, findings)


def _check_part(part: MixPart, path: str, findings: Findings) -> None:
    given = [name for name in _PARTS if getattr(part, name) is not None]
    if len(given) != 1:
        findings.add_whole(path, given or ABSENT, "expected one of recency, frequency and monetary")
    for name in ("frequency", "monetary"):
        measure = getattr(part, name)
        if measure is not None and measure.full <= 0:
            findings.add(join(path, name, "full"), plainly(measure.full), "expected a number above 0")


def _check_tiers(spec: ScoreSpec, path: str, findings: Findings) -> None:
    previous: int | None = None
    for place, (name, bound) in enumerate(spec.tiers.items()):
        where = join(path, "tiers", name)
        if bound is None:
            if place:
                findings.add(
                    where, None, "expected the tier without a bound to come first: it is what lies below the others"
                )
            continue
        if previous is not None and bound <= previous:
            findings.add(
                where,
                plainly(bound / 1000),
                f"expected a bound above {previous / 1000:g}: tiers rise, each begins where the last one ends",
            )
        previous = bound
