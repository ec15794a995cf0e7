"""The report as tables: on a terminal, or as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from schemas.instants import format_instant
from streams.report.durations import duration_text
from streams.report.figures import FLAP_MS, Bar, Report, ScoreFigures, SegmentFigures

_BAR_WIDTH = 24
_HEAD = ("members", "entries", "exits", "median\nstay", "90 % of\nstays", "flapping")


def tables(report: Report) -> Iterator[RenderableType]:
    """The parts of a report, one below another; none is wider than 80 columns."""
    yield Text(f"{format_instant(report.begun_ms)} to {format_instant(report.ended_ms)}", "bold")
    yield _totals(report.totals)
    yield Text()
    yield _segments(report.segments)
    yield Text(
        f"Stays are those that ended. Flapping: contacts that came back within {duration_text(FLAP_MS)} of leaving.",
        "dim",
    )
    for score in report.scores:
        yield Text()
        yield _heading(score)
        yield _histogram(score.bars)


def _totals(totals: tuple[Bar, ...]) -> Text:
    parts = [f"{bar.count:,} {bar.label}" for bar in totals if bar.count or bar.label == "transitions"]
    return Text(", ".join(parts))


def _segments(segments: tuple[SegmentFigures, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("segment", overflow="fold", min_width=12)
    for name in _HEAD:
        table.add_column(name, justify="right", no_wrap=True)
    for segment in segments:
        table.add_row(
            Text(segment.name),
            f"{segment.members:,}",
            f"{segment.entries:,}",
            f"{segment.exits:,}",
            duration_text(segment.stay_median_ms),
            duration_text(segment.stay_p90_ms),
            f"{segment.flapping:,}",
        )
    return table


def _heading(score: ScoreFigures) -> Text:
    title = Text.assemble((score.name, "bold"), f", {score.contacts:,} contacts")
    if score.least is not None:
        title.append(f", from {score.least:,g} to {score.greatest:,g}, median {score.median:,g}")
    return title


def _histogram(bars: tuple[Bar, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(overflow="fold", max_width=30)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    most = max((bar.count for bar in bars), default=0)
    for bar in bars:
        table.add_row(Text(bar.label), f"{bar.count:,}", "█" * _length(bar.count, most))
    return table


def _length(count: int, most: int) -> int:
    """At least one block for what is not nothing."""
    return max(1, round(_BAR_WIDTH * count / most)) if count else 0
