"""`segue definitions`: which definitions held, which hold, and what is different between two of them."""

from __future__ import annotations

import asyncio
import difflib
import json
import sys
from typing import Any

import click
import msgspec
import yaml
from rich.text import Text

from schemas.errors import UnavailableError
from schemas.instants import format_instant
from schemas.settings import CommonSettings, load_settings
from streams.cli.planning import plan_ports
from streams.cli.printing import plain_table, print_shown
from streams.planning.versions import KnownVersion, definitions_of, known_versions
from streams.sending.log_start import numbers

_COLUMNS = ("number", "hash", "since", "by", "message", "")
_STYLES = {"+": "green", "-": "red", "@": "dim"}


@click.group(
    "definitions", invoke_without_command=True, short_help="List the definitions that held and hold; compare them."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List all definitions that the log has, with who applied them, when and why.

    \b
    Examples:
      segue definitions
      segue definitions show 2
      segue definitions diff 2 3
      segue apply --rollback 2
    """
    if ctx.invoked_subcommand is not None:
        return
    versions = asyncio.run(_versions())
    if as_json:
        body = {"definitions": [_view(one) for one in versions]}
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(body)) + b"\n")
    elif versions:
        partitions = sum(len(one.newest) for one in versions)
        print_shown(plain_table(_COLUMNS, [_row(one, partitions) for one in versions], right=["number"]))
    else:
        click.echo("the log has no definitions yet: run `segue apply`")


@command.command("show", short_help="Print the text of definitions.")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="As JSON, as it stands in the log.")
def show(number: int, as_json: bool) -> None:
    """Print the definitions with this NUMBER as a file that `segue apply` takes, but for the contacts of its lists.

    \b
    Examples:
      segue definitions show 2 > earlier.yaml
    """
    text = asyncio.run(_text(number))
    click.echo(text if as_json else _as_yaml(text), nl=as_json)


@command.command("diff", short_help="Compare two definitions.")
@click.argument("before", type=click.IntRange(min=1))
@click.argument("after", type=click.IntRange(min=1))
def diff(before: int, after: int) -> None:
    """Show what is different between the definitions numbered BEFORE and AFTER.

    \b
    Examples:
      segue definitions diff 2 3
    """
    old, new = (_as_yaml(asyncio.run(_text(number))).splitlines() for number in (before, after))
    lines = difflib.unified_diff(old, new, f"definitions {before}", f"definitions {after}", lineterm="")
    print_shown(*(Text(line, _STYLES.get(line[:1], "")) for line in lines))


async def _versions() -> list[KnownVersion]:
    async with plan_ports(load_settings(CommonSettings)) as ports:
        if not ports.bounds():
            raise UnavailableError(f"no topic {ports.topic}: create it with `segue topics create`")
        return await known_versions(ports)


async def _text(number: int) -> str:
    async with plan_ports(load_settings(CommonSettings)) as ports:
        return (await definitions_of(ports, number)).definitions


def _as_yaml(text: str) -> str:
    return yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True, width=110)


def _row(one: KnownVersion, partitions: int) -> list[str]:
    version = one.version
    since = format_instant(version.clock_ms) if version.clock_ms else ""
    active = [partition for partition in one.newest if partition not in one.waiting]
    states = [f"waiting in partition {numbers(one.waiting)}"] if one.waiting else []
    if active:
        states.append("active" if len(active) == partitions else f"active in partition {numbers(active)}")
    state = ", ".join(states)
    return [str(version.number), version.hash[:12], since, version.author, version.message, state]


def _view(one: KnownVersion) -> dict[str, Any]:
    version = one.version
    return {
        "number": version.number,
        "hash": version.hash,
        "semantics": version.semantics,
        "since": format_instant(version.clock_ms) if version.clock_ms else None,
        "author": version.author,
        "message": version.message,
        "silent": version.silent,
        "offsets": {str(partition): offset for partition, offset in one.offsets.items()},
        "waiting": one.waiting,
        "active": [partition for partition in one.newest if partition not in one.waiting],
    }
