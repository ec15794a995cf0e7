"""What Python's garbage collector looks at in a process that serves."""

from __future__ import annotations

import gc

GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""Next to nothing is in cycles, and by default a good part of the time would go into looking for some: a fifth in a
worker, among the contacts that it holds."""


def spare_garbage_collection() -> None:
    """What is there now is never looked at again, and the rest rarely. To be called once all is imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
