"""The directory that snapshots lie in: written whole or not at all, the oldest removed, the newest found.

A snapshot `segue-20261128T220800Z` is a manifest `.json` and what Redis dumped, `.rdb`. It exists once its manifest
does, and the manifest comes last and goes first. The directory is its owner's alone: snapshots hold contacts.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError
from schemas.instants import format_instant
from streams.snapshots.manifest import FileEntry, Manifest, read_manifest

_PARTIAL = ".partial"
_LOCK = ".segue-snapshots.lock"
_HASHED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that exists."""

    name: str
    files: tuple[Path, ...]
    manifest: Manifest | None  # None for a file of Redis that no manifest lies beside


class Shelf:
    """One directory, for one namespace: those of others are left alone."""

    def __init__(self, directory: Path, namespace: str) -> None:
        self.directory = directory
        self._prefix = f"segue-{namespace}-" if namespace else "segue-"
        self._name = re.compile(rf"{self._prefix}\d{{8}}T\d{{6}}(\d{{3}})?Z")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One at a time; what an earlier one left half-written is removed. Raises `InputError`."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InputError(f"{self.directory}: cannot be written to: {error.strerror}") from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{self.directory}: another snapshot is being written there: wait for it") from None
            self._remove_partial()
            yield
        finally:
            os.close(lock)
            self._remove_partial(quietly=True)

    def name_at(self, made_at_ms: int) -> str:
        """What a snapshot of that instant is called."""
        return self._prefix + re.sub(r"[-:.]", "", format_instant(made_at_ms))

    def partial(self, name: str) -> Path:
        """Where what Redis dumps is put until it is known to be whole."""
        return self.directory / f".{name}.rdb{_PARTIAL}"

    def keep(self, name: str, manifest: Manifest) -> Snapshot:
        """Give what lies in `partial` and its manifest their names, on disk for good."""
        dump, described = self.directory / f"{name}.rdb", self.directory / f"{name}.json"
        _rename(self.partial(name), dump)
        half = self.directory / f".{name}.json{_PARTIAL}"
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(manifest.encoded())
            file.flush()
            os.fsync(file.fileno())
        _rename(half, described)
        return Snapshot(name, (dump,), manifest)

    def names(self) -> list[str]:
        """Of all that exist, oldest first."""
        found = (path.stem for path in self.directory.glob(f"{self._prefix}*.json"))
        return sorted(name for name in found if self._name.fullmatch(name))

    def drop_oldest(self, kept: int) -> list[str]:
        """Remove all but the newest `kept`; the names of those that were removed."""
        dropped = self.names()[:-kept]
        for name in dropped:
            (self.directory / f"{name}.json").unlink(missing_ok=True)
            (self.directory / f"{name}.rdb").unlink(missing_ok=True)
        return dropped

    def newest(self) -> Snapshot:
        """Raises `InputError` where there is none."""
        names = self.names()
        if not names:
            raise InputError(f"{self.directory}: no snapshot called {self._prefix}… lies there: name the right place")
        return described(self.directory / f"{names[-1]}.json")

    def _remove_partial(self, *, quietly: bool = False) -> None:
        for left in self.directory.glob(f".{self._prefix}*{_PARTIAL}"):
            try:
                left.unlink(missing_ok=True)
            except OSError:
                if not quietly:
                    raise


def find_snapshot(place: Path, namespace: str) -> Snapshot:
    """The newest of a directory, or the one that a manifest or a dump names. Raises `InputError`."""
    if place.is_dir():
        return Shelf(place, namespace).newest()
    if not place.is_file():
        raise InputError(f"{place}: neither a directory of snapshots nor a snapshot is there")
    if place.suffix == ".json":
        return described(place)
    beside = place.with_suffix(".json")
    return described(beside) if beside.is_file() else Snapshot(place.stem, (place,), None)


def described(path: Path) -> Snapshot:
    """The snapshot of a manifest's file."""
    manifest = read_manifest(path)
    names = [entry.name for entry in manifest.files]
    if any(Path(name).name != name for name in names):
        raise InputError(f"{path}: expected files beside the manifest, found {', '.join(names)}")
    return Snapshot(path.stem, tuple(path.parent / name for name in names), manifest)


def check_files(snapshot: Snapshot, namespace: str) -> None:
    """Raises `InputError` where a file is not what its manifest says, or is of another namespace."""
    manifest = snapshot.manifest
    if manifest is None:
        return
    if manifest.namespace != namespace:
        raise InputError(
            f"{snapshot.name}: a snapshot of namespace {manifest.namespace!r}, SEGUE_NAMESPACE is {namespace!r}"
        )
    for path, entry in zip(snapshot.files, manifest.files, strict=True):
        found = describe_file(path, entry.name)
        if found != entry:
            raise InputError(
                f"{path}: damaged: {found.bytes} bytes with SHA-256 {found.sha256}, expected {entry.bytes} with "
                f"{entry.sha256}: use another snapshot"
            )


def describe_file(path: Path, name: str) -> FileEntry:
    """Size and SHA-256 of a file. Raises `InputError`."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_HASHED_AT_ONCE):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return FileEntry(name, size, digest.hexdigest())


def _rename(source: Path, target: Path) -> None:
    source.rename(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
