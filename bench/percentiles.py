"""Percentiles of what was measured."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all (0 to 1) do not exceed. Raises `ValueError` without values."""
    if not values:
        raise ValueError("expected at least one value")
    ordered = sorted(values)
    # In millionths, so that 0.999 of 1,000 is the 999th and not, by a rounding of binary fractions, the next.
    place = -(-len(ordered) * round(share * 1_000_000) // 1_000_000)
    return ordered[max(0, place - 1)]
