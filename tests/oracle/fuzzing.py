"""How many cases are drawn, and from which seed.

`SEGUE_FUZZ_DRAWS` is the number of draws over all families together, `SEGUE_FUZZ_SEED` repeats a run: both are told
with every counterexample.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, seed, settings

DRAWS = int(os.environ.get("SEGUE_FUZZ_DRAWS", "2200"))
SEED = int(os.environ.get("SEGUE_FUZZ_SEED") or secrets.randbelow(2**32))


def fuzzed(share: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Settings of a property test that takes this share of all draws."""

    def with_settings(test: Callable[..., Any]) -> Callable[..., Any]:
        bounded = settings(
            max_examples=max(10, round(DRAWS * share)),
            deadline=None,
            derandomize=False,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        return bounded(seed(SEED)(test))

    return with_settings
