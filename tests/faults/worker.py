"""`python -m tests.faults.worker`: `segue worker` with traps on its way, as the variable TRAPS tells.

It may be one of a version to come, which has formats of its own (see `tests/engine/upgrades.py`).
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from schemas.errors import SegueError
from schemas.settings import load_settings
from streams.adapters.redis.state import RedisStateStore
from streams.bootstrap import Outside, run_worker
from streams.settings import WorkerSettings
from tests.engine.upgrades import VERSION, formats_of, stores_of
from tests.faults.failpoints import Failpoints, Traps


def around(outside: Outside) -> Outside:
    """The ports of the version that this worker is of, with traps around them."""
    version = int(os.environ.get(VERSION, "0"))
    if version:
        assert isinstance(outside.store, RedisStateStore), "a worker keeps its state in Redis"
        later = stores_of(outside.store, formats_of(version))
        outside = replace(outside, store=later.store, builds=later.builds, generations=later.generations)
    return Failpoints(Traps.told(os.environ)).around(outside)


if __name__ == "__main__":
    try:
        run_worker(load_settings(WorkerSettings), around)
    except SegueError as error:
        sys.stderr.write(f"segue: {error}\n")
        sys.exit(error.exit_code)
