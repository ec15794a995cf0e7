"""`segue apply`: puts definitions at the start of the log, and their lists after them."""

from __future__ import annotations

import json
import time
import uuid
from importlib.metadata import version
from pathlib import Path

import click
from pydantic import Field

from schemas.errors import InputError, UnavailableError
from schemas.records import DefinitionsRecord
from schemas.settings import CommonSettings, load_settings
from streams.adapters.kafka_compacted import KafkaCompactedLog
from streams.adapters.kafka_topics import KafkaTopics
from streams.adapters.kafka_writer import KafkaWriter
from streams.cli.options import INSTANT
from streams.cli.progress import counted
from streams.definition_files.reading import read_definitions
from streams.ports import TimestampType
from streams.segmentation import SEMANTICS_VERSION, Definitions
from streams.sending.applied_lists import ListPlan, ListTally, plan_lists, publish_lists, read_journal
from streams.sending.applying import Applied, apply_definitions, plan_definitions
from streams.sending.log_clocks import ApplyTimes, read_clocks
from streams.sending.log_start import check_topics, numbers
from streams.settings import TicksMode


class ApplySettings(CommonSettings):
    """What `segue apply` must know of the workers."""

    ticks: TicksMode = Field(default="auto", description="As for the worker; with ticks off, `--at` is needed.")


@click.command(short_help="Put definitions at the start of the log, and publish their lists.")
@click.argument("definitions", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--at",
    type=INSTANT,
    help="Kafka timestamp of the records, and when their contacts came onto the lists: an RFC 3339 time; only on "
    "topics created with --timestamps create.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(definitions: Path, at: int | None, dry_run: bool, as_json: bool) -> None:
    """Check DEFINITIONS, put them at the start of every partition of `tracking`, and publish their lists.

    Workers read definitions from the log and from nowhere else. Applying the same text again does nothing, and
    completes what an interrupted apply left undone. Applying another text is refused while one is active.

    Lists are no part of that text: change their contacts and apply again, and the difference to what was applied
    before is written to the log as records of type `list`. What was done by hand with `segue list` stays as it is until
    the file changes for that contact. An apply that was cut short is completed by the next one.

    Where records carry their own times and nothing ticks (a topic created with --timestamps create, to replay
    history), --at says when the definitions begin to hold: at or before the first event. Changes of lists come later:
    at or after the latest time in the log.

    \b
    Examples:
      segue apply definitions.yaml
      segue apply definitions.yaml --dry-run
      segue apply definitions.yaml --at 2026-01-01T00:00:00Z
    """
    compiled = read_definitions(definitions)
    settings = load_settings(ApplySettings)
    names = settings.names
    reader = KafkaTopics(settings.kafka)
    check_topics(reader, names)
    _check_time(at, reader.timestamp_type(names.tracking), settings.ticks)
    record = _record(compiled)
    applied = plan_definitions(record, reader, names.tracking)
    journal = _journal(compiled, reader, settings)
    plan = _plan(compiled, journal, reader, names.tracking, at)
    if not dry_run:
        writer = KafkaWriter(settings.kafka, names.tracking)
        applied = apply_definitions(record, reader, writer, names.tracking, at or 0)
        if applied.written:
            plan = _plan(compiled, journal, reader, names.tracking, at)  # the log has a clock only now
        if journal is not None:
            with counted(3 * len(plan.changes), "steps of publishing lists") as show:
                publish_lists(plan, writer, journal, show)
    _report(compiled, applied, plan, dry_run, as_json)


def _check_time(at: int | None, timestamps: TimestampType, ticks: TicksMode) -> None:
    if at is not None and timestamps == "append":
        raise InputError(
            "--at: the broker stamps the records of this topic; expected a topic created with --timestamps create"
        )
    if at is None and timestamps == "create" and ticks != "on":
        raise InputError(
            "--at: expected the instant from which the definitions hold, since time on this topic moves by its records "
            "alone; give it, or set SEGUE_TICKS=on if workers are to tick"
        )


def _record(compiled: Definitions) -> DefinitionsRecord:
    return DefinitionsRecord(
        type="definitions",
        definitions=compiled.canonical,
        hash=compiled.hash,
        number=1,
        semantics=SEMANTICS_VERSION,
        tzdata=version("tzdata"),
    )


def _journal(compiled: Definitions, reader: KafkaTopics, settings: ApplySettings) -> KafkaCompactedLog | None:
    """What was published of lists; None where no list was ever published, nor is one to be."""
    topic = settings.names.lists
    if topic in reader.partition_counts([topic]):
        return KafkaCompactedLog(settings.kafka, topic)
    if any(compiled.lists.values()):
        raise UnavailableError(
            f"no topic {topic}, which keeps what was published of the lists in the file: create it with "
            "`segue topics create`, with the options that the other topics were created with"
        )
    return None


def _plan(
    compiled: Definitions, journal: KafkaCompactedLog | None, reader: KafkaTopics, topic: str, at: int | None
) -> ListPlan:
    if journal is None:
        return ListPlan(log="", end=0, tallies={})
    published, end = read_journal(journal)
    now_ms = time.time_ns() // 1_000_000
    times = ApplyTimes(read_clocks(reader, topic), now_ms, at, reader.timestamp_type(topic))
    log = reader.log_identity(topic).topic_id
    return plan_lists(compiled.lists, published, end, log=log, run=uuid.uuid4().hex, times=times)


def _report(compiled: Definitions, applied: Applied, plan: ListPlan, dry_run: bool, as_json: bool) -> None:
    if as_json:
        lists = {
            name: {"put_on": tally.put_on, "taken_off": tally.taken_off, "unchanged": tally.unchanged}
            for name, tally in plan.tallies.items()
        }
        body = {"hash": compiled.hash, "written": applied.written, "unchanged": applied.there, "lists": lists}
        click.echo(json.dumps(body | {"dry_run": dry_run}))
        return
    for warning in compiled.warnings:
        click.echo(f"warning: {warning.path}: {warning.expected}", err=True)
    if dry_run:
        click.echo("dry run: nothing was written")
    _report_definitions(compiled.hash[:12], applied, bool(plan.changes), dry_run)
    for name, tally in plan.tallies.items():
        click.echo(_list_line(name, tally))


def _report_definitions(name: str, applied: Applied, lists_changed: bool, dry_run: bool) -> None:
    if not applied.written:
        start = "" if lists_changed else "nothing to do: "
        click.echo(f"{start}these definitions (hash {name}) are active in every partition")
        return
    click.echo(
        f"{'would apply' if dry_run else 'applied'} definitions (hash {name}) to partition {numbers(applied.written)}"
    )
    if applied.there:
        click.echo(f"they were active already in partition {numbers(applied.there)}")


def _list_line(name: str, tally: ListTally) -> str:
    gone = "" if tally.declared else " (the file has no such list any more)"
    return f"list {name}: {tally.put_on:,} put on, {tally.taken_off:,} taken off, {tally.unchanged:,} unchanged{gone}"
