"""`segue apply`: puts definitions into the log, at its start or as a change, and publishes their lists."""

from __future__ import annotations

import json
from pathlib import Path

import click

from schemas.errors import InputError
from schemas.settings import load_settings
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.kafka.writer import KafkaWriter
from streams.cli.apply_lists import ListPublisher
from streams.cli.applying import ApplySettings, Asked, Outcome, change, earlier_definitions, this_user
from streams.cli.options import INSTANT
from streams.definition_files.reading import read_definitions
from streams.planning.view import plan_view
from streams.ports import TimestampType
from streams.segmentation import Definitions
from streams.sending.applied_lists import ListPlan, ListTally
from streams.sending.applying import apply_definitions, plan_definitions
from streams.sending.log_start import check_topics, numbers, read_log_starts
from streams.settings import TicksMode


@click.command(short_help="Put definitions into the log, at its start or as a change; publish their lists.")
@click.argument("definitions", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rollback", is_flag=False, flag_value=0, type=click.IntRange(min=0), metavar="[NUMBER]",
              help="Return to earlier definitions: those of this number, or the ones before.")  # fmt: skip
@click.option("-m", "--message", default="", help="Why; `segue definitions` shows it.")
@click.option("--author", help="Who; by default the user of this machine.")
@click.option("--silent", is_flag=True, help="Mark what the change tells as `backfill`, which consumers may pass over.")
@click.option("--accept-short-history", is_flag=True, help="Also where the start of the log is gone: count from there.")
@click.option("--yes", is_flag=True, help="Change without asking.")
@click.option("--no-wait", is_flag=True, help="Do not wait until workers have made the change.")
@click.option(
    "--at",
    type=INSTANT,
    help="Kafka timestamp of the records, and when their contacts came onto the lists: an RFC 3339 time; only on "
    "topics created with --timestamps create.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing to the log.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(
    definitions: Path | None,
    rollback: int | None,
    message: str,
    author: str | None,
    silent: bool,
    accept_short_history: bool,
    yes: bool,
    no_wait: bool,
    at: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Check DEFINITIONS, put them into every partition of `tracking`, and publish their lists.

    Workers read definitions from the log and from nowhere else. The first ones stand at its start. Others are a change:
    what they would do is built and shown as `segue plan` does, and when you agree they are appended to every partition.
    Each worker makes the change at that very record, and tells who enters and leaves by it, and nothing else. Applying
    the same text again does nothing, and completes what an interrupted apply left undone.

    Lists are no part of that text: change their contacts and apply again, and the difference to what was applied
    before is written to the log as records of type `list`. What was done by hand with `segue list` stays as it is until
    the file changes for that contact. An apply that was cut short is completed by the next one.

    Where records carry their own times and nothing ticks (a topic created with --timestamps create, to replay
    history), --at says when the definitions begin to hold: the first at or before the first event, a change, and
    changes of lists, at or after the latest time in the log.

    \b
    Examples:
      segue apply definitions.yaml
      segue apply definitions.yaml -m "hot leads from 60 on" --yes
      segue apply definitions.yaml --silent
      segue apply --rollback
      segue apply definitions.yaml --at 2026-01-01T00:00:00Z
    """
    if (definitions is None) == (rollback is None):
        raise click.UsageError("expected DEFINITIONS, the file, or --rollback", click.get_current_context())
    settings = load_settings(ApplySettings)
    compiled = None if definitions is None else read_definitions(definitions)  # before anybody is asked for anything
    names = settings.names
    reader = KafkaTopics(settings.kafka)
    check_topics(reader, names)
    _check_time(at, reader.timestamp_type(names.tracking), settings.ticks)
    asked = Asked(
        message=message,
        author=author or this_user(),
        silent=silent,
        accept_short_history=accept_short_history,
        yes=yes,
        wait=not no_wait,
        at_ms=at or 0,
        dry_run=dry_run,
        quiet=as_json,
    )
    lists = None if compiled is None else ListPublisher(settings, reader, compiled, at)
    if compiled is None:
        compiled = earlier_definitions(settings, rollback or 0)
    for warning in compiled.warnings if not as_json else ():
        click.echo(f"warning: {warning.path}: {warning.expected}", err=True)
    if read_log_starts(reader, names.tracking).empty:
        outcome = _begin(compiled, reader, settings, asked)
        if lists is not None and not dry_run:
            lists.publish()
    else:
        outcome = change(settings, compiled, asked, lists)
    _report(compiled, outcome, None if lists is None else lists.plan, asked)


def _begin(compiled: Definitions, reader: KafkaTopics, settings: ApplySettings, asked: Asked) -> Outcome:
    """Put the first definitions at the start of the log."""
    topic, record = settings.names.tracking, asked.record(compiled, 1)
    applied = plan_definitions(record, reader, topic)
    if not asked.dry_run:
        applied = apply_definitions(record, reader, KafkaWriter(settings.kafka, topic), topic, asked.at_ms)
    return Outcome(applied.written, applied.there, None)


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


def _report(compiled: Definitions, outcome: Outcome, plan: ListPlan | None, asked: Asked) -> None:
    tallies = {} if plan is None else plan.tallies
    if asked.quiet:
        lists = {
            name: {"put_on": tally.put_on, "taken_off": tally.taken_off, "unchanged": tally.unchanged}
            for name, tally in tallies.items()
        }
        plan_body = None if outcome.plan is None else plan_view(outcome.plan)
        body = {"hash": compiled.hash, "written": outcome.written, "unchanged": outcome.there, "lists": lists}
        click.echo(json.dumps(body | {"plan": plan_body, "dry_run": asked.dry_run}))
        return
    if asked.dry_run:
        click.echo("dry run: nothing was written")
    _report_definitions(compiled.hash[:12], outcome, bool(plan is not None and plan.changes), asked.dry_run)
    for name, tally in tallies.items():
        click.echo(_list_line(name, tally))


def _report_definitions(name: str, outcome: Outcome, lists_changed: bool, dry_run: bool) -> None:
    if not outcome.written:
        start = "" if lists_changed else "nothing to do: "
        click.echo(f"{start}these definitions (hash {name}) are active in every partition")
        return
    click.echo(
        f"{'would apply' if dry_run else 'applied'} definitions (hash {name}) to partition {numbers(outcome.written)}"
    )
    if outcome.there:
        click.echo(f"they were active already in partition {numbers(outcome.there)}")
    if outcome.made:
        click.echo(f"workers have made the change in partition {numbers(outcome.made)}")


def _list_line(name: str, tally: ListTally) -> str:
    gone = "" if tally.declared else " (the file has no such list any more)"
    return f"list {name}: {tally.put_on:,} put on, {tally.taken_off:,} taken off, {tally.unchanged:,} unchanged{gone}"
