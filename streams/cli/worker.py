"""`segue worker`."""

from __future__ import annotations

import click

from schemas.settings import load_settings
from streams.bootstrap import run_worker
from streams.settings import WorkerSettings


@click.command()
def command() -> None:
    """Fold the log: keep contacts' scores and segments current, and publish each change.

    Runs until it is asked to end (SIGTERM or Ctrl-C). Any number of workers share the partitions of `tracking`;
    when one dies, the others take over its partitions within seconds. Definitions come from the log: see
    `segue apply`. Everything is set by SEGUE_… variables of the environment.

    \b
    Exit codes: 0 asked to end; 1 the input or the state is bad; 70 a bug;
    75 Kafka or Redis is down, topics or definitions are missing, or the
    worker stalled: start it again.

    \b
    Examples:
      segue worker
      SEGUE_TICKS=on SEGUE_METRICS_PORT=9100 segue worker
    """
    run_worker(load_settings(WorkerSettings))
