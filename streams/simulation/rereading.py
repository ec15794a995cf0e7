"""Lines that can be read again from the first on: what comes but once is kept in a temporary file as it is read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain, islice
from pathlib import Path
from typing import IO, TypeAlias

from schemas.errors import InputError
from streams.simulation.event_files import open_lines
from streams.simulation.record_lines import read_lines

Shows: TypeAlias = Callable[[Iterable[bytes], int], Iterable[bytes]]


class _Kept:
    """Lines of what comes but once, on disk."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._lost = ""
        self._file: IO[bytes] = tempfile.NamedTemporaryFile(prefix="segue-")  # noqa: SIM115 - the stack closes it
        stack.enter_context(self._file)

    def passing(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines, each kept as it passes."""
        for line in lines:
            if not self._lost:
                self._keep(line if line.endswith(b"\n") else line + b"\n")
            yield line

    def _keep(self, line: bytes) -> None:
        try:
            self._file.write(line)
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        # Most runs never ask for it again: only one that does has to end.
        self._lost = error.strerror or str(error)
        with suppress(OSError):
            self._file.close()

    def again(self) -> Iterator[bytes]:
        """The lines that passed. Raises `InputError` where there was no room to keep them."""
        if not self._lost:
            try:
                self._file.flush()
            except OSError as error:
                self._lose(error)
        if self._lost:
            raise InputError(
                f"{self._path}: expected a file: definitions change, what comes but once is kept in "
                f"{tempfile.gettempdir()} to be read again, and that failed: {self._lost}"
            )
        with Path(self._file.name).open("rb") as file:
            yield from read_lines(file)


class Rereading:
    """Files of lines that are read one after another, as a `History` for the simulator that is fed with them."""

    def __init__(self, stack: ExitStack) -> None:
        """What is kept goes when the stack is closed."""
        self._stack = stack
        self._read: list[Callable[[], Iterator[bytes]]] = []
        self.shows: Shows = lambda lines, _count: lines
        """Lets somebody see how far the second reading has come."""

    def passing(self, path: Path, lines: Iterable[bytes]) -> Iterable[bytes]:
        """The lines of the next file, as they are read the first time."""
        if path.is_file():
            self._read.append(lambda: _lines_of(path))
            return lines
        kept = _Kept(path, self._stack)
        self._read.append(kept.again)
        return kept.passing(lines)

    def __call__(self, count: int) -> Iterable[bytes]:
        """So many lines from the first on. Raises `InputError` where they cannot be read again."""
        return self.shows(islice(chain.from_iterable(again() for again in self._read), count), count)


def _lines_of(path: Path) -> Iterator[bytes]:
    with open_lines(path) as file:
        yield from file
