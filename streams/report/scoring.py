"""How scores read at the end of a simulation: by tier, or by readings where there are no tiers."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from streams.report.figures import Bar, ScoreFigures
from streams.report.observing import percentile
from streams.segmentation.scores import ScoreSpec
from streams.simulation.simulator import Simulator

BARS_MAX = 12
_NO_TIER = "no tier"


def score_figures(simulator: Simulator) -> tuple[ScoreFigures, ...]:
    """The scores of the definitions that hold, in order of the file, over all contacts that exist.

    Each is read at the clock of its partition.
    """
    readings = {name: array("q") for name in simulator.core.program.scores}
    if readings:
        for contact in simulator.contacts.values():
            if contact.exists:
                assert contact.contact_id is not None, "a contact that exists has its id"
                now_ms = simulator.clock_of(contact.contact_id)
                for name, score in simulator.core.program.scores.items():
                    readings[name].append(score.reading(contact, now_ms))
    return tuple(
        _figures(name, sorted(values), simulator.core.definitions.scores[name]) for name, values in readings.items()
    )


def _figures(name: str, ordered: Sequence[int], spec: ScoreSpec) -> ScoreFigures:
    median = percentile(ordered, 50)
    return ScoreFigures(
        name,
        spec.description,
        len(ordered),
        bool(spec.tiers),
        tier_bars(ordered, spec) if spec.tiers else reading_bars(ordered),
        ordered[0] / 1000 if ordered else None,
        None if median is None else median / 1000,
        ordered[-1] / 1000 if ordered else None,
    )


def tier_bars(ordered: Sequence[int], spec: ScoreSpec) -> tuple[Bar, ...]:
    """Contacts by tier, the lowest first; before it those below the lowest bound, where there is one."""
    counts = dict.fromkeys(spec.tiers, 0)
    below = 0
    spans = spec.tier_spans()
    for reading in ordered:
        tier = next((tier for tier, span in spans.items() if span.low <= reading < span.high), None)
        if tier is None:
            below += 1
        else:
            counts[tier] += 1
    bars = tuple(Bar(tier, count) for tier, count in counts.items())
    return bars if next(iter(spec.tiers.values())) is None else (Bar(_NO_TIER, below), *bars)


def reading_bars(ordered: Sequence[int]) -> tuple[Bar, ...]:
    """Contacts by reading, in steps of 1, 2 or 5 times a power of ten, of which there are at most `BARS_MAX`."""
    if not ordered:
        return ()
    least, greatest = ordered[0], ordered[-1]
    step = next(step for step in _steps(greatest - least) if greatest // step - least // step < BARS_MAX)
    counts = [0] * (greatest // step - least // step + 1)
    for reading in ordered:
        counts[reading // step - least // step] += 1
    return tuple(
        Bar(f"{_text((least // step + place) * step)} to {_text((least // step + place + 1) * step)}", count)
        for place, count in enumerate(counts)
    )


def _steps(span: int) -> list[int]:
    """Steps in thousandths, small ones first, the last one wider than the span."""
    decades = range(int(math.log10(max(1, span))) + 2)
    return [factor * 10**decade for decade in decades for factor in (1, 2, 5)]


def _text(milli: int) -> str:
    return f"{milli / 1000:,.3f}".rstrip("0").rstrip(".")
