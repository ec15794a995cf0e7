"""Files of lines as they come and go: plain or compressed by gzip, as the suffix says, or standard input."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from schemas.errors import InputError
from streams.simulation.record_lines import read_lines

STANDARD_INPUT = Path("-")
_BUFFER_BYTES = 1 << 20
_LEVEL = 6


class LinesFile:
    """The lines of an open file, and how much of it was read."""

    def __init__(self, path: Path, raw: BinaryIO) -> None:
        self.path = path
        self._raw = raw
        # A GzipFile reads line by line in Python; behind a buffer it does not.
        self._lines = cast(BinaryIO, io.BufferedReader(gzip.GzipFile(fileobj=raw))) if is_gzip(path) else raw

    @property
    def size_bytes(self) -> int | None:
        """How large the file is on disk; None where it has no end to be known."""
        return None if self.path == STANDARD_INPUT else os.fstat(self._raw.fileno()).st_size

    @property
    def read_bytes(self) -> int:
        """How much was read of what is on disk; 0 of standard input."""
        return 0 if self.path == STANDARD_INPUT else self._raw.tell()

    def __iter__(self) -> Iterator[bytes]:
        """The lines. Raises `InputError` where the compressed data are broken or cut off."""
        try:
            for number, line in enumerate(read_lines(self._lines)):
                yield line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(f"{self.path}: expected whole gzip data, as the suffix says: {error}") from None


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix.lower() == ".gz"


def check_files(sources: Iterable[Path], outputs: Sequence[Path]) -> None:
    """Raises `InputError` where a source cannot be read, or where writing would destroy it or another output."""
    read = [path for path in sources if path != STANDARD_INPUT]
    for path in read:
        with open_lines(path):
            pass
    for place, path in enumerate(outputs):
        for other in (*read, *outputs[:place]):
            if path == other or (path.exists() and other.exists() and path.samefile(other)):
                raise InputError(f"{path}: expected a file of its own to write to: {other} is read or written too")


@contextmanager
def open_lines(path: Path) -> Iterator[LinesFile]:
    """A file of lines to read; `-` is standard input. Raises `InputError` for one that cannot be read."""
    if path == STANDARD_INPUT:
        yield LinesFile(path, sys.stdin.buffer)
        return
    try:
        raw = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read: {error.strerror}") from None
    with raw:
        yield LinesFile(path, raw)


@contextmanager
def open_output(path: Path) -> Iterator[BinaryIO]:
    """A file to write, from its start. Raises `InputError` for one that cannot be written."""
    try:
        raw = path.open("wb")
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be written: {error.strerror}") from None
    with raw:
        if not is_gzip(path):
            yield raw
            return
        # Neither name nor time go into the file: the same lines give the same bytes.
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0)
        with packed, io.BufferedWriter(cast(io.RawIOBase, packed), _BUFFER_BYTES) as sink:
            yield cast(BinaryIO, sink)
