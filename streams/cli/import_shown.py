"""How `segue import` tells what it found in a file, and how far it has come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.instants import format_instant
from streams.cli.printing import plain_table, print_shown
from streams.importing.job import ContactFile, ImportJob
from streams.importing.journal import Begun
from streams.importing.row_records import Rejected
from streams.importing.scan import Scan
from streams.importing.sending import Progress as Sent
from streams.importing.shortening import as_shown
from streams.segmentation.wording import printable

SHOWN_MAX = 10
"""Findings of one sort that are shown to a person; JSON has more."""


@contextmanager
def scanning_shown(file: ContactFile) -> Iterator[Callable[[int, Scan], None]]:
    """On a terminal how far the first look is; quiet elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _bytes, _scan: None
        return
    text = TextColumn("looking through the file: {task.fields[rows]:,} rows, {task.fields[rejected]:,} rejected")
    with Progress(BarColumn(), text, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=file.path.stat().st_size, rows=0, rejected=0)
        yield lambda done, scan: progress.update(task, completed=done, rows=scan.rows, rejected=scan.rejected)


@contextmanager
def sending_shown(rows: int, reached: int) -> Iterator[tuple[Callable[[Sent], None], Callable[[str], None]]]:
    """On a terminal how far the sending is, its rate and the time left; and how to say a line beside it."""
    if not sys.stderr.isatty():
        yield (lambda _sent: None), (lambda line: click.echo(line, err=True))
        return
    console = Console(stderr=True)
    text = TextColumn("{task.completed:,} of {task.total:,} rows, {task.fields[rate]:,} rows a second,")
    columns = (BarColumn(), text, TimeRemainingColumn(), TextColumn("left"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=rows, completed=reached, rate=0)

        def show(sent: Sent) -> None:
            speed = progress.tasks[task].speed or 0
            progress.update(task, completed=sent.rows, rate=round(speed))

        yield show, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)


def report_scan(scan: Scan, job: ImportJob, begun: Begun) -> None:
    """What would happen, for a person."""
    counts = [
        ("rows", scan.rows),
        ("contacts", scan.contacts),
        ("rows of a contact that is in an earlier row", scan.duplicates),
        ("rows rejected", scan.rejected),
        *((f"{kind} records", count) for kind, count in sorted(job.records(begun).items())),
    ]
    print_shown(
        plain_table(("", job.file.name), [(name, f"{count:,}") for name, count in counts], right=(job.file.name,))
    )
    at = "as each row says, else " if job.occurred_at_by_row else ""
    cause = "their own, workflows act" if job.options.live else "backfill, workflows may pass it over"
    click.echo(f"\noccurred at: {at}{format_instant(begun.occurred_at)}")
    click.echo(f"cause of what changes: {cause}")
    samples = [each for kept in scan.samples.values() for each in kept]
    if samples:
        rows = [(f"{each.line}", each.column, as_shown(each.before), as_shown(each.after)) for each in samples]
        click.echo()
        print_shown(plain_table(("line", "column", "before", "after"), rows, right=("line",)))
    for line in short_problems(scan):
        click.echo(line)
    click.echo("\nnothing was written: this was a dry run")


def short_problems(scan: Scan) -> Iterator[str]:
    """What somebody should know of a file, some lines of each sort."""
    if scan.unmapped:
        names = ", ".join(printable(as_shown(name)) for name in scan.unmapped[:SHOWN_MAX])
        yield f"columns that become nothing: {names}{_more(len(scan.unmapped))} (`ignore` in the mapping says so)"
    if scan.never_filled:
        names = ", ".join(printable(as_shown(name)) for name in scan.never_filled[:SHOWN_MAX])
        yield f"columns of the mapping that no row fills: {names}{_more(len(scan.never_filled))}"
    for rejected in scan.rejected_rows[:SHOWN_MAX]:
        yield from _problems(rejected)
    yield from _rest(scan.rejected, "rows are rejected")
    for duplicate in scan.duplicate_rows[:SHOWN_MAX]:
        yield f"line {duplicate.line}: the same contact as in line {duplicate.first_line}"
    yield from _rest(scan.duplicates, "rows are of contacts of earlier rows")
    for shared in scan.shared_values[:SHOWN_MAX]:
        yield f"line {shared.line}: the same {shared.trait} as another contact has in line {shared.first_line}"
    yield from _rest(scan.shared, "rows have an address or a number of another contact")


def _problems(rejected: Rejected) -> Iterator[str]:
    for problem in rejected.problems:
        column = f"{printable(problem.column)}: " if problem.column else ""
        found = "" if problem.value is None else f", found {printable(as_shown(problem.value))!r}"
        yield f"line {rejected.row.line}: {column}{problem.expected}{found}"


def _rest(count: int, what: str) -> Iterator[str]:
    if count > SHOWN_MAX:
        yield f"and {count - SHOWN_MAX:,} more {what}"


def _more(count: int) -> str:
    return f" and {count - SHOWN_MAX} more" if count > SHOWN_MAX else ""


def report_sent(scan: Scan, sent: int, rejected: Path | None) -> None:
    """What was done, for a person."""
    rest = f", {scan.rejected:,} rows rejected: see {rejected}" if rejected else ""
    click.echo(f"{scan.contacts:,} contacts of {scan.rows:,} rows imported, {sent:,} records sent{rest}")


def scan_json(scan: Scan | None, job: ImportJob, begun: Begun, done: Mapping[str, Any]) -> str:
    """What was found and done, as data; at most 1,000 findings of each sort."""
    body: dict[str, Any] = {
        **done,
        "file": job.file.name,
        "occurred_at": format_instant(begun.occurred_at),
        "backfill": not job.options.live,
    }
    if scan is not None:
        body |= {
            "rows": scan.rows,
            "contacts": scan.contacts,
            "rejected": scan.rejected,
            "duplicates": scan.duplicates,
            "shared": scan.shared,
            "records": dict(sorted(job.records(begun).items())),
            "unmapped_columns": scan.unmapped,
            "never_filled_columns": scan.never_filled,
            "rejected_rows": [_rejected_json(each) for each in scan.rejected_rows],
            "duplicate_rows": [each._asdict() for each in scan.duplicate_rows],
            "shared_values": [each._asdict() for each in scan.shared_values],
            "samples": [
                each._asdict() | {"before": as_shown(each.before), "after": each.after}
                for kept in scan.samples.values()
                for each in kept
            ],
        }
    return msgspec.json.encode(body).decode()


def _rejected_json(rejected: Rejected) -> dict[str, Any]:
    problems = [
        {"column": one.column, "value": None if one.value is None else as_shown(one.value), "expected": one.expected}
        for one in rejected.problems
    ]
    return {"line": rejected.row.line, "problems": problems}
