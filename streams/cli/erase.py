"""`segue erase`: forgets a contact."""

from __future__ import annotations

from typing import Any

import click

from schemas.instants import format_instant
from streams.adapters.kafka.compacted import KafkaCompactedLog
from streams.adapters.kafka.topics import KafkaTopics
from streams.cli.sending import Batch, SenderSettings, SendOptions, run, sender_options
from streams.sending.applied_lists import forget_contact, lists_of
from streams.sending.log_clocks import read_clocks


@click.command(short_help="Forget a contact.")
@click.argument("contact_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@sender_options
def command(contact_id: str, yes: bool, **options: Any) -> None:
    """Forget CONTACT_ID: it leaves every segment, and nothing that is known of it is kept in the state.

    What is left is a hash of its id, for as long as event ids are remembered: records that come later and
    occurred before are dropped. A later record with a later time makes a new contact.

    Its entries in the topic `lists` go as well. A definition file that names it in `lists` must drop it first, or
    the next `segue apply` puts it there again. With an --at before the latest time in the log they stay, since the
    record is dropped if the contact was erased in between. Records that Kafka holds of it stay until their retention
    ends.

    \b
    Examples:
      segue erase customer-4711
      segue erase customer-4711 --yes --wait
      segue erase customer-4711 --dry-run
    """
    batch = Batch(
        [{"type": "erase", "contact_id": contact_id}],
        f"erase contact {contact_id}",
        "it leaves every segment, and all that is known of it goes",
        question=None if yes else f"Erase {contact_id}? This cannot be undone.",
        look=lambda settings, reader: _look(contact_id, options["at"], settings, reader),
        prepare=lambda settings, reader: _forget(contact_id, options["at"], settings, reader),
    )
    run(batch, SendOptions(**options))


def _look(contact_id: str, at: int | None, settings: SenderSettings, reader: KafkaTopics) -> None:
    journal = _journal(settings, reader)
    names = [] if journal is None else lists_of(journal, contact_id)
    if not names:
        return
    click.echo(
        f"warning: `segue apply` put it on {', '.join(names)}: take it out of the definition file first, or the "
        "next apply puts it there again",
        err=True,
    )
    clock_ms = _overtaken_ms(contact_id, at, settings, reader)
    if clock_ms:
        click.echo(
            f"warning: --at is before {format_instant(clock_ms)}, the latest time in its partition, so this is dropped "
            "if the contact was erased in between: what `segue apply` noted of its lists stays; erase it again at that "
            "time or later to remove that too",
            err=True,
        )


def _forget(contact_id: str, at: int | None, settings: SenderSettings, reader: KafkaTopics) -> None:
    journal = _journal(settings, reader)
    if journal is not None and not _overtaken_ms(contact_id, at, settings, reader):
        forget_contact(journal, contact_id)


def _overtaken_ms(contact_id: str, at: int | None, settings: SenderSettings, reader: KafkaTopics) -> int:
    """The clock of the contact's partition where it is past `at`, so that an erasure may hold the record; else 0."""
    if at is None:
        return 0
    clock_ms = read_clocks(reader, settings.names.tracking).at_ms(contact_id)
    return clock_ms if at < clock_ms else 0


def _journal(settings: SenderSettings, reader: KafkaTopics) -> KafkaCompactedLog | None:
    topic = settings.names.lists
    exists = topic in reader.partition_counts([topic])
    return KafkaCompactedLog(settings.kafka, topic) if exists else None
