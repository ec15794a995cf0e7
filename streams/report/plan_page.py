"""A plan as a page, for those who decide on it: one file with all that it needs, nothing fetched and nothing run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.planning.plan import Plan, ScoreChange, SegmentChange
from streams.report.page import template
from streams.segmentation.wording import duration, printable

_HALF = 100
"""Units from the middle of a segment's bar to either end."""
_KINDS = {
    "added": "new",
    "changed": "changed",
    "removed": "removed",
    "unchanged": "same text",  # and yet its members are others, where the start of the log is gone
}


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment that changes, or whose members do."""

    change: SegmentChange
    kind: str
    left: float
    """How long the bar of those who leave is, of `_HALF`."""
    right: float

    @property
    def more(self) -> int:
        """Contacts that move and are no examples."""
        return self.change.entering + self.change.leaving - len(self.change.samples)


@dataclass(frozen=True, slots=True)
class TierRow:
    """A score's tier, before and after. Widths are in percent of the greatest."""

    name: str
    before: int
    after: int
    before_width: float
    after_width: float


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """A score whose tiers change."""

    change: ScoreChange
    rows: tuple[TierRow, ...]
    moves: tuple[tuple[str, str, int], ...]


def plan_page(plan: Plan, name: str) -> str:
    """The HTML of a plan for the file `name`. The same plan gives the same page."""
    rows = _segments(plan.segments)
    return template("plan.html").render(
        plan=plan,
        name=name,
        half=_HALF,
        rows=rows,
        same=[each.name for each in plan.segments if each.name not in {row.change.name for row in rows}],
        scores=[_score(each) for each in plan.scores if each.kind != "unchanged" or each.moves],
        bytes_each=_bytes_each(plan),
        printable=printable,
        length=duration,
    )


def _segments(changes: Sequence[SegmentChange]) -> list[SegmentRow]:
    shown = [each for each in changes if each.kind != "unchanged" or each.entering or each.leaving]
    most = max((max(each.entering, each.leaving) for each in shown), default=0)
    return [
        SegmentRow(each, _KINDS[each.kind], _width(each.leaving, most, _HALF), _width(each.entering, most, _HALF))
        for each in shown
    ]


def _score(change: ScoreChange) -> ScoreCard:
    names = sorted(change.before.keys() | change.after.keys())
    most = max([*change.before.values(), *change.after.values()], default=0)
    rows = tuple(
        TierRow(
            name or "no tier",
            change.before[name],
            change.after[name],
            _width(change.before[name], most, 100),
            _width(change.after[name], most, 100),
        )
        for name in names
    )
    moves = tuple((was or "no tier", now or "no tier", count) for (was, now), count in sorted(change.moves.items()))
    return ScoreCard(change, rows, moves)


def _width(count: int, most: int, of: float) -> float:
    """At least something for what is not nothing."""
    return max(of / 100, round(of * count / most, 1)) if count else 0.0


def _bytes_each(plan: Plan) -> tuple[int, int] | None:
    if not plan.looked_at:
        return None
    return round(plan.bytes_before / plan.looked_at), round(plan.bytes_after / plan.looked_at)
