"""`segue load`: produces records from a file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.errors import EXIT_BAD_INPUT, InputError
from schemas.settings import CommonSettings, load_settings
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.kafka.writer import KafkaWriter
from streams.cli.options import INSTANT
from streams.cli.progress import now_and_then
from streams.sending.loading import Loader, LoadTally
from streams.sending.log_start import check_log_begun, check_topics

Echo = Callable[[str], None]


@click.command(short_help="Write the records of a file to Kafka.")
@click.argument("events", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option(
    "--timestamps",
    type=click.Choice(["now", "received"]),
    default="now",
    show_default=True,
    help="Kafka timestamps: now, or the running maximum of received_at, else occurred_at, as in `segue simulate`. "
    "`received` needs a topic created with --timestamps create.",
)
@click.option(
    "--until",
    type=INSTANT,
    help="End with a tick at this RFC 3339 time in every partition; needs a topic created with --timestamps create.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that is no valid record, with exit code 1.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    events: Path,
    timestamps: Literal["now", "received"],
    until: int | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Write the records of EVENTS, a file of JSON lines or - for standard input, to the topic `tracking`.

    A line that is no valid record is kept out and reported on standard error with its number, and the load goes on.
    Loading a file twice changes nothing as long as its event ids are remembered (`deduplicate` in the definitions).

    \b
    Examples:
      segue load events.jsonl
      zcat events.jsonl.gz | segue load -
      segue load history.jsonl --timestamps received --until 2026-12-31T00:00:00Z
    """
    settings = load_settings(CommonSettings)
    with _opened(events) as source, _progress(events, source) as (echo, show):
        began = time.monotonic()
        loader = Loader(
            KafkaWriter(settings.kafka, settings.names.tracking),
            _checked_partitions(settings, timestamps, until),
            stamp_received=timestamps == "received",
            strict=strict,
            on_bad_line=lambda bad: echo(f"{events}:{bad.number}: {bad.reason}"),
            on_progress=show,
        )
        loader.load(source)
        stopped = strict and loader.tally.rejected > 0
        if until is not None and not stopped:
            loader.tick(until)
    _report(loader.tally, time.monotonic() - began, as_json)
    if stopped:
        ctx.exit(EXIT_BAD_INPUT)


def _checked_partitions(settings: CommonSettings, timestamps: str, until: int | None) -> int:
    """Partitions of `tracking`, once it may be written to as the options say."""
    topic = settings.names.tracking
    reader = KafkaTopics(settings.kafka)
    partitions = check_topics(reader, settings.names)
    if (timestamps == "received" or until is not None) and reader.timestamp_type(topic) == "append":
        option = "--until" if timestamps == "now" else "--timestamps received"
        raise InputError(
            f"{option}: the broker stamps the records of this topic; expected one created with --timestamps create"
        )
    check_log_begun(reader, topic)
    return partitions


@contextmanager
def _opened(events: Path) -> Iterator[BinaryIO]:
    if str(events) == "-":
        yield sys.stdin.buffer
        return
    try:
        source = events.open("rb")
    except OSError as error:
        raise InputError(f"{events}: expected a file that can be read: {error.strerror}") from None
    with source:
        yield source


@contextmanager
def _progress(events: Path, source: BinaryIO) -> Iterator[tuple[Echo, Callable[[LoadTally], None]]]:
    """How to write a line to standard error, and how to show the progress there."""
    if not sys.stderr.isatty():
        yield (
            lambda text: click.echo(text, err=True),
            now_and_then(lambda tally: f"{tally.records} records, {tally.rejected} bad lines"),
        )
        return
    console = Console(stderr=True)
    text = TextColumn("{task.fields[records]:,} records, {task.fields[rejected]:,} bad lines")
    with Progress(BarColumn(), text, TimeElapsedColumn(), console=console, transient=True) as progress:
        size = None if source is sys.stdin.buffer else events.stat().st_size
        task = progress.add_task("", total=size, records=0, rejected=0)

        def show(tally: LoadTally) -> None:
            progress.update(task, completed=tally.bytes, records=tally.records, rejected=tally.rejected)

        yield lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True), show


def _report(tally: LoadTally, seconds: float, as_json: bool) -> None:
    rate = round(tally.records / seconds)
    if as_json:
        summary = {
            "lines": tally.lines,
            "records": tally.records,
            "rejected": tally.rejected,
            "ticks": tally.ticks,
            "seconds": round(seconds, 3),
            "records_per_second": rate,
        }
        click.echo(json.dumps(summary))
        return
    parts = [f"{tally.records} records loaded in {seconds:.1f} s ({rate} a second)"]
    if tally.ticks:
        parts.append(f"{tally.ticks} ticks")
    if tally.rejected:
        parts.append(f"{tally.rejected} bad lines kept out")
    click.echo(", ".join(parts))
