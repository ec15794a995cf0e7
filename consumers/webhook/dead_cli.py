"""`segue consumer webhook dead`: deliveries that were given up, listed, replayed or dropped."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.clock import SystemClock
from consumers.options import name_option, role_of
from consumers.redis_client import connect_redis
from consumers.runner import configure_logging
from consumers.settings import WebhookSettings
from consumers.webhook.compose import load_webhook_settings, open_sender
from consumers.webhook.dead_letters import DeadLetter, DeadLetters
from consumers.webhook.replay import Replayed, replay_all
from schemas.settings import load_settings

_PIPED_WIDTH = 10_000


@click.group("dead")
def dead() -> None:
    """Look at deliveries that were given up, send them again, or drop them.

    A delivery is given up when the endpoint rejects it (a 4xx but 408, 410 and 429), when it has failed too often while
    others were taken, or when it holds no valid transition. Later ones of the same contact have gone on.

    \b
    Examples:
      segue consumer webhook dead list --json
      segue consumer webhook dead replay --all --url https://example.com/hooks/segue
      segue consumer webhook dead drop 5f0c1ad20b6e
    """


@dead.command("list")
@name_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the transition itself.")
def list_command(name: str | None, as_json: bool) -> None:
    """Show what is in the list, oldest first."""
    settings = load_settings(WebhookSettings)
    letters = asyncio.run(_list(settings, name))
    if as_json:
        for letter in letters:
            click.echo(json.dumps(_row(letter)))
    elif not letters:
        click.echo("no dead letters")
    else:
        _print_table(letters)


@dead.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--all", "everything", is_flag=True, help="Every delivery in the list.")
@name_option
@click.option("--url", metavar="URL", help="Where to send; SEGUE_WEBHOOK_URL otherwise.")
@click.option("--allow-private", is_flag=True, help="Send to an address that is not public.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def replay(
    ids: tuple[str, ...], everything: bool, name: str | None, url: str | None, allow_private: bool, as_json: bool
) -> None:
    """Send deliveries again, oldest first, and take those that are acknowledged off the list.

    The webhook-id is the one of the first attempt, so a receiver that did take it before can tell. Ends with code 75
    at the first answer that says the endpoint is in trouble, with code 1 if some were rejected again.
    """
    _require_choice(ids, everything=everything)
    settings = load_webhook_settings(url, allow_private=allow_private)
    configure_logging(settings)
    outcome = asyncio.run(_replay(settings, name, ids))
    text = f"replayed {outcome.delivered}, rejected again {outcome.rejected}, left {outcome.left}"
    click.echo(json.dumps(outcome._asdict()) if as_json else text)
    outcome.raise_for_trouble()


@dead.command("drop")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--all", "everything", is_flag=True, help="Every delivery in the list.")
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def drop(ids: tuple[str, ...], everything: bool, name: str | None, as_json: bool) -> None:
    """Take deliveries off the list for good."""
    _require_choice(ids, everything=everything)
    dropped = asyncio.run(_drop(load_settings(WebhookSettings), name, ids))
    click.echo(json.dumps({"dropped": dropped}) if as_json else f"dropped {dropped}")


def _require_choice(ids: Sequence[str], *, everything: bool) -> None:
    if bool(ids) == everything:
        raise click.UsageError("give ids, or --all")


@asynccontextmanager
async def _open_list(settings: WebhookSettings, name: str | None) -> AsyncIterator[DeadLetters]:
    async with connect_redis(settings) as client:
        yield DeadLetters(client, settings.names, role_of("webhook", name), settings.webhook_dead_letters_max)


async def _list(settings: WebhookSettings, name: str | None) -> list[DeadLetter]:
    async with _open_list(settings, name) as letters:
        return await letters.all()


async def _drop(settings: WebhookSettings, name: str | None, ids: Sequence[str]) -> int:
    async with _open_list(settings, name) as letters:
        chosen = await letters.choose(ids) if ids else await letters.all()
        return await letters.remove([letter.transition_id for letter in chosen])


async def _replay(settings: WebhookSettings, name: str | None, ids: Sequence[str]) -> Replayed:
    async with _open_list(settings, name) as letters, open_sender(settings, SystemClock()) as sender:
        chosen = await letters.choose(ids) if ids else await letters.all()
        return await replay_all(chosen, letters, sender)


def _row(letter: DeadLetter) -> dict[str, Any]:
    row = msgspec.structs.asdict(letter)
    del row["value"]
    try:
        row["transition"] = msgspec.json.decode(letter.value)
    except msgspec.DecodeError:
        row["transition"] = None
    return row


def _print_table(letters: Sequence[DeadLetter]) -> None:
    table = Table("id", "partition", "seq", "reason", "status", "since", "detail", box=None)
    for letter in letters:
        status = "" if letter.status is None else str(letter.status)
        cells = (letter.transition_id, str(letter.partition), str(letter.seq), letter.reason, status, letter.dead_at)
        table.add_row(*(Text(cell) for cell in (*cells, letter.detail)))
    # What an endpoint answered is no markup; and where nobody looks, nothing is cut.
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    Console(file=sys.stdout, width=width).print(table)
