"""`python -m tests.faults.worker`: `segue worker` with traps on its way, as the variable TRAPS tells."""

from __future__ import annotations

import os
import sys

from schemas.errors import SegueError
from schemas.settings import load_settings
from streams.bootstrap import run_worker
from streams.settings import WorkerSettings
from tests.faults.failpoints import Failpoints, Traps

if __name__ == "__main__":
    try:
        run_worker(load_settings(WorkerSettings), Failpoints(Traps.told(os.environ)).around)
    except SegueError as error:
        sys.stderr.write(f"segue: {error}\n")
        sys.exit(error.exit_code)
