"""How many cases are drawn, and from which seed.

A run of all tests draws the same cases as the one before, so that it says something of what was changed in between and
not of its luck; `make fuzz` draws others every time. `SEGUE_FUZZ_DRAWS` is the number of draws over all families
together, `SEGUE_FUZZ_SEED` is where they begin: both are told with every counterexample. `SEGUE_FUZZ_SHRINK=0` spares
the search for the smallest counterexample.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings

DRAWS = int(os.environ.get("SEGUE_FUZZ_DRAWS", "2200"))
PHASES = tuple(Phase) if os.environ.get("SEGUE_FUZZ_SHRINK", "1") != "0" else (Phase.generate,)
SEED = int(os.environ.get("SEGUE_FUZZ_SEED") or 2)


def fuzzed(share: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Settings of a property test that takes this share of all draws."""

    def with_settings(test: Callable[..., Any]) -> Callable[..., Any]:
        bounded = settings(
            max_examples=max(10, round(DRAWS * share)),
            phases=PHASES,
            deadline=None,
            derandomize=False,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        marked: Callable[..., Any] = pytest.mark.fuzzed(bounded(seed(SEED)(test)))
        return marked

    return with_settings
