"""The file of rejected rows: as they stood, each with its line and why, to be mended and imported alone."""

from __future__ import annotations

import csv
import filecmp
import os
import tempfile
from pathlib import Path
from typing import Any, TextIO

from schemas.errors import InputError
from streams.importing.row_records import Rejected
from streams.importing.rows import REJECTED_COLUMNS, RowSource, json_text

_LINE, _BECAUSE, _TEXT = REJECTED_COLUMNS


class RejectedRows:
    """Written beside its place, and put there whole by `settle`."""

    def __init__(self, path: Path, source: RowSource, *, as_csv: bool) -> None:
        """Raises `InputError` where nothing can be written beside `path`."""
        self._path = path
        self._csv_columns = source.columns if as_csv else None
        self._count = 0
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as error:
            raise InputError(
                f"{path}: expected a directory for rejected rows that can be written to ({error.strerror}); give "
                "--state-dir"
            ) from None
        self._temporary = Path(name)
        self._file: TextIO = os.fdopen(descriptor, "w", encoding="utf-8", newline="")

    def add(self, rejected: Rejected) -> None:
        """One more row."""
        first = not self._count
        self._count += 1
        row = rejected.row
        if self._csv_columns is not None:
            writer = csv.writer(self._file)
            # In front, where neither too few nor too many fields of a row can displace them.
            kept = [place for place, name in enumerate(self._csv_columns) if name not in REJECTED_COLUMNS]
            if first:
                writer.writerow([_LINE, _BECAUSE, *(self._csv_columns[place] for place in kept)])
            whole = len(row.raw) == len(self._csv_columns)
            writer.writerow([row.line, rejected.reason, *([row.raw[place] for place in kept] if whole else row.raw)])
            return
        found: dict[str, Any] = {_LINE: row.line, _BECAUSE: rejected.reason}
        found |= row.cells or {_TEXT: row.raw}
        self._file.write(json_text(found | {_LINE: row.line, _BECAUSE: rejected.reason}) + "\n")

    def settle(self) -> Path | None:
        """Put the file in its place; None, and no file, where no row was rejected.

        Raises `InputError` where another file is there: somebody may be mending it.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if not self._count:
            self.drop()
            return None
        if self._path.exists() and not filecmp.cmp(self._path, self._temporary, shallow=False):
            self.drop()
            raise InputError(
                f"{self._path}: expected no such file, or the one that this import would write; move it away"
            )
        self._temporary.replace(self._path)
        return self._path

    def drop(self) -> None:
        """Remove what was written so far, if it is not in its place."""
        try:
            self._file.close()  # fails once more where a full disk is why it is dropped
        finally:
            self._temporary.unlink(missing_ok=True)
