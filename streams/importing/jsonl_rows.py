"""JSON lines: one object a line, in UTF-8."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from schemas.errors import InputError
from streams.importing.rows import Row
from streams.simulation.record_lines import LINE_BYTES_MAX, read_lines

_BOM = b"\xef\xbb\xbf"
_TOLD_EVERY_LINES = 1_000


class JsonlRows:
    """A `RowSource` of JSON lines; each may have columns of its own."""

    columns = None

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, on_bytes: Callable[[int], None]) -> Iterator[Row]:
        """See `RowSource`. Blank lines are no rows."""
        number = read = 0
        try:
            with self._path.open("rb") as file:
                for line, raw in enumerate(read_lines(file), start=1):
                    read += len(raw)
                    if line % _TOLD_EVERY_LINES == 0:
                        on_bytes(read)
                    if raw.strip():
                        number += 1
                        yield _row(number, line, raw.removeprefix(_BOM) if line == 1 else raw)
        except OSError as error:
            raise InputError(f"{self._path}: expected a file that can be read: {error.strerror}") from None


def _row(number: int, line: int, raw: bytes) -> Row:
    text = raw.decode(errors="backslashreplace").rstrip("\r\n")
    if len(raw) > LINE_BYTES_MAX:
        return Row(number, line, {}, text, f"expected at most {LINE_BYTES_MAX} bytes in a line")
    try:
        cells = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        return Row(number, line, {}, text, f"expected JSON in UTF-8: {error}")
    if not isinstance(cells, dict):
        return Row(number, line, {}, text, "expected a JSON object")
    return Row(number, line, cells, text)
