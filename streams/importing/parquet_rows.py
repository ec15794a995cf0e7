"""Parquet, read in batches of rows by pyarrow, which is an extra of Segue."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from streams.importing.rows import Row, checked_columns, json_text

BATCH_ROWS = 1_000


class ParquetRows:
    """A `RowSource` of a Parquet file. Cells keep their types: numbers, times, lists."""

    def __init__(self, path: Path) -> None:
        """Raises `InputError`, also where pyarrow is not installed."""
        try:
            # An extra: only who has Parquet files needs it, and waits for it to be loaded.
            pyarrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise InputError(
                f"{path}: expected pyarrow to read Parquet with: install Segue with its extra `parquet`, or turn the "
                "file into CSV or JSON lines"
            ) from None
        self._path = path
        self._errors: tuple[type[Exception], ...] = (pyarrow.ArrowException, OSError)
        self._open: Callable[[], Any] = lambda: parquet.ParquetFile(path, memory_map=False)
        with self._file() as file:
            self.columns: Sequence[str] = checked_columns(path, list(file.schema_arrow.names))

    def rows(self, on_bytes: Callable[[int], None]) -> Iterator[Row]:
        """See `RowSource`."""
        with self._file() as file:
            total, size, number = file.metadata.num_rows, self._path.stat().st_size, 0
            batches = file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
            while (batch := self._next(batches)) is not None:
                for cells in batch.to_pylist():
                    number += 1
                    yield Row(number, number, cells, json_text(cells))
                on_bytes(size * number // max(total, 1))

    def _file(self) -> Any:
        try:
            return self._open()
        except self._errors as error:
            raise self._refused(error) from None

    def _next(self, batches: Iterator[Any]) -> Any:
        try:
            return next(batches, None)
        except self._errors as error:
            raise self._refused(error) from None

    def _refused(self, error: Exception) -> InputError:
        return InputError(f"{self._path}: expected a Parquet file that can be read: {' '.join(str(error).split())}")
