"""How far `segue simulate` has come in its files: a bar on a terminal, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streams.simulation.event_files import LinesFile

_SHOW_EVERY_LINES = 2_000


class Shown:
    """What a person sees of files being read: how far, how many lines and transitions, and lines of text."""

    def __init__(
        self,
        echo: Callable[[str], None],
        show: Callable[[int, int], None],
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.echo = echo
        """Writes a line of text on standard error."""
        self._show = show
        self._say = say
        self._before_bytes = 0
        self._lines = 0

    def lines(self, file: LinesFile) -> Iterator[bytes]:
        """The lines of one file after another, each counted as it passes."""
        for line in file:
            self._lines += 1
            if self._lines % _SHOW_EVERY_LINES == 0:
                self._show(self._before_bytes + file.read_bytes, self._lines)
            yield line
        self._before_bytes += file.read_bytes

    def again(self, lines: Iterable[bytes], count: int) -> Iterator[bytes]:
        """Lines that are read once more, so many in all, while the bar waits: definitions have changed."""
        for number, line in enumerate(lines):
            if number % _SHOW_EVERY_LINES == 0:
                self._say(f", {100 * number // count} % read again")
            yield line
        self._say("")


@contextmanager
def watched(paths: Sequence[Path], transitions: Callable[[], int], *, bar: bool) -> Iterator[Shown]:
    """A bar over all files by what was read of them on disk, on a terminal and with `bar`; else nothing but text."""
    if not (sys.stderr.isatty() and (bar or not sys.stdout.isatty())):
        yield Shown(lambda text: click.echo(text, err=True), lambda _bytes, _lines: None)
        return
    sizes = [path.stat().st_size if path.is_file() else None for path in paths]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    console = Console(stderr=True)
    text = TextColumn("{task.fields[lines]:,} lines, {task.fields[transitions]:,} transitions{task.fields[said]}")
    with Progress(BarColumn(), text, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=total, lines=0, transitions=0, said="")
        yield Shown(
            lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
            lambda done, lines: progress.update(task, completed=done, lines=lines, transitions=transitions()),
            lambda text: progress.update(task, said=text),
        )
