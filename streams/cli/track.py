"""`segue track`: records something that a contact did."""

from __future__ import annotations

from typing import Any

import click

from streams.cli.sending import Batch, SendOptions, run, sender_options
from streams.sending.assignments import describe_value, parse_assignments, parse_object


@click.command(short_help="Record something that a contact did.")
@click.argument("contact_id")
@click.argument("event")
@click.argument("properties", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--properties", "text", metavar="JSON", help="All properties as one JSON object, instead of NAME=VALUE.")
@sender_options
def command(contact_id: str, event: str, properties: tuple[str, ...], text: str | None, **options: Any) -> None:
    """Record that CONTACT_ID did EVENT, a snake_case name like purchase.

    A VALUE is read as by `segue identify`. To load many events, use `segue load`.

    \b
    Examples:
      segue track customer-4711 purchase amount=49.90 category=shoes --wait
      segue track customer-4711 page_view --at 2026-11-20T10:00:00Z
    """
    if text is not None and properties:
        raise click.UsageError("Expected properties either as NAME=VALUE or with --properties JSON.")
    given = parse_assignments(properties, "property") if text is None else parse_object("--properties", text)
    said = ", ".join(f"{name} = {describe_value(value)}" for name, value in given.items()) or "no properties"
    fields = {"type": "track", "contact_id": contact_id, "event": event, "properties": given}
    run(Batch([fields], f"event {event} of contact {contact_id}", said), SendOptions(**options))
