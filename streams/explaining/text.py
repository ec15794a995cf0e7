"""Explanations for people: a tree of marks, evidence and times on a terminal, the same without colours elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from streams.segmentation.explanation import ExplainedNode, ExplainedSegment, WhyNot
from streams.segmentation.turns import Turn
from streams.segmentation.wording import instant, printable

_MARKS = {True: ("✓ ", "green"), False: ("✗ ", "red")}
_TOO_MANY = "too many conditions are repeated to tell what keeps the contact out"
_NOT_NAMED = {"timer": "time passed", "backfill": "import"}


def overview(segments: Sequence[ExplainedSegment]) -> RenderableType:
    """A row a segment: whether the contact is in it, since when, until when, and why not."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for explained in segments:
        mark, style = _MARKS[explained.member]
        told = _times(explained.since, explained.until_ms, ends=explained.member)
        if explained.why_not is not None:
            told.append("".join(f"\n{blocker}" for blocker in _blockers(explained.why_not)))
        table.add_row(Text(mark.strip(), style), Text(explained.segment, "bold"), told)
    return table


def tree(explained: ExplainedSegment) -> RenderableType:
    """A segment's conditions, and what keeps the contact out."""
    root = Tree(_heading(explained), guide_style="dim")
    _grow(root, explained)
    return root


def _heading(explained: ExplainedSegment) -> Text:
    told = _marked(explained.member, explained.segment, "bold")
    told.append(": in it " if explained.member else ": not in it ")
    return told.append_text(_times(explained.since, explained.until_ms, ends=explained.member))


def _grow(branch: Tree, explained: ExplainedSegment) -> None:
    if explained.exit_when is None:
        _add(branch, explained.when)
    else:
        _add(branch.add(Text("when", "dim")), explained.when)
        _add(branch.add(Text("exit_when", "dim")), explained.exit_when)
    if explained.why_not is not None:
        why_not = branch.add(Text(_why_not_heading(explained.why_not), "bold"))
        for blocker in _blockers(explained.why_not) if explained.why_not.leaves else ():
            why_not.add(Text(blocker))


def _add(branch: Tree, node: ExplainedNode) -> None:
    grown = branch.add(_label(node))
    for part in node.parts:
        _add(grown, part)
    if node.segment is not None:
        _grow(grown, node.segment)


def _label(node: ExplainedNode) -> RenderableType:
    lines = [_marked(node.holds, node.kind if node.parts else node.condition)]
    if node.evidence is not None:
        lines.append(Text(f"  {node.evidence.found()}"))
    if node.since is not None or node.until_ms is not None:
        lines.append(Text("  ").append_text(_times(node.since, node.until_ms)))
    return Group(*lines)


def _marked(holds: bool, name: str, style: str = "") -> Text:
    mark, colour = _MARKS[holds]
    return Text(mark, colour).append(name, style)


def _times(since: Turn | None, until_ms: int | None, ends: bool = False) -> Text:
    """Since and until when; with `ends`, it is also said that no end is in sight."""
    told = [] if since is None else [f"since {instant(since.at_ms)}{_cause(since)}"]
    if until_ms is not None:
        told.append(f"until {instant(until_ms)}")
    elif ends:
        told.append("no end if nothing else comes")
    return Text(", ".join(told), "dim")


def _cause(since: Turn) -> str:
    cause = since.cause
    if cause is None:
        return ""
    if cause.kind == "definition" or (cause.kind == "backfill" and cause.event_id is None):
        told = "" if since.told_ms is None else f", told {instant(since.told_ms)}"
        return f" (by the definitions at {cause.position}{told})"
    named = _NOT_NAMED.get(cause.kind, cause.event or cause.kind)
    return f" ({named}{'' if cause.event_id is None else f' {printable(cause.event_id)}'})"


def _why_not_heading(why_not: WhyNot) -> str:
    if not why_not.possible:
        return "nothing lets a contact in"
    if not why_not.leaves:
        return _TOO_MANY
    size = "" if why_not.smallest else " (perhaps fewer do)"
    if len(why_not.leaves) == 1:
        return f"one condition keeps the contact out{size}"
    return f"{len(why_not.leaves)} conditions together keep the contact out{size}"


def _blockers(why_not: WhyNot) -> list[str]:
    if not why_not.possible:
        return ["the conditions contradict one another"]
    if not why_not.leaves:
        return [_TOO_MANY]
    return [
        f"{'must not hold: ' if leaf.holds else ''}{leaf.missing()}"
        + ("" if leaf.until_ms is None else f" (turns by itself at {instant(leaf.until_ms)})")
        for leaf in why_not.leaves
    ]
