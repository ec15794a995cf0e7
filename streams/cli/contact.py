"""`segue contact`: what is known of one contact."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from schemas.errors import InputError
from schemas.instants import format_instant
from schemas.settings import CommonSettings, load_settings
from schemas.topics import partition_of
from streams.adapters.redis_inspect import StateInspector
from streams.explaining.contact_view import View, view
from streams.segmentation import Core, contact_key, parse_canonical


@click.command("contact", short_help="Show what is known of one contact.")
@click.argument("contact_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(contact_id: str, as_json: bool) -> None:
    """Show what the state in Redis holds of CONTACT_ID: traits, scores now, memberships with since and until.

    `now` is the clock of the contact's partition. Traits, consents and lists are those that the active
    definitions ask for; others are not kept. `until` is when the membership will change if nothing else comes.
    A contact that is not known ends with exit code 1.

    \b
    Examples:
      segue contact customer-4711
      segue contact anon:0b1f7a --json | jq .scores
    """
    settings = load_settings(CommonSettings)
    inspector = StateInspector(settings.redis_url.get_secret_value(), settings.names)
    try:
        found = _look_up(inspector, contact_id)
    finally:
        inspector.close()
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    else:
        _print(found)
    if not found["exists"]:
        raise InputError("the contact is not known" + (", it was erased" if found["erased_up_to"] else ""))


def _look_up(inspector: StateInspector, contact_id: str) -> View:
    partition = partition_of(contact_id, inspector.partitions())
    key = contact_key(contact_id)
    stored = inspector.contact(partition, key)
    if stored.definitions is None:
        raise InputError(f"partition {partition} of the log holds no definitions yet: run `segue apply`, then a worker")
    core = Core(parse_canonical(stored.definitions))
    contact = core.new(contact_id) if stored.raw is None else core.decode(key, stored.raw)
    head = {"contact_id": contact_id, "partition": partition, "now": format_instant(stored.clock_ms)}
    return head | view(core, contact, stored.clock_ms)


def _print(found: View) -> None:
    console = Console(highlight=False)
    console.print(
        f"[bold]{found['contact_id']}[/] in partition {found['partition']}, now {found['now']}", soft_wrap=True
    )
    if found["exists"]:
        console.print(f"known since {found['known_since']}; next due {found['next_due'] or 'never'}", soft_wrap=True)
    if found["erased_up_to"]:
        console.print(f"erased: records up to {found['erased_up_to']} are dropped", soft_wrap=True)
    for title in ("traits", "consents", "lists"):
        rows = [[name, _json(fact["value"]), fact["set_at"]] for name, fact in found[title].items()]
        _table(console, [title, "value", "set at"], rows)
    scores = [[name, f"{score['reading']:g}", score["tier"] or ""] for name, score in found["scores"].items()]
    _table(console, ["scores", "reading", "tier"], scores)
    _table(
        console,
        ["segments", "member", "since", "until"],
        [
            [row["segment"], "yes" if row["member"] else "no", row["since"], row["until"] or ""]
            for row in found["segments"]
        ],
    )


def _table(console: Console, columns: list[str], rows: list[list[str]]) -> None:
    if rows:
        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        console.print(table)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
