"""`segue consent`: records a decision of a contact."""

from __future__ import annotations

from typing import Any

import click

from streams.cli.sending import Batch, SendOptions, run, sender_options


@click.command(short_help="Record that a contact granted or denied consent.")
@click.argument("contact_id")
@click.argument("purpose")
@click.option("--granted/--denied", "granted", default=None, help="What was decided; one of them is needed.")
@click.option("--document", required=True, help="What the contact was shown: a form's version or a hash of its words.")
@click.option("--method", required=True, help="How the decision was made, like web_form or phone.")
@sender_options
def command(contact_id: str, purpose: str, granted: bool | None, document: str, method: str, **options: Any) -> None:
    """Record the decision of CONTACT_ID for PURPOSE.

    The latest decision by the time given with --at counts, whatever the order of arrival. A decision is never
    changed: a withdrawal is a new one.

    \b
    Examples:
      segue consent customer-4711 newsletter --granted --document form-v3 --method web_form
      segue consent customer-4711 newsletter --denied --document letter --method post \\
        --at 2026-11-20T00:00:00Z --wait
    """
    if granted is None:
        raise click.UsageError("Expected either --granted or --denied.")
    fields = {
        "type": "consent",
        "contact_id": contact_id,
        "purpose": purpose,
        "granted": granted,
        "document": document,
        "method": method,
    }
    word = "granted" if granted else "denied"
    run(Batch([fields], f"consent of contact {contact_id}", f"{purpose} is {word}"), SendOptions(**options))
