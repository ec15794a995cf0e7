"""Small line charts as SVG that can be read on a light page and on a dark one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 860, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 24, 64, 48
_KINDS = ("first", "second", "third")
_STYLE = """
  text { font: 14px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; stroke: none }
  .title { font-size: 17px; font-weight: 600 } .note { font-size: 12px; fill: #59636e }
  .grid { stroke: #d1d9e0 } .line { fill: none; stroke-width: 2.5 }
  .first { fill: #0969da; stroke: #0969da } .second { fill: #bf8700; stroke: #bf8700 }
  .third { fill: #8250df; stroke: #8250df }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note { fill: #9198a1 } .grid { stroke: #3d444d } .first { fill: #4493f8; stroke: #4493f8 }
    .second { fill: #d29922; stroke: #d29922 } .third { fill: #ab7df8; stroke: #ab7df8 }
  }
"""
"""The same colours and letters as the comparison's bars."""


def line_chart(title: str, x_title: str, y_title: str, series: Mapping[str, Points]) -> str:
    """A line for each series; x, which must be above zero, on a logarithmic axis, y from zero up."""
    points = [point for line in series.values() for point in line]
    xs = sorted({x for x, _ in points})
    top = _round_up(max(y for _, y in points))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="{_LEFT}" y="22">{escape(title)}</text>',
    ]
    for part in range(5):
        value = top * part / 4
        y = _y(value, top)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>')
    for x in xs:
        parts.append(f'<text x="{_x(x, xs):.1f}" y="{_HEIGHT - 28}" text-anchor="middle">{_short(x)}</text>')
    parts.append(
        f'<text class="note" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 10}" text-anchor="end">{escape(x_title)}</text>'
    )
    parts.append(f'<text class="note" x="{_LEFT}" y="{_TOP - 14}">{escape(y_title)}</text>')
    for place, (name, line) in enumerate(series.items()):
        parts += _drawn(name, line, place, xs, top, legend=len(series) > 1)
    return "\n".join([*parts, "</svg>", ""])


def _drawn(name: str, line: Points, place: int, xs: Sequence[float], top: float, *, legend: bool) -> list[str]:
    kind = _KINDS[place % len(_KINDS)]
    at = [(_x(x, xs), _y(y, top), y) for x, y in sorted(line)]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in at)
    parts = [f'<g class="{kind}"><path class="line" d="M{path}"/>']
    for x, y, value in at:
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        parts.append(f'<text class="note" x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle">{_short(value)}</text>')
    if legend:
        x = _WIDTH - _RIGHT - 190
        parts.append(f'<rect x="{x}" y="{12 + 18 * place}" width="12" height="12" rx="2"/>')
        parts.append(f'<text x="{x + 18}" y="{22 + 18 * place}">{escape(name)}</text>')
    return [*parts, "</g>"]


def _x(value: float, xs: Sequence[float]) -> float:
    least, most = math.log(xs[0]), math.log(xs[-1])
    room = _WIDTH - _LEFT - _RIGHT - 40
    return _LEFT + 20 + (room * (math.log(value) - least) / (most - least) if most > least else room / 2)


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top


def _round_up(value: float) -> float:
    """The next number that divides well into four."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return float(next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value))


def _short(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
