"""The files that a comparison leaves: JSON to reckon with, Markdown and charts to read."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.report.chart import Bar, chart
from bench.report.markdown import page
from bench.report.results import Comparison, lines

RATES = "comparison.svg"
COSTS = "comparison-cpu.svg"


def write(comparison: Comparison, directory: Path) -> list[Path]:
    """Write all of them into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        "comparison.json": json_text(comparison),
        "comparison.md": page(comparison, (RATES, COSTS)),
        RATES: rates(comparison),
        COSTS: costs(comparison),
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    return [directory / name for name in texts]


def json_text(comparison: Comparison) -> str:
    """All of a comparison, which `read` reads back."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode() + "\n"


def read(text: str) -> Comparison:
    """What was written."""
    return msgspec.json.decode(text, type=Comparison)


def rates(comparison: Comparison) -> str:
    """Events a second, with the least and the most of the rounds."""
    bars = []
    for line in lines(comparison):
        rate = line.per_second
        if rate is None:
            bars.append(Bar(line.entry.title, (0.0,), "no figure"))
        else:
            ours = line.entry.name.startswith(comparison.baseline)
            bars.append(Bar(line.entry.title, (rate.middle,), f"{rate.middle:,.0f}", (rate.least, rate.most), ours))
    note = (
        f"{comparison.events:,} events, {comparison.contacts:,} contacts, ten segments; middle and range of the rounds"
    )
    return chart("Events a second", note, bars)


def costs(comparison: Comparison) -> str:
    """Processor seconds a million events: the contender, Redis and Kafka."""
    bars = []
    for line in lines(comparison):
        parts = [part.middle if part else 0.0 for part in (line.contender_s, line.redis_s, line.broker_s)]
        if line.contender_s is not None:
            bars.append(Bar(line.entry.title, tuple(parts), f"{sum(parts):,.0f} s"))
    return chart("Processor seconds a million events", "less is better", bars, ("contender", "Redis", "Kafka"))
