"""`segue import`: contacts of a file into the log."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from schemas.errors import InputError, SegueError
from schemas.settings import CommonSettings, load_settings
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.kafka.writer import KafkaWriter
from streams.cli.import_shown import report_scan, report_sent, scan_json, sending_shown, short_problems
from streams.cli.import_shown import scanning_shown as scanning
from streams.cli.options import DURATION, INSTANT
from streams.importing.csv_rows import DELIMITERS
from streams.importing.job import ContactFile, ImportJob, ImportOptions, contact_file, row_source
from streams.importing.journal import Begun, Journal, State, check_same, is_of, read_journal
from streams.importing.mapping import ImportMapping, mapping_of_flags, read_mapping
from streams.importing.rejected import RejectedRows
from streams.importing.rows import FORMATS, Format
from streams.importing.scan import Scan
from streams.importing.sending import DUPLICATES, ImportSender, Pace
from streams.ports import LogIdentity
from streams.sending.log_start import check_log_begun, check_topics

DEFAULT_RATE = 5_000
DELIVERY_TIMEOUT_MS = 10_000
_STDIN = "stdin"
_NO_LOG = LogIdentity("", "")


@dataclass(frozen=True, slots=True)
class _Way:
    """How it is done, not what."""

    dry_run: bool
    strict: bool
    rate: int
    patience_ms: int
    as_json: bool


@click.command("import", short_help="Bring the contacts of a file into the log.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--map", "map_path", type=click.Path(dir_okay=False, path_type=Path), help="What columns become: YAML.")
@click.option(
    "--contact-id", metavar="COLUMN[:KIND]", help="Instead of --map: who it is; KIND is email (default) or id."
)
@click.option(
    "--trait", "traits", multiple=True, metavar="NAME=COLUMN[:KIND]",
    help="Instead of --map: a trait; KIND is text (default), name, email, phone, country, number, boolean, "
    "instant, date.",
)  # fmt: skip
@click.option("--list", "lists", multiple=True, metavar="NAME", help="Put every contact on this static list.")
@click.option("--format", "stated", type=click.Choice(FORMATS), help="Format of the file.  [default: by its name]")
@click.option("--encoding", help="Of CSV.  [default: utf-8, with or without a mark in front]")
@click.option("--delimiter", type=click.Choice(list(DELIMITERS)), help="Of CSV.  [default: as in the heading]")
@click.option(
    "--duplicates", type=click.Choice(DUPLICATES), default="merge", show_default=True,
    help="Several rows of a contact: all count, and for each trait the last that fills it; the first; the last; none, "
    "with exit code 1.",
)  # fmt: skip
@click.option("--live", is_flag=True, help="Let workflows act on what changes; else its cause is `backfill`.")
@click.option("--at", type=INSTANT, help="When the rows were so, as RFC 3339: the export's time.  [default: now]")
@click.option(
    "--rate", type=click.IntRange(1, 1_000_000), default=DEFAULT_RATE, show_default=True, help="Most records a second."
)
@click.option("--strict", is_flag=True, help="Write nothing, with exit code 1, where a row is rejected.")
@click.option(
    "--patience", type=DURATION, default="5m", show_default=True,
    help="How long to try again while Kafka is away, as in definition files; then exit code 75.",
)  # fmt: skip
@click.option(
    "--state-dir", type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the journal and of rejected rows.  [default: beside FILE]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would happen, and write nothing; needs no Kafka.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found and done as JSON.")
def command(file: Path, **options: Any) -> None:
    """Bring the contacts of FILE into the log: CSV, JSON lines or Parquet, or - for standard input.

    Every row becomes an `identify` record, and `consent` and `list` records where the mapping says so. Addresses, phone
    numbers, names and countries get one spelling. Rejected rows go to a file of their own, to be mended and imported.

    A journal beside FILE says how far it is: run the same command again after it was broken off, and it goes on. An
    import that is complete is not made again.

    \b
    Examples:
      segue import contacts.csv --map contacts.map.yaml --dry-run
      segue import contacts.csv --contact-id Email --trait city=City --trait phone=Phone:phone
      segue import crm.parquet --map crm.map.yaml --at 2026-11-20T00:00:00Z --rate 1000
      zcat contacts.jsonl.gz | segue import - --format jsonl --map contacts.map.yaml --state-dir state
    """
    mapping = _mapping(options.pop("map_path"), options.pop("contact_id"), options.pop("traits"), options.pop("lists"))
    stated, directory = options.pop("stated"), options.pop("state_dir")
    encoding, delimiter = options.pop("encoding"), DELIMITERS.get(options.pop("delimiter") or "")
    decided = ImportOptions(options.pop("duplicates"), options.pop("live"), options.pop("at"))
    way = _Way(options["dry_run"], options["strict"], options["rate"], options["patience"], options["as_json"])
    with _file(file, stated, directory) as found:
        job = ImportJob(found, row_source(found, encoding, delimiter), mapping, decided)
        with closing(job):
            _dry_run(job, way) if way.dry_run else _import(job, way)


def _mapping(path: Path | None, contact: str | None, traits: tuple[str, ...], lists: tuple[str, ...]) -> ImportMapping:
    if (path is None) == (contact is None) or (path is not None and traits):
        raise click.UsageError("Expected either --map, or --contact-id with --trait.")
    if path is None:
        assert contact is not None, "one of the two is given"
        return mapping_of_flags(contact, traits, lists)
    mapping = read_mapping(path)
    return mapping.model_copy(update={"lists": list(dict.fromkeys([*mapping.lists, *lists]))})


@contextmanager
def _file(path: Path, stated: Format | None, directory: Path | None) -> Iterator[ContactFile]:
    """The file; standard input as a copy, since it is read twice."""
    if directory is not None and not directory.is_dir():
        raise InputError(f"--state-dir: {directory}: expected a directory")
    if str(path) != "-":
        yield contact_file(path, stated, directory)
        return
    if stated is None:
        raise click.UsageError("Expected --format with standard input.")
    with tempfile.NamedTemporaryFile(prefix="segue-import-") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield ContactFile(Path(copy.name), _STDIN, directory or Path(), stated)


def _dry_run(job: ImportJob, way: _Way) -> None:
    begun = job.identity(_NO_LOG, "", _now_ms())
    with scanning(job.file) as show:
        scan = job.scan(begun, None, show)
    if way.as_json:
        click.echo(scan_json(scan, job, begun, {"dry_run": True}))
    else:
        report_scan(scan, job, begun)
    _check_found(scan, job, way, None)


def _import(job: ImportJob, way: _Way) -> None:
    settings = load_settings(CommonSettings)
    topic = settings.names.tracking
    reader = KafkaTopics(settings.kafka)
    check_topics(reader, settings.names)
    check_log_begun(reader, topic)
    latest_ms = max(reader.latest_timestamps(topic).values(), default=0)
    # After all that the log holds, whatever clock this machine has; see streams/sending/log_clocks.py.
    begun = job.identity(reader.log_identity(topic), topic, max(_now_ms(), latest_ms + 1))
    before = read_journal(job.file.journal)
    if before is not None:
        check_same(job.file.journal, before, begun)
        if before.reached.finished and is_of(before, begun):
            _told_before(before, job, way)
            return
        begun = begun if before.reached.finished else before.begun
    scan, rejected = _scanned(job, way, begun)
    with Journal(job.file.journal) as journal:
        state = journal.begin(begun)
        if state.reached.rows and not way.as_json:
            click.echo(f"going on after row {state.reached.rows:,} of {scan.rows:,}", err=True)
        writer = partial(KafkaWriter, settings.kafka, topic, DELIVERY_TIMEOUT_MS)
        sent = _sent(job, way, scan, (journal, state), writer)
    if way.as_json:
        done = {"dry_run": False, "sent": sent, "resumed_after": state.reached.rows}
        click.echo(scan_json(scan, job, state.begun, done | {"rejected_file": _name(rejected)}))
    else:
        report_sent(scan, sent, rejected)


def _scanned(job: ImportJob, way: _Way, begun: Begun) -> tuple[Scan, Path | None]:
    """What was found, and where the rejected rows are. Raises `InputError` where it must not be imported."""
    with ExitStack() as stack:
        rows = RejectedRows(job.file.rejected, job.source, as_csv=job.file.format == "csv")
        stack.callback(rows.drop)
        with scanning(job.file) as show:
            scan = job.scan(begun, rows, show)
        rejected = rows.settle()
    if not way.as_json:
        for line in short_problems(scan):
            click.echo(line, err=True)
    _check_found(scan, job, way, rejected)
    return scan, rejected


def _check_found(scan: Scan, job: ImportJob, way: _Way, rejected: Path | None) -> None:
    where = "" if rejected is None else f" (see {rejected})"
    if scan.rejected and (way.strict or not scan.accepted):
        raise InputError(f"{scan.rejected:,} of {scan.rows:,} rows are rejected{where}; nothing was written to the log")
    if scan.duplicates and job.options.duplicates == "refuse":
        raise InputError(
            f"{scan.duplicates:,} rows are of contacts that are in earlier rows too: expected each contact once with "
            "--duplicates refuse; nothing was written to the log"
        )


def _sent(
    job: ImportJob, way: _Way, scan: Scan, under_way: tuple[Journal, State], writer: Callable[[], KafkaWriter]
) -> int:
    journal, state = under_way
    reached = state.reached.rows
    with sending_shown(scan.rows, reached) as (show, say):

        def sender(on_reached: Callable[[int], None]) -> ImportSender:
            def note(rows: int) -> None:
                nonlocal reached
                on_reached(rows)
                reached = rows

            return ImportSender(
                writer,
                Pace(way.rate, time.monotonic, time.sleep),
                patience_s=way.patience_ms / 1000,
                on_reached=note,
                on_away=lambda said: say(f"{said}; trying again"),
                on_progress=show,
            )

        try:
            return job.send(state.begun, journal, reached, sender)
        except SegueError as error:
            raise type(error)(
                f"{error}; {reached:,} of {scan.rows:,} rows are in the log for sure: run the same command to go on"
            ) from error
        except KeyboardInterrupt:
            say(f"stopped; {reached:,} of {scan.rows:,} rows are in the log for sure: run the same command to go on")
            raise


def _told_before(state: State, job: ImportJob, way: _Way) -> None:
    if way.as_json:
        click.echo(scan_json(None, job, state.begun, {"dry_run": False, "sent": 0, "complete_before": True}))
        return
    click.echo(
        f"{job.file.name}: imported before, all {state.reached.rows:,} rows; nothing to do (to write it again, remove "
        f"{job.file.journal})"
    )


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
