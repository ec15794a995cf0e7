"""How a plan is printed: who moves, with examples and reasons, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from schemas.instants import format_instant
from streams.cli.printing import plain_table
from streams.planning.plan import Plan, Reasons, Sample, ScoreChange, SegmentChange
from streams.segmentation.wording import duration, printable

_COLUMNS = ("segment", "change", "before", "after", "enter", "leave")
BEHIND_MANY = 1_000
"""So many records that no worker has folded are told."""
_MARKS = {True: ("+", "green"), False: ("-", "red")}


def shown_plan(plan: Plan) -> RenderableType:
    """All of it."""
    return Group(*_parts(plan))


def _parts(plan: Plan) -> Iterator[RenderableType]:
    yield Text(
        f"from definitions {plan.before_number} ({plan.before_hash[:12]}) to {plan.after_hash[:12]}: "
        f"{plan.records:,} records in {plan.partitions} partitions, as of {format_instant(plan.as_of_ms)}",
        "bold",
    )
    if plan.before_semantics != plan.after_semantics:
        yield Text(
            f"written for version {plan.before_semantics} of the semantics before, for {plan.after_semantics} after: "
            "the same text may mean something else",
            "yellow",
        )
    shown = [segment for segment in plan.segments if segment.kind != "unchanged" or segment.entering or segment.leaving]
    if shown:
        yield Text()
        yield plain_table(_COLUMNS, [_row(segment) for segment in shown], right=_COLUMNS[2:])
    if plan.behind >= BEHIND_MANY:
        yield Text(f"workers are {plan.behind:,} records behind the log: those are not compared", "yellow")
    same = len(plan.segments) - len(shown)
    yield Text(f"{same} segment{'' if same == 1 else 's'} unchanged", "dim")
    for segment in shown:
        yield from _samples(segment)
    for score in plan.scores:
        yield from _tiers(score, plan)
    yield from _notes(plan)


def _row(segment: SegmentChange) -> list[str]:
    before = "" if segment.kind == "added" else f"{segment.members_before:,}"
    after = "" if segment.kind == "removed" else f"{segment.members_after:,}"
    return [segment.name, segment.kind, before, after, f"{segment.entering:,}", f"{segment.leaving:,}"]


def _samples(segment: SegmentChange) -> Iterator[RenderableType]:
    if not segment.samples:
        return
    yield Text()
    yield Text(f"{segment.name}, {segment.kind}", "bold")
    for sample in segment.samples:
        mark, style = _MARKS[sample.enters]
        yield Text.assemble((f"  {mark} ", style), printable(sample.contact_id))
        for when, reasons in _sides(sample):
            yield Text(f"      {when} {'in' if reasons.member else 'out'}: {'; '.join(reasons.lines)}")
    more = segment.entering + segment.leaving - len(segment.samples)
    if more > 0:
        yield Text(f"  and {more:,} more", "dim")


def _sides(sample: Sample) -> list[tuple[str, Reasons]]:
    sides = (("before", sample.before), ("after ", sample.after))
    return [(when, reasons) for when, reasons in sides if reasons is not None]


def _tiers(score: ScoreChange, plan: Plan) -> Iterator[RenderableType]:
    if score.kind == "unchanged" and not score.moves:
        return
    yield Text()
    of = "" if plan.looked_at == plan.contacts else f" of {plan.looked_at:,} contacts that were looked at"
    yield Text(f"score {score.name}, {score.kind}", "bold")
    for (was, now), count in sorted(score.moves.items()):
        yield Text(f"  {was or 'no tier'} -> {now or 'no tier'}: {count:,}{of}")
    if not score.moves:
        yield Text("  no contact changes its tier")


def _notes(plan: Plan) -> Iterator[RenderableType]:
    yield Text()
    if plan.looked_at:
        before, after = (round(size / plan.looked_at) for size in (plan.bytes_before, plan.bytes_after))
        yield Text(f"a contact's state takes {before:,} bytes before, {after:,} after")
    for moves in plan.lists:
        yield Text(
            f"list {moves.name}: {moves.put_on:,} to be put on, {moves.taken_off:,} to be taken off by `segue apply`, "
            "which is in none of these figures",
            "yellow",
        )
    if plan.log_is_cut:
        yield Text(
            f"the start of the log is gone: all is counted from {format_instant(plan.log_begins_ms)} on", "yellow"
        )
    reach = f"the log begins {format_instant(plan.log_begins_ms)}"
    for short in plan.short:
        needs = "" if short.needs_ms is None else f" {duration(short.needs_ms)}"
        yield Text(f"{short.place} looks back{needs}, but {reach}: what was before does not count", "yellow")
