"""CSV (RFC 4180), separated by commas, semicolons or tabs, in any encoding that Python has."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from schemas.errors import InputError
from streams.importing.rows import Row, checked_columns

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
DEFAULT_ENCODING = "utf-8-sig"
FIELD_CHARACTERS_MAX = 1_000_000
_TOLD_EVERY_ROWS = 1_000


class CsvRows:
    """A `RowSource` of a CSV file."""

    def __init__(self, path: Path, encoding: str | None, delimiter: str | None) -> None:
        """Without `delimiter` it is the one that the heading is written with. Raises `InputError`."""
        csv.field_size_limit(FIELD_CHARACTERS_MAX)
        self._path = path
        self._encoding = _checked_encoding(encoding or DEFAULT_ENCODING)
        with self._opened() as (file, _):
            heading = file.readline(FIELD_CHARACTERS_MAX)
            self.delimiter = delimiter or self._guessed(heading)
            file.seek(0)
            self.columns: Sequence[str] = checked_columns(path, next(self._reader(file), []))

    def rows(self, on_bytes: Callable[[int], None]) -> Iterator[Row]:
        """See `RowSource`."""
        with self._opened() as (file, raw):
            reader = self._reader(file)
            next(reader)
            line, number, width = reader.line_num + 1, 0, len(self.columns)
            try:
                for fields in reader:
                    if fields:  # a blank line is no row
                        number += 1
                        yield self._row(number, line, fields, width)
                        if number % _TOLD_EVERY_ROWS == 0:
                            on_bytes(raw.tell())
                    line = reader.line_num + 1
            except csv.Error as error:
                raise InputError(f"{self._path}: line {line}: expected CSV: {error}") from None

    def _row(self, number: int, line: int, fields: list[str], width: int) -> Row:
        if len(fields) != width:
            problem = f"expected {width} fields, as the heading has, found {len(fields)}"
            return Row(number, line, {}, fields, problem)
        return Row(number, line, dict(zip(self.columns, fields, strict=True)), fields)

    def _reader(self, file: TextIO) -> Any:  # csv's own type has no public name
        return csv.reader(file, delimiter=self.delimiter, strict=True)

    @contextmanager
    def _opened(self) -> Iterator[tuple[TextIO, BinaryIO]]:
        try:
            with self._path.open("rb") as raw, io.TextIOWrapper(raw, self._encoding, newline="") as file:
                yield file, raw
        except OSError as error:
            raise InputError(f"{self._path}: expected a file that can be read: {error.strerror}") from None
        except UnicodeError:
            raise InputError(
                f"{self._path}: line {self._first_undecodable()}: expected text in {self._encoding}; give --encoding, "
                "like windows-1252 or utf-16"
            ) from None
        except csv.Error as error:
            raise InputError(f"{self._path}: line 1: expected CSV: {error}") from None

    def _first_undecodable(self) -> int:
        """The decoder reads ahead of the rows, so the line is looked for once more."""
        line = 1
        decoder = codecs.getincrementaldecoder(self._encoding)()
        with self._path.open("rb") as raw:
            for chunk in iter(lambda: raw.read(4096), b""):
                for place in range(len(chunk)):
                    try:
                        line += decoder.decode(chunk[place : place + 1]) == "\n"
                    except UnicodeError:
                        return line
        return line

    def _guessed(self, heading: str) -> str:
        widths = {delimiter: heading.count(delimiter) for delimiter in DELIMITERS.values()}
        most = max(widths.values())
        likely = [delimiter for delimiter, width in widths.items() if width == most]
        if most and len(likely) > 1:
            raise InputError(f"{self._path}: line 1: expected commas, semicolons or tabs: say which by --delimiter")
        return likely[0]


def _checked_encoding(name: str) -> str:
    try:
        found = codecs.lookup(name)
    except LookupError:
        raise InputError(f"--encoding: expected an encoding like utf-8 or windows-1252, found {name!r}") from None
    return "utf-8-sig" if found.name == "utf-8" else name
