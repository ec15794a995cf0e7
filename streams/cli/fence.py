"""`segue fence`: who owns a partition, when the worker group cannot say it any more."""

from __future__ import annotations

import click

from schemas.settings import CommonSettings, load_settings
from streams.adapters.redis.inspect import StateInspector


@click.group("fence")
def command() -> None:
    """Who owns a partition, when the worker group cannot say it any more."""


@command.command("reset")
@click.option("--partition", type=click.IntRange(min=0), default=None, help="Only this one.  [default: all]")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(partition: int | None, yes: bool) -> None:
    """Let the next worker take partitions, whatever its generation.

    Each partition belongs to a generation of the worker group, and only a later one may take it over. If the
    group was deleted, or the brokers were replaced, generations start again at 1 and every worker is refused.
    Stop all workers first: one that still runs takes its partitions again.

    No state is lost by this.

    \b
    Examples:
      segue fence reset
      segue fence reset --partition 3 --yes
    """
    settings = load_settings(CommonSettings)
    inspector = StateInspector(settings.redis, settings.names)
    try:
        chosen = range(inspector.partitions()) if partition is None else [partition]
        if not yes:
            click.confirm(f"Reset the fence of {len(chosen)} partitions? All workers should be stopped", abort=True)
        for number in chosen:
            before = inspector.reset_fence(number)
            if before is None:
                click.echo(f"partition {number}: nothing is stored")
            else:
                click.echo(f"partition {number}: was generation {before.generation}, is free now")
    finally:
        inspector.close()
