"""`segue epoch`: begin the output of partitions anew, when the old one can no longer be continued."""

from __future__ import annotations

import click

from schemas.settings import CommonSettings, load_settings
from streams.adapters.redis.inspect import StateInspector


@click.group("epoch")
def command() -> None:
    """Begin the output of partitions anew, when the old one can no longer be continued."""


@command.command("raise")
@click.option("--partition", type=click.IntRange(min=0), default=None, help="Only this one.  [default: all]")
@click.option("--yes", is_flag=True, help="Do not ask.")
def raise_(partition: int | None, yes: bool) -> None:
    """Fold the log of partitions from its start again, and publish all its transitions in the next epoch.

    For a log that was cut or replaced, or a version of Segue that computes other transitions than the one
    before: the worker stops then, because what it would publish contradicts what it has published. Consumers
    take the transitions of the new epoch from number 1 on; those that are the same as before keep their
    `transition_id`, and receivers that heed it pass them over.

    Nothing is lost but time: state is rebuilt from the log.

    \b
    Examples:
      segue epoch raise --partition 3
      segue epoch raise --yes
    """
    settings = load_settings(CommonSettings)
    inspector = StateInspector(settings.redis, settings.names)
    try:
        chosen = range(inspector.partitions()) if partition is None else [partition]
        if not yes:
            click.confirm(
                f"Fold the log of {len(chosen)} partitions again, and publish all their transitions anew?", abort=True
            )
        for number in chosen:
            epoch = inspector.raise_epoch(number)
            if epoch is None:
                click.echo(f"partition {number}: nothing is stored")
            else:
                click.echo(f"partition {number}: epoch {epoch}, to be folded from record 0")
    finally:
        inspector.close()
