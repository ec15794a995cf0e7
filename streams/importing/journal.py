"""How far an import has come, on disk: after a crash it goes on there, with the times and ids that it began with.

A file of JSON lines, each synced: first what is imported, then after each acknowledgement how many rows are in the
log. A line that was cut short counts for nothing. One process at a time has it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from schemas.errors import InputError

VERSION = 1


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What is imported, and into which log."""

    version: int = VERSION
    file: str  # SHA-256 of its bytes
    plan: str  # SHA-256 of the mapping and the options that change records
    cluster_id: str
    topic_id: str
    topic: str
    occurred_at: int  # ms since 1970, of rows that do not say when


class Reached(msgspec.Struct, frozen=True):
    """So many rows of the file are dealt with: their records are acknowledged."""

    rows: int
    finished: bool = False


class State(msgspec.Struct, frozen=True):
    """What a journal says."""

    begun: Begun
    reached: Reached


def read_journal(path: Path) -> State | None:
    """What a journal says; None where there is none, or nothing was begun. Raises `InputError`."""
    try:
        return _state(path, path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: expected a journal that can be read: {error.strerror}") from None


def _state(path: Path, raw: bytes) -> State | None:
    whole = raw[: raw.rfind(b"\n") + 1].splitlines()
    if not whole:
        return None
    try:
        begun = msgspec.json.decode(whole[0], type=Begun)
        reached = msgspec.json.decode(whole[-1], type=Reached) if len(whole) > 1 else Reached(0)
    except ValueError as error:  # of which msgspec's are some
        raise InputError(f"{path}: expected a journal of `segue import`: {error}; remove it to begin anew") from None
    if begun.version != VERSION:
        raise InputError(
            f"{path}: expected a journal of version {VERSION}, found {begun.version}: finish this import with the "
            "version of Segue that began it"
        )
    return State(begun, reached)


def check_same(path: Path, state: State, now: Begun) -> None:
    """Raises `InputError` where an import that is not finished was of something else."""
    before = state.begun
    same_log = (before.cluster_id, before.topic_id, before.topic) == (now.cluster_id, now.topic_id, now.topic)
    wrong = [
        *(["the file has changed"] if before.file != now.file else []),
        *(["the mapping or an option is another one"] if before.plan != now.plan else []),
        *([] if same_log else [f"it went into another log ({before.topic})"]),
    ]
    if wrong and not state.reached.finished:
        raise InputError(
            f"{path}: an import was begun and is not finished ({state.reached.rows:,} rows are in the log), and since "
            f"then {' and '.join(wrong)}: put that back to go on, or remove this journal to import anew"
        )


class Journal:
    """A journal that is written to. It is its process's alone until it is closed."""

    def __init__(self, path: Path) -> None:
        """Raises `InputError` where it cannot be written, or another process has it."""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputError(
                f"{path}: expected a place for the journal that can be written to ({error.strerror}); give --state-dir"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise InputError(f"{path}: another process is at this import") from None
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def begin(self, now: Begun) -> State:
        """Go on with what was begun, or begin; returns what holds. Raises as `check_same`."""
        raw = os.pread(self._file, os.fstat(self._file).st_size, 0)
        state = _state(self._path, raw)
        if state is not None:
            check_same(self._path, state, now)
            if not state.reached.finished or is_of(state, now):
                os.ftruncate(self._file, raw.rfind(b"\n") + 1)
                return state
        os.ftruncate(self._file, 0)
        self._append(now)
        self._sync_directory()
        return State(now, Reached(0))

    def reached(self, rows: int, *, finished: bool = False) -> None:
        """Note that the records of the first `rows` rows are acknowledged; returns when the disk has it."""
        self._append(Reached(rows, finished))

    def _append(self, line: Begun | Reached) -> None:
        raw = msgspec.json.encode(line) + b"\n"
        while raw:
            raw = raw[os.write(self._file, raw) :]
        os.fsync(self._file)

    def _sync_directory(self) -> None:
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def is_of(state: State, now: Begun) -> bool:
    """Whether a journal is of this file, mapping and log."""
    before = state.begun
    return (before.file, before.plan, before.topic_id) == (now.file, now.plan, now.topic_id) and (
        before.cluster_id == now.cluster_id and before.topic == now.topic
    )
