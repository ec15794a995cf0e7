"""`segue contact`: what is known of one contact."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from schemas.errors import InputError
from schemas.instants import format_instant
from schemas.settings import CommonSettings, load_settings
from streams.adapters.redis.inspect import StateInspector
from streams.cli.options import CONTACT_ID
from streams.cli.printing import plain_table, print_shown
from streams.cli.stored_contact import look_up
from streams.explaining.contact_view import View, view
from streams.segmentation.wording import printable


@click.command("contact", short_help="Show what is known of one contact.")
@click.argument("contact_id", type=CONTACT_ID)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(contact_id: str, as_json: bool) -> None:
    """Show what the state in Redis holds of CONTACT_ID: traits, scores now, memberships with since and until.

    `now` is the clock of the contact's partition. Traits, consents and lists are those that the active
    definitions ask for; others are not kept. `until` is when the membership will change if nothing else comes.
    Segments that are no more are named with the transitions that it had there: one that comes back goes on from them.
    A contact that is not known ends with exit code 1.

    \b
    Examples:
      segue contact customer-4711
      segue contact anon:0b1f7a --json | jq .scores
    """
    settings = load_settings(CommonSettings)
    inspector = StateInspector(settings.redis, settings.names)
    try:
        found = _look_up(inspector, contact_id)
    finally:
        inspector.close()
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    else:
        _print(found)
    if not found["exists"]:
        if found["linked_to"] is not None:
            raise InputError(f"the contact turned out to be {printable(found['linked_to'])}: ask for that one")
        raise InputError("the contact is not known" + (", it was erased" if found["erased_up_to"] else ""))


def _look_up(inspector: StateInspector, contact_id: str) -> View:
    partition, core, contact, stored = look_up(inspector, contact_id)
    head = {"contact_id": contact_id, "partition": partition, "now": format_instant(stored.clock_ms)}
    return head | view(core, contact, stored.clock_ms)


def _print(found: View) -> None:
    head = Text(printable(found["contact_id"]), "bold", end="")
    shown: list[RenderableType] = [
        Text.assemble(head, f" in partition {found['partition']}, now {found['now']}"),
    ]
    if found["exists"]:
        shown.append(Text(f"known since {found['known_since']}; next due {found['next_due'] or 'never'}"))
    if found["linked_ids"]:
        shown.append(Text("with the records of " + ", ".join(printable(each) for each in found["linked_ids"])))
    if found["erased_up_to"]:
        shown.append(Text(f"erased: records up to {found['erased_up_to']} are dropped"))
    print_shown(*shown, *_tables(found), *_retired(found), *_correctable(found))


def _correctable(found: View) -> Iterator[Text]:
    for row in found["correctable"]:
        mark = "taken for a machine's" if row["machine"] else "not taken for a machine's"
        yield Text(f"can be corrected until {row['until']}: {row['event']} of {row['occurred_at']}, {mark}")


def _retired(found: View) -> Iterator[Text]:
    for row in found["retired"]:
        yield Text(f"left for good: segment {row['segment']}, {row['sequence']} transitions, since {row['since']}")


def _tables(found: View) -> Iterator[Table]:
    for title in ("traits", "consents", "lists"):
        rows = [[name, _json(fact["value"]), fact["set_at"]] for name, fact in found[title].items()]
        if rows:
            yield plain_table([title, "value", "set at"], rows)
    scores = [[name, f"{score['reading']:g}", score["tier"] or ""] for name, score in found["scores"].items()]
    if scores:
        yield plain_table(["scores", "reading", "tier"], scores)
    segments = [
        [row["segment"], "yes" if row["member"] else "no", row["since"], row["until"] or ""]
        for row in found["segments"]
    ]
    if segments:
        yield plain_table(["segments", "member", "since", "until"], segments)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
