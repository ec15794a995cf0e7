"""`segue simulate`: what would these definitions have made of these events?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console

from schemas.errors import EXIT_BAD_INPUT
from schemas.instants import parse_instant
from schemas.transitions import Transition, encode_transition
from streams.cli.explaining import Explaining, explained_lines, explaining_options, show
from streams.cli.watching import Shown, watched
from streams.definition_files.reading import read_definitions
from streams.garbage import collect_garbage_seldom
from streams.report.figures import Report
from streams.report.observing import Observer
from streams.report.page import page
from streams.report.summing import report_of
from streams.report.table import tables
from streams.segmentation import Definitions
from streams.simulation.event_files import STANDARD_INPUT, check_files, open_lines, open_output
from streams.simulation.rereading import Rereading
from streams.simulation.simulator import BadLine, Simulator

PARTITIONS_MAX = 10_000
Take = Callable[[Transition], object]


def _instant(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return parse_instant(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, parameter) from None


@click.command(short_help="Run definitions over files of events, with no Kafka and no Redis.")
@click.argument("definitions", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("events", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--until", metavar="RFC3339", callback=_instant, help="Move the clock on to this instant at the end.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write transitions here, not to stdout.")
@click.option("--report", "as_table", is_flag=True, help="Print a report of segments and scores on standard error.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the report, with charts, here.")
@click.option(
    "--partitions",
    type=click.IntRange(1, PARTITIONS_MAX),
    default=1,
    show_default=True,
    help="Partitions of the log, each with a clock of its own.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that is no valid record, with exit code 1.")
@explaining_options
@click.pass_context
def command(
    ctx: click.Context,
    definitions: Path,
    events: tuple[Path, ...],
    until: int | None,
    out: Path | None,
    as_table: bool,
    html: Path | None,
    partitions: int,
    strict: bool,
    explaining: Explaining | None,
) -> None:
    """Write the transitions that DEFINITIONS make of EVENTS, one JSON object a line.

    EVENTS are files of JSON lines, read one after another; - is standard input. A file whose name ends in .gz is
    compressed, also that of --out. The clock is the running maximum of `received_at`, else of `occurred_at`. A line
    that is no valid record is reported on standard error with its number, and the run goes on.

    EVENTS may bring other definitions on the way, by `definitions` records that have a `received_at`, as they stand in
    the log: DEFINITIONS hold up to the first of them. At each the records before it are read again under what it
    brings, to say who is in other segments now. What comes but once, like standard input, is kept in a temporary file.

    With --partitions each contact's records go to the partition that Kafka would give it, and a tick goes to all.
    Lines still come out record by record in the order of the files; positions then name the offsets that `segue load`
    gives the records in an empty log, where the definitions lie at 0. In one partition they count the lines from 0.

    With --report or --html transitions are not written to a terminal, where they would push the report away; they go
    to --out, or into a pipe, as always.

    \b
    Examples:
      segue simulate definitions.yaml events.jsonl
      segue simulate definitions.yaml events.jsonl --until 2026-12-31T00:00:00Z --out transitions.jsonl
      segue simulate definitions.yaml october.jsonl.gz november.jsonl.gz --out transitions.jsonl.gz
      segue simulate definitions.yaml events.jsonl.gz --report --html report.html
      zcat events.jsonl.gz | segue simulate definitions.yaml - --strict
      segue simulate definitions.yaml events.jsonl --explain ada@example.com@2026-11-21T10:00:00Z --segment vip
    """
    read = read_definitions(definitions)
    if explaining is not None:
        if out or html or as_table or until is not None or strict:
            raise click.UsageError("--explain stands without --out, --html, --report, --until and --strict", ctx)
        _explain(read, events, explaining, partitions)
        return
    with ExitStack() as stack:
        check_files([definitions, *events], [path for path in (out, html) if path is not None])
        report_page = None if html is None else stack.enter_context(open_output(html))
        history = Rereading(stack)
        simulator, observer = Simulator(read, partitions, history=history), Observer(read)
        sink = _sink(out, as_table or html is not None, stack)
        takes = [_writing(sink)] if sink is not None else []
        if as_table or html is not None:
            takes.append(observer.see)
        collect_garbage_seldom()
        if not _simulate(simulator, history, events, until, takes, strict, bar=sink is None or out is not None):
            ctx.exit(EXIT_BAD_INPUT)
        if sink is not None:
            sink.flush()
        if as_table or report_page is not None:
            names = (definitions.name, ["standard input" if path == STANDARD_INPUT else path.name for path in events])
            _tell(report_of(simulator, observer, names), as_table, report_page)


def _explain(definitions: Definitions, events: Sequence[Path], explaining: Explaining, partitions: int) -> None:
    """Print an explanation instead of transitions."""
    with ExitStack() as stack:
        shown = stack.enter_context(watched(events, lambda: 0, bar=True))
        history = Rereading(stack)
        history.shows = shown.again
        files = [(path, stack.enter_context(open_lines(path))) for path in events]
        lines = (line for path, file in files for line in history.passing(path, shown.lines(file)))
        explainer = explained_lines(definitions, lines, explaining, partitions, history)
    show(explainer, explaining.segment, explaining.as_json, "lines")


def _sink(out: Path | None, reporting: bool, stack: ExitStack) -> BinaryIO | None:
    """Where transitions go; None for nowhere."""
    if out is not None:
        return stack.enter_context(open_output(out))
    return None if reporting and sys.stdout.isatty() else sys.stdout.buffer


def _writing(sink: BinaryIO) -> Take:
    return lambda transition: sink.write(encode_transition(transition) + b"\n")


def _simulate(
    simulator: Simulator,
    history: Rereading,
    events: Iterable[Path],
    until: int | None,
    takes: list[Take],
    strict: bool,
    bar: bool,
) -> bool:
    """Run over all files; False where `strict` stops at a bad line."""
    with watched(list(events), lambda: simulator.tally.transitions, bar=bar) as shown:
        history.shows = shown.again
        for path in events:
            with open_lines(path) as file:
                lines = history.passing(path, shown.lines(file))
                if not _pass_on(simulator.feed(lines), takes, path, shown, strict):
                    return False
        return _pass_on(simulator.until(until), takes, STANDARD_INPUT, shown, strict)


def _pass_on(
    results: Iterable[Transition | BadLine], takes: list[Take], path: Path, shown: Shown, strict: bool
) -> bool:
    """Give transitions to all who take them and report bad lines; False where `strict` stops at one."""
    for result in results:
        if isinstance(result, BadLine):
            shown.echo(f"{path}:{result.number}: {result.reason}")
            if strict:
                return False
        else:
            for take in takes:
                take(result)
    return True


def _tell(report: Report, as_table: bool, report_page: BinaryIO | None) -> None:
    if report_page is not None:
        report_page.write(page(report).encode())
    if as_table:
        Console(stderr=True, highlight=False, soft_wrap=False).print(*tables(report), sep="\n")
