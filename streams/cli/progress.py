"""How far long work of a command has come: a bar on a terminal, a line now and then elsewhere; on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_EVERY_S = 5.0
SoFar = TypeVar("SoFar")


@contextmanager
def counted(total: int, what: str, quiet_below: int = 2_000) -> Iterator[Callable[[int], None]]:
    """Call what is given with the count that was reached. Less than `quiet_below` in all is not shown."""
    if total < quiet_below:
        yield lambda _done: None
    elif sys.stderr.isatty():
        text = TextColumn(f"{{task.completed:,}} of {{task.total:,}} {what}")
        with Progress(BarColumn(), text, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("", total=total)
            yield lambda done: progress.update(task, completed=done)
    else:
        yield now_and_then(lambda done: f"{done:,} of {total:,} {what}")


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that something goes on of which nobody knows how long it takes."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(f"{what}…"):
        yield


def now_and_then(words: Callable[[SoFar], str]) -> Callable[[SoFar], None]:
    """Tells on standard error how far the work has come, some seconds after it was told last."""
    shown = time.monotonic()

    def show(so_far: SoFar) -> None:
        nonlocal shown
        if time.monotonic() - shown >= PLAIN_EVERY_S:
            shown = time.monotonic()
            click.echo(f"{words(so_far)} so far", err=True)

    return show
