"""`segue identify`: sets traits of a contact."""

from __future__ import annotations

from typing import Any

import click

from streams.cli.sending import Batch, SendOptions, run, sender_options
from streams.sending.assignments import describe_value, parse_assignments, parse_object


@click.command(short_help="Set or remove traits of a contact.")
@click.argument("contact_id")
@click.argument("traits", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--traits", "text", metavar="JSON", help="All traits as one JSON object, instead of NAME=VALUE.")
@sender_options
def command(contact_id: str, traits: tuple[str, ...], text: str | None, **options: Any) -> None:
    """Set traits of CONTACT_ID; null removes one.

    A VALUE that is JSON is that: a number, true, false, null, a text in double quotes, an object, a list. All else
    is text as it stands. How each was read is said before it is sent. Traits that are not named stay as they are;
    an object replaces the one that was there.

    \b
    Examples:
      segue identify customer-4711 plan=paid seats=12 subscribed_at=2024-02-29
      segue identify customer-4711 zip='"01234"' nickname=null
      segue identify customer-4711 --traits '{"address": {"city": "Paris"}}' --wait
    """
    given = _traits(traits, text)
    said = ", ".join(
        f"{name} is removed" if value is None else f"{name} = {describe_value(value)}" for name, value in given.items()
    )
    fields = {"type": "identify", "contact_id": contact_id, "traits": given}
    run(Batch([fields], f"traits of contact {contact_id}", said), SendOptions(**options))


def _traits(words: tuple[str, ...], text: str | None) -> dict[str, Any]:
    if (text is None) == (not words):
        raise click.UsageError("Expected traits, either as NAME=VALUE or with --traits JSON.")
    return parse_assignments(words, "trait") if text is None else parse_object("--traits", text)
