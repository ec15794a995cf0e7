"""`segue simulate`: what would these definitions have made of these events?"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.errors import EXIT_BAD_INPUT, InputError
from schemas.instants import parse_instant
from schemas.transitions import Transition, encode_transition
from streams.cli.explaining import Explaining, explain_lines, explaining_options
from streams.definition_file import read_definitions
from streams.simulator import BadLine, Simulator

_REPORT_EVERY_LINES = 2000


def _instant(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return parse_instant(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, parameter) from None


@click.command(short_help="Run definitions over a file of events, with no Kafka and no Redis.")
@click.argument("definitions", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("events", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--until", metavar="RFC3339", callback=_instant, help="Move the clock on to this instant at the end.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write transitions here, not to stdout.")
@click.option("--strict", is_flag=True, help="Stop at the first line that is no valid record, with exit code 1.")
@explaining_options
@click.pass_context
def command(
    ctx: click.Context,
    definitions: Path,
    events: Path,
    until: int | None,
    out: Path | None,
    strict: bool,
    explaining: Explaining | None,
) -> None:
    """Write the transitions that DEFINITIONS make of EVENTS, one JSON object a line.

    EVENTS is a file of JSON lines, or - for standard input. The clock is the running maximum of
    `received_at`, else of `occurred_at`. A line that is no valid record is reported on standard error
    with its number, and the run goes on.

    \b
    Examples:
      segue simulate definitions.yaml events.jsonl
      segue simulate definitions.yaml events.jsonl --until 2026-12-31T00:00:00Z --out transitions.jsonl
      zcat events.jsonl.gz | segue simulate definitions.yaml - --strict
      segue simulate definitions.yaml events.jsonl --explain ada@example.com@2026-11-21T10:00:00Z --segment vip
    """
    if explaining is not None:
        with ExitStack() as stack:
            explain_lines(read_definitions(definitions), _open(events, stack), explaining)
        return
    simulator = Simulator(read_definitions(definitions))
    with ExitStack() as stack:
        source = _open(events, stack)
        sink = stack.enter_context(out.open("wb")) if out is not None else sys.stdout.buffer
        lines = _watched(source, events, simulator, stack)
        good = _write(simulator.feed(lines), sink, events, strict)
        if good:
            _write(simulator.until(until), sink, events, strict)
        sink.flush()
    if not good:
        ctx.exit(EXIT_BAD_INPUT)


def _open(events: Path, stack: ExitStack) -> BinaryIO:
    if str(events) == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(events.open("rb"))
    except OSError as error:
        raise InputError(f"{events}: expected a file that can be read: {error.strerror}") from None


def _write(results: Iterable[Transition | BadLine], sink: BinaryIO, events: Path, strict: bool) -> bool:
    """Write transitions and report bad lines; False where `strict` stops at one."""
    for result in results:
        if isinstance(result, BadLine):
            click.echo(f"{events}:{result.number}: {result.reason}", err=True)
            if strict:
                return False
        else:
            sink.write(encode_transition(result) + b"\n")
    return True


def _watched(source: BinaryIO, events: Path, simulator: Simulator, stack: ExitStack) -> Iterator[bytes]:
    """The lines, with a progress bar on a terminal."""
    if not sys.stderr.isatty():
        yield from source
        return
    text = TextColumn("{task.fields[lines]:,} lines, {task.fields[transitions]:,} transitions")
    progress = Progress(BarColumn(), text, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    size = None if source is sys.stdin.buffer else events.stat().st_size
    task = stack.enter_context(progress).add_task("", total=size, lines=0, transitions=0)
    pending = 0
    for number, line in enumerate(source, 1):
        pending += len(line)
        if number % _REPORT_EVERY_LINES == 0:
            progress.update(task, advance=pending, lines=number, transitions=simulator.tally.transitions)
            pending = 0
        yield line
