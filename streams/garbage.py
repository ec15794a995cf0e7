"""How often Python's garbage collector looks for cycles among many contacts, and at what."""

from __future__ import annotations

import gc

GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""Next to nothing is in cycles, and by default a good part of the time would go into looking for some: a fifth in a
worker and in a simulation, among the contacts that they hold."""


def collect_garbage_seldom() -> None:
    """Look for cycles rarely. Enough for a process that does one thing and ends."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def spare_garbage_collection() -> None:
    """What is there now is never looked at again, and the rest rarely. For a process that serves: to be called once
    all is imported.
    """
    gc.collect()
    gc.freeze()
    collect_garbage_seldom()
