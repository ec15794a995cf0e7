"""`segue restore`: brings the state of a snapshot back, also under workers that run."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from schemas.settings import CommonSettings, load_settings
from streams.cli.restoring import Restored, restore_snapshot
from streams.snapshots.shelf import check_files, find_snapshot


@click.command("restore", short_help="Bring the state of a snapshot back.")
@click.argument("place", metavar="DIRECTORY_OR_FILE", type=click.Path(path_type=Path))
@click.option("--yes", "set_back", is_flag=True, help="Set back also what has come further than the snapshot.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(place: Path, set_back: bool, as_json: bool) -> None:
    """Bring back the newest snapshot of a directory, or the one of a file, which may be any dump (RDB) of Redis.

    The state is copied beside the one that serves, and then serves in its place, partition by partition. Workers
    may run: they go on from the snapshot and fold the rest of the log. Nothing is published twice, since they
    compare with the end of the output. The log must still hold every record from the snapshot's cursor on.

    Until the copy is whole the old state serves, so a restore that is broken off can simply be run again. Redis
    holds both for that time. Progress of consumers only ever moves forward, and dead letters that wait come back.

    A partition that has come further than the snapshot is only set back with --yes.

    \b
    Examples:
      segue restore /backup/segue
      segue restore /backup/segue/segue-20261128T220800000Z.json --yes
    """
    settings = load_settings(CommonSettings)
    snapshot = find_snapshot(place, settings.namespace)
    check_files(snapshot, settings.namespace)
    restored = restore_snapshot(settings, snapshot, set_back=set_back)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(restored)) + b"\n")
    else:
        _print(restored)


def _print(restored: Restored) -> None:
    for row in restored.partitions:
        if row.restored:
            click.echo(f"partition {row.partition}: goes on at record {row.offset}, {row.to_fold} to fold")
        else:
            click.echo(f"partition {row.partition}: left alone, {row.why}")
    if restored.dead_letters:
        click.echo(
            f"{restored.dead_letters} deliveries that were given up came back: see `segue consumer webhook dead list`"
        )
