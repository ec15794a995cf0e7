"""`score` and `tier`: comparisons of a score's reading. Their unit is the score's own, see `scores`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from streams.segmentation.problems import Findings, Spec, join
from streams.segmentation.quantities import Bound
from streams.segmentation.scores import UNBOUNDED, Span
from streams.segmentation.units import LeafKind, Scope
from streams.segmentation.wording import bounds

_COMPARISONS = ("gte", "gt", "lte", "lt")


class ScoreLeafSpec(Spec):
    """Bounds on a score's reading, in thousandths."""

    name: str
    gte: Bound | None = None
    gt: Bound | None = None
    lte: Bound | None = None
    lt: Bound | None = None

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
    """The name of a tier of a score."""

    name: str
    is_: str = Field(alias="is")


def _known(name: str, scope: Scope, path: str, findings: Findings) -> bool:
    if name in scope.scores:
        return True
    known = ", ".join(scope.scores) or "none is defined"
    findings.add(join(path, "name"), name, f"expected the name of a score: {known}")
    return False


def _check_score(spec: ScoreLeafSpec, scope: Scope, path: str, findings: Findings) -> None:
    if not _known(spec.name, scope, path, findings):
        return
    if all(getattr(spec, name) is None for name in _COMPARISONS):
        findings.add(path, spec.name, f"expected at least one comparison of {', '.join(_COMPARISONS)}")
        return
    span, score = spec.span(), scope.scores[spec.name]
    if span.low >= span.high:
        findings.add(path, spec.name, "expected bounds that a number can satisfy together")
    elif score.cap is not None and span.low > score.cap:
        findings.add(path, span.low / 1000, f"expected a bound within the cap of {score.cap / 1000:g}")
    elif score.floor is not None and span.high <= score.floor:
        findings.add(path, span.high / 1000, f"expected a bound above the floor of {score.floor / 1000:g}")


def _check_tier(spec: TierLeafSpec, scope: Scope, path: str, findings: Findings) -> None:
    if not _known(spec.name, scope, path, findings):
        return
    tiers = scope.scores[spec.name].tiers
    if spec.is_ not in tiers:
        known = ", ".join(tiers) or "it has none"
        findings.add(join(path, "is"), spec.is_, f"expected a tier of {spec.name}: {known}")


def _names(spec: Any) -> tuple[str, ...]:
    return (spec.name,)


def _score_wording(body: Any) -> str:
    return f"score {body['name']} {bounds(body)}"


def _tier_wording(body: Any) -> str:
    return f"score {body['name']} in the tier {body['is']}"


SCORE = LeafKind(ScoreLeafSpec, None, _check_score, _names, _score_wording)
TIER = LeafKind(TierLeafSpec, None, _check_tier, _names, _tier_wording)
