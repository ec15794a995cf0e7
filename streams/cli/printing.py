"""How commands print tables and trees: as wide as a terminal is, and in whole lines where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from streams.segmentation.wording import printable

_NONE: Mapping[str, int] = {}
_PIPED_WIDTH = 10_000
"""Columns of what is no terminal: wide enough that nothing is cut."""


def print_shown(*shown: RenderableType) -> None:
    """Wrapped and coloured on a terminal; elsewhere in whole lines."""
    if sys.stdout.isatty():
        Console(highlight=False, markup=False).print(*shown, sep="\n")
        return
    console = Console(highlight=False, markup=False, width=_PIPED_WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(*shown, sep="\n")
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def plain_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = (), least: Mapping[str, int] = _NONE
) -> Table:
    """Cells as they are, whatever brackets are in them; on a terminal long ones go on in the next line.

    Columns of `right` are of numbers. With `least`, the narrowest that some columns may get, a table is set closely.
    """
    table = Table(box=None, pad_edge=False, collapse_padding=bool(least))
    for column in columns:
        number = column in right
        table.add_column(
            Text(column), justify="right" if number else "left", overflow="fold", min_width=least.get(column)
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
