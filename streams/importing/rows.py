"""Rows of a file of contacts, one at a time, whatever its format.

Memory does not grow with the file. A row that cannot be read as one is given too, with why; what makes the rest of
the file unreadable (an encoding that is none, a quote that never ends) is an `InputError` with its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, get_args

from schemas.errors import InputError

Format: TypeAlias = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[str, ...] = get_args(Format)
REJECTED_COLUMNS = ("rejected_line", "rejected_because", "rejected_text")
"""What the file of rejected rows has besides the columns of the file; passed over when that is imported."""
COLUMNS_MAX = 10_000
_SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
}  # fmt: skip


class Row(NamedTuple):
    """One row: its place, and its cells by their columns. `problem` says why it is none, and then it has no cells."""

    number: int  # of the rows, from 1
    line: int  # of the file, from 1, where the row begins; in Parquet the same as `number`
    cells: Mapping[str, Any]
    raw: Sequence[str] | str  # as it stands in the file, for the file of rejected rows
    problem: str | None = None


class RowSource(Protocol):
    """A file of rows."""

    @property
    def columns(self) -> Sequence[str] | None:
        """In order; None where each row may have others."""

    def rows(self, on_bytes: Callable[[int], None]) -> Iterator[Row]:
        """From the first row on; `on_bytes` is told now and then how far in the file it is. Raises `InputError`."""


def format_of(path: Path, stated: Format | None) -> Format:
    """The format of a file, by its name where it is not stated. Raises `InputError`."""
    found = stated or _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise InputError(f"{path}: expected a name that ends in .csv, .tsv, .jsonl or .parquet, or --format")
    return found


def json_text(row: Mapping[str, Any]) -> str:
    """A row as one line of JSON; what JSON has no type for (a time, a decimal number) as text."""
    return json.dumps(row, ensure_ascii=False, default=str)


def checked_columns(path: Path, columns: Sequence[str]) -> Sequence[str]:
    """The columns of a heading. Raises `InputError` where there are none, too many, or two of one name."""
    if len(columns) > COLUMNS_MAX:
        raise InputError(f"{path}: expected at most {COLUMNS_MAX} columns, found {len(columns)}")
    if not any(name.strip() for name in columns):
        raise InputError(f"{path}: expected a heading with the names of the columns")
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise InputError(f"{path}: expected each column once; {', '.join(map(repr, twice))} is there several times")
    return columns
