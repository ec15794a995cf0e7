"""`score` and `tier`: comparisons of a score's reading. Their unit is the score's own, see `scores`."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from streams.segmentation.comparisons import APART
from streams.segmentation.names import nearest, told
from streams.segmentation.problems import Findings, Spec, join
from streams.segmentation.quantities import Bound, plainly
from streams.segmentation.refusals import ABSENT
from streams.segmentation.scores import UNBOUNDED, ScoreSpec, Span
from streams.segmentation.shapes import some_of
from streams.segmentation.units import LeafKind, Scope
from streams.segmentation.wording import bounds

_COMPARISONS = ("gte", "gt", "lte", "lt")


class ScoreLeafSpec(Spec):
    """The score as it is read now, within bounds; these are kept in thousandths."""

    model_config = ConfigDict(json_schema_extra=some_of(*_COMPARISONS))

    name: str = Field(description="The name of a score of this file.", examples=["engagement"])
    gte: Bound | None = Field(default=None, description="A reading of at least this.", examples=[70])
    gt: Bound | None = Field(default=None, description="A reading above this.", examples=[70])
    lte: Bound | None = Field(default=None, description="A reading of at most this.", examples=[30])
    lt: Bound | None = Field(default=None, description="A reading below this.", examples=[30])

    def span(self) -> Span:
        """The readings at which the condition is true."""
        lows = [-UNBOUNDED]
        highs = [UNBOUNDED]
        if self.gte is not None:
            lows.append(self.gte)
        if self.gt is not None:
            lows.append(self.gt + 1)
        if self.lt is not None:
            highs.append(self.lt)
        if self.lte is not None:
            highs.append(self.lte + 1)
        return Span(max(lows), min(highs))


class TierLeafSpec(Spec):
    """The tier that a score is in."""

    name: str = Field(description="The name of a score of this file.", examples=["engagement"])
    is_: str = Field(alias="is", description="The name of one of its tiers.", examples=["hot"])


def _known(name: str, scope: Scope, path: str, findings: Findings) -> bool:
    if name not in scope.scores and name not in scope.unread:
        declared = [*scope.scores, *scope.unread]
        expected = f"expected the name of a score: {told(declared) or 'none is defined'}"
        findings.add(join(path, "name"), name, expected, nearest(name, declared))
    return name in scope.scores


def _check_score(spec: ScoreLeafSpec, scope: Scope, path: str, findings: Findings) -> None:
    known = _known(spec.name, scope, path, findings)
    bounds = {name: plainly(bound / 1000) for name in _COMPARISONS if (bound := getattr(spec, name)) is not None}
    span = spec.span()
    if not bounds:
        findings.add_whole(
            path, ABSENT, f"expected at least one comparison of {', '.join(_COMPARISONS)}, like `gte: 70`"
        )
    elif span.low >= span.high:
        findings.add_whole(path, bounds, APART)
    elif known:
        _check_reach(bounds, span, scope.scores[spec.name], path, findings)


def _check_reach(bounds: dict[str, float], span: Span, score: ScoreSpec, path: str, findings: Findings) -> None:
    if score.cap is not None and span.low > score.cap:
        name = max(("gte", "gt"), key=lambda each: bounds.get(each, -UNBOUNDED))
        findings.add(
            join(path, name), bounds[name], f"expected a bound that the score's cap of {score.cap / 1000:g} allows"
        )
    if score.floor is not None and span.high <= score.floor:
        name = min(("lte", "lt"), key=lambda each: bounds.get(each, UNBOUNDED))
        findings.add(
            join(path, name), bounds[name], f"expected a bound that the score's floor of {score.floor / 1000:g} allows"
        )


def _check_tier(spec: TierLeafSpec, scope: Scope, path: str, findings: Findings) -> None:
    if not _known(spec.name, scope, path, findings):
        return
    tiers = scope.scores[spec.name].tiers
    if spec.is_ not in tiers:
        expected = f"expected a tier of {spec.name}: {told(list(tiers)) or 'it has none'}"
        findings.add(join(path, "is"), spec.is_, expected, nearest(spec.is_, tiers))


def _names(spec: Any) -> tuple[str, ...]:
    return (spec.name,)


def _score_wording(body: Any) -> str:
    return f"score {body['name']} {bounds(body)}"


def _tier_wording(body: Any) -> str:
    return f"score {body['name']} in the tier {body['is']}"


SCORE = LeafKind(ScoreLeafSpec, None, _check_score, _names, _score_wording)
TIER = LeafKind(TierLeafSpec, None, _check_tier, _names, _tier_wording)
