"""Bar charts as SVG, readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _RIGHT, _TOP, _STEP, _BAR = 860, 250, 130, 62, 34, 20
_STYLE = """
  text { font: 14px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 17px; font-weight: 600 } .note { font-size: 12px; fill: #59636e }
  .bar { fill: #8c959f } .first { fill: #0969da } .second { fill: #bf8700 } .third { fill: #8250df }
  .range { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note { fill: #9198a1 } .bar { fill: #656c76 } .first { fill: #4493f8 }
    .second { fill: #d29922 } .third { fill: #ab7df8 } .range { stroke: #f0f6fc }
  }
"""


class Bar(NamedTuple):
    """One bar: its parts from left to right, the least and the most of its sum, and what is written behind it."""

    label: str
    parts: tuple[float, ...]
    figure: str
    span: tuple[float, float] | None = None
    highlighted: bool = False


def chart(title: str, note: str, bars: Sequence[Bar], legend: Sequence[str] = ()) -> str:
    """A chart of horizontal bars, drawn to the longest; `legend` names the parts."""
    height = _TOP + _STEP * len(bars) + 14 + (24 if legend else 0)
    longest = max([sum(bar.parts) for bar in bars] + [bar.span[1] for bar in bars if bar.span] + [1e-9])
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    drawn = "\n".join(_bar(bar, _TOP + _STEP * place, scale) for place, bar in enumerate(bars))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title, {chr(34): "&quot;"})}">\n<style>{_STYLE}</style>\n'
        f'<text class="title" x="12" y="26">{escape(title)}</text>\n'
        f'<text class="note" x="12" y="46">{escape(note)}</text>\n{drawn}\n{_legend(legend, height)}</svg>\n'
    )


def _bar(bar: Bar, top: float, scale: float) -> str:
    middle = top + _BAR / 2
    classes = ["first", "second", "third"] if len(bar.parts) > 1 else ["first" if bar.highlighted else "bar"]
    found = [f'<text x="{_LEFT - 10}" y="{middle + 5:.1f}" text-anchor="end">{escape(bar.label)}</text>']
    left = float(_LEFT)
    for part, kind in zip(bar.parts, classes, strict=False):
        found.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{part * scale:.1f}" height="{_BAR}" rx="2"/>'
        )
        left += part * scale
    if bar.span is not None:
        least, most = (_LEFT + edge * scale for edge in bar.span)
        ends = "".join(f"M{edge:.1f} {middle - 4}v8" for edge in (least, most))
        found.append(f'<path class="range" d="M{least:.1f} {middle}H{most:.1f}{ends}"/>')
        left = max(left, most)
    found.append(f'<text x="{left + 8:.1f}" y="{middle + 5:.1f}">{escape(bar.figure)}</text>')
    return "\n".join(found)


def _legend(legend: Sequence[str], height: int) -> str:
    found = []
    for place, (name, kind) in enumerate(zip(legend, ("first", "second", "third"), strict=False)):
        left = _LEFT + 130 * place
        found.append(f'<rect class="{kind}" x="{left}" y="{height - 24}" width="12" height="12" rx="2"/>')
        found.append(f'<text class="note" x="{left + 18}" y="{height - 14}">{escape(name)}</text>\n')
    return "".join(found)
