"""`segue apply`: puts definitions at the start of the log."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import click
from pydantic import Field

from schemas.errors import InputError
from schemas.records import DefinitionsRecord
from schemas.settings import CommonSettings, load_settings
from streams.adapters.kafka_topics import KafkaTopics
from streams.adapters.kafka_writer import KafkaWriter
from streams.applying import Applied, apply_definitions
from streams.cli.options import INSTANT
from streams.definition_file import read_definitions
from streams.log_start import check_topics, numbers
from streams.ports import TimestampType
from streams.segmentation import SEMANTICS_VERSION, Definitions
from streams.settings import TicksMode


class ApplySettings(CommonSettings):
    """What `segue apply` must know of the workers."""

    ticks: TicksMode = Field(default="auto", description="As for the worker; with ticks off, `--at` is needed.")


@click.command(short_help="Put definitions at the start of the log.")
@click.argument("definitions", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--at",
    type=INSTANT,
    help="Kafka timestamp of the record, an RFC 3339 time; only on topics created with --timestamps create.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(definitions: Path, at: int | None, as_json: bool) -> None:
    """Check DEFINITIONS and put them at the start of every partition of `tracking`.

    Workers read definitions from the log and from nowhere else. Applying the same text again does nothing, and
    completes what an interrupted apply left undone. Applying another text is refused while one is active.

    Where records carry their own times and nothing ticks (a topic created with --timestamps create, to replay
    history), --at says when the definitions begin to hold: at or before the first event.

    \b
    Examples:
      segue apply definitions.yaml
      segue apply definitions.yaml --at 2026-01-01T00:00:00Z
    """
    compiled = read_definitions(definitions)
    settings = load_settings(ApplySettings)
    names = settings.names
    reader = KafkaTopics(settings.kafka_bootstrap_servers)
    check_topics(reader, names)
    _check_time(at, reader.timestamp_type(names.tracking), settings.ticks)
    writer = KafkaWriter(settings.kafka_bootstrap_servers, names.tracking)
    applied = apply_definitions(_record(compiled), reader, writer, names.tracking, at or 0)
    _report(compiled, applied, as_json)


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


def _report(compiled: Definitions, applied: Applied, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"hash": compiled.hash, "written": applied.written, "unchanged": applied.there}))
        return
    for warning in compiled.warnings:
        click.echo(f"warning: {warning.path}: {warning.expected}", err=True)
    if not applied.written:
        click.echo(f"nothing to do: these definitions (hash {compiled.hash[:12]}) are active in every partition")
        return
    click.echo(f"applied definitions (hash {compiled.hash[:12]}) to partition {numbers(applied.written)}")
    if applied.there:
        click.echo(f"they were active already in partition {numbers(applied.there)}")
