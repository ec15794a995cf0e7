"""`segue snapshot`: a restore point of the state, taken while everything works."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from schemas.errors import InputError
from schemas.redis_access import RedisAccess
from schemas.settings import CommonSettings, load_settings
from schemas.topics import Names
from streams.adapters.redis.dump import fetch_dump
from streams.adapters.redis.points import read_points
from streams.adapters.redis.private import loaded_dump
from streams.adapters.redis.server import errors_of, server_client
from streams.adapters.redis.snapshots import forget_snapshots, note_snapshot
from streams.cli.progress import now_and_then, working
from streams.snapshots.manifest import Manifest, make_manifest
from streams.snapshots.shelf import Shelf, Snapshot, describe_file


@click.command("snapshot", short_help="Take a restore point of the state, while everything works.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keep", type=click.IntRange(min=1), help="Remove the oldest afterwards, so that this many are left.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(directory: Path, keep: int | None, as_json: bool) -> None:
    """Put a dump of Redis into DIRECTORY, with where each partition stood in it.

    Redis forks for it as for a replica, so nothing waits, and each partition is as of one instant with the very
    cursor that it is the fold of: `segue restore` goes on from there. The dump is loaded by a redis-server of its
    own before it counts, so have as much memory free as Redis uses. It holds contacts, also those that are erased
    later: keep DIRECTORY as safe as Redis, and not for longer than you need it.

    \b
    Examples:
      segue snapshot /backup/segue --keep 7
    """
    settings = load_settings(CommonSettings)
    redis, names = settings.redis, settings.names
    shelf = Shelf(directory, names.namespace)
    with shelf.writing():
        taken = _take(redis, names, shelf)
        dropped = shelf.drop_oldest(keep) if keep is not None else []
    manifest = taken.manifest
    assert manifest is not None, "a snapshot that was just made has one"
    _note(redis, names, taken.name, manifest, dropped)
    if as_json:
        shown = {"snapshot": taken.name, "directory": str(directory), "removed": dropped, **_plain(manifest)}
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(shown)) + b"\n")
        return
    size = sum(entry.bytes for entry in manifest.files)
    records = sum(entry.offset for entry in manifest.partitions.values())
    click.echo(f"{taken.files[0]}: {len(manifest.partitions)} partitions, {records:,} records folded, {size:,} bytes")
    for name in dropped:
        click.echo(f"{name}: removed")


def _take(redis: RedisAccess, names: Names, shelf: Shelf) -> Snapshot:
    made_at_ms = time.time_ns() // 1_000_000
    name = shelf.name_at(made_at_ms)
    partial = shelf.partial(name)
    with working("fetching the dump"):
        fetch_dump(redis, partial, now_and_then(lambda done: f"{done:,} bytes of the dump"))
    client = server_client(redis)
    with errors_of(redis):
        version = str(client.info("server")["redis_version"])
    client.close()
    with working("loading the dump"):
        percent = now_and_then(lambda done: f"{done} % of the dump loaded again")
        with loaded_dump(partial, database_of(redis), percent) as source:
            points = read_points(source, names)
    if not points:
        raise InputError(
            f"Redis holds no state under namespace {names.namespace!r}: start `segue worker`, or check "
            "SEGUE_REDIS_URL and SEGUE_NAMESPACE"
        )
    file = describe_file(partial, f"{name}.rdb")
    return shelf.keep(name, make_manifest(names.namespace, made_at_ms, version, [file], points))


def _note(redis: RedisAccess, names: Names, name: str, manifest: Manifest, dropped: list[str]) -> None:
    client = server_client(redis)
    with errors_of(redis):
        note_snapshot(client, names, name, manifest)
        forget_snapshots(client, names, dropped)
    client.close()


def _plain(manifest: Manifest) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(manifest, str_keys=True)
    return plain


def database_of(redis: RedisAccess) -> int:
    """The number of the database that an address names."""
    client = server_client(redis)
    number = int(client.connection_pool.connection_kwargs.get("db") or 0)
    client.close()
    return number
