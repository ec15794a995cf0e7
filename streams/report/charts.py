"""The geometry of a report's charts: figures turned into coordinates of a drawing that is 360 units wide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from streams.report.figures import Bar, Interval

WIDTH = 360
LINE_HEIGHT = 120
FLOW_HEIGHT = 110
ROW_HEIGHT = 20
_TOP = 16  # room for the label of the highest value
_BOTTOM = 18  # room for the instants
_BARS_MAX = 48
_LABEL_WIDTH = 116
_COUNT_WIDTH = 64
_LABEL_CHARS = 18


@dataclass(frozen=True, slots=True)
class StepLine:
    """Members over time. Paths are in SVG's notation; the area under the line is closed."""

    line: str
    area: str
    greatest: int
    baseline: float


@dataclass(frozen=True, slots=True)
class FlowBar:
    """Entries, upwards, and exits, downwards, of one stretch of time."""

    at_ms: int
    entries: int
    exits: int
    x: float
    width: float
    up: float
    down: float


@dataclass(frozen=True, slots=True)
class Flow:
    """Entries and exits over time, on one scale."""

    bars: tuple[FlowBar, ...]
    middle: float
    greatest: int


@dataclass(frozen=True, slots=True)
class Row:
    """A bar from left to right, between its label and its count."""

    label: str
    shown: str
    """The label, cut to what there is room for."""
    count: int
    share: str
    y: int
    x: int
    width: float


def step_line(course: Sequence[Interval], begun_ms: int, ended_ms: int) -> StepLine:
    """The line of a segment's members from nobody at the beginning on; it steps where an interval begins."""
    greatest = max((interval.members for interval in course), default=0)
    baseline = LINE_HEIGHT - _BOTTOM
    steps = [f"M0 {baseline}"]
    for interval in course:
        x = _place(interval.at_ms, begun_ms, ended_ms)
        y = baseline - (baseline - _TOP) * interval.members / max(1, greatest)
        steps.append(f"H{x:.1f}V{y:.1f}")
    line = "".join([*steps, f"H{WIDTH}"])
    return StepLine(line, f"{line}V{baseline}Z", greatest, baseline)


def flow(course: Sequence[Interval], begun_ms: int, ended_ms: int, interval_ms: int) -> Flow:
    """Entries and exits, with so many intervals to a bar that the bars are few enough to be told apart."""
    first = begun_ms // interval_ms
    intervals = ended_ms // interval_ms - first + 1
    together = -(-intervals // _BARS_MAX)
    entries, exits = Counter[int](), Counter[int]()
    for interval in course:
        group = (interval.at_ms // interval_ms - first) // together
        entries[group] += interval.entries
        exits[group] += interval.exits
    greatest = max([*entries.values(), *exits.values(), 0])
    half = (FLOW_HEIGHT - _TOP - _BOTTOM) / 2
    width, scale = WIDTH * together / intervals, half / max(1, greatest)
    bars = tuple(
        FlowBar(
            max(begun_ms, (first + group * together) * interval_ms),
            entries[group],
            exits[group],
            round(group * width, 1),
            round(min(width, WIDTH - group * width) - 0.8, 1),
            round(entries[group] * scale, 1),
            round(exits[group] * scale, 1),
        )
        for group in sorted(entries)
    )
    return Flow(bars, _TOP + half, greatest)


def rows(bars: Sequence[Bar]) -> tuple[Row, ...]:
    """The bars of a histogram, one below another."""
    most, total = max((bar.count for bar in bars), default=0), sum(bar.count for bar in bars)
    room = WIDTH - _LABEL_WIDTH - _COUNT_WIDTH
    return tuple(
        Row(
            bar.label,
            bar.label if len(bar.label) <= _LABEL_CHARS else bar.label[: _LABEL_CHARS - 1] + "…",
            bar.count,
            f"{100 * bar.count / max(1, total):.1f} %",
            place * ROW_HEIGHT,
            _LABEL_WIDTH,
            round(room * bar.count / max(1, most), 1),
        )
        for place, bar in enumerate(bars)
    )


def _place(at_ms: int, begun_ms: int, ended_ms: int) -> float:
    """Where an instant lies on the axis; what lies before it is drawn at its beginning."""
    return min(float(WIDTH), max(0.0, WIDTH * (at_ms - begun_ms) / max(1, ended_ms - begun_ms)))
