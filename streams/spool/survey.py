"""A look at the directory of a spool from outside: another process may own it meanwhile, and nothing is changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError
from streams.spool.frames import find
from streams.spool.key_copy import KeyCopy, read_key_copy
from streams.spool.layout import LOCK, REFUSED, SETTING, listing

TRANSIENT_FILESYSTEMS = ("tmpfs", "ramfs", "devtmpfs", "overlay")
"""They go with the machine, or with the container."""
_HEAD_BYTES = 64 * 1024
"""The oldest frame lies within: an event has 32 KiB at most."""
_OCTAL_DIGITS = 3


@dataclass(frozen=True, slots=True)
class SpoolSurvey:
    """What the directory holds, and what it lies on."""

    directory: Path
    bytes_max: int
    segments: int
    bytes: int
    """Of the segments."""
    oldest_ms: int
    """When the oldest record in it came in, 0 where there is none or it cannot be read."""
    damaged: int
    """Segments that were set aside because not all of them could be read."""
    damaged_bytes: int
    refused_bytes: int
    writable: bool
    """By us, whoever we are."""
    free_bytes: int
    """That the file system has left for whom the directory belongs to."""
    filesystem: str | None
    """Its type, such as `ext4`; None where the system does not tell."""
    owned: bool | None
    """Whether a process has it; None where the system does not tell."""
    keys: KeyCopy | None
    """The keys that a collector would begin with while Kafka is away."""
    keys_problem: str
    """Why there is a copy of keys, and it cannot be used; else empty."""


def survey(directory: Path, bytes_max: int) -> SpoolSurvey | None:
    """What is there; None where there is no such directory. Raises `InputError` where it cannot be looked at."""
    try:
        sizes, segments, damaged = listing(directory)
        space = os.statvfs(directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{SETTING}: {directory}: expected a directory that may be read: {error.strerror}") from error
    keys, keys_problem = _keys(directory)
    return SpoolSurvey(
        directory=directory,
        bytes_max=bytes_max,
        segments=len(segments),
        bytes=sum(sizes[name] for name in segments),
        oldest_ms=_oldest_ms(directory / segments[0]) if segments else 0,
        damaged=len(damaged),
        damaged_bytes=sum(sizes[name] for name in damaged),
        refused_bytes=sizes.get(REFUSED, 0),
        writable=os.access(directory, os.W_OK | os.X_OK),
        free_bytes=space.f_bavail * space.f_frsize,
        filesystem=filesystem_of(directory),
        owned=_owned(directory / LOCK) if LOCK in sizes else False,
        keys=keys,
        keys_problem=keys_problem,
    )


def filesystem_of(directory: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system that a directory lies on, None where the system does not tell."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    place = directory.resolve()
    best: tuple[int, str] | None = None
    for line in lines:
        told, _, rest = line.partition(" - ")
        point = Path(_unescaped(told.split()[4]))
        # A later mount at the same place lies over the earlier one.
        if place.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = len(point.parts), rest.split()[0]
    return None if best is None else best[1]


def _unescaped(path: str) -> str:
    """Spaces and the like stand in the table of mounts as a backslash and three octal digits."""
    first, *others = path.split("\\")
    pieces = [chr(int(piece[:_OCTAL_DIGITS], 8)) + piece[_OCTAL_DIGITS:] for piece in others]
    return "".join([first, *pieces])


def _keys(directory: Path) -> tuple[KeyCopy | None, str]:
    try:
        return read_key_copy(directory), ""
    except InputError as error:
        return None, str(error)


def _oldest_ms(segment: Path) -> int:
    try:
        with segment.open("rb") as file:
            frames = find(file.read(_HEAD_BYTES)).frames
    except OSError:  # it may have gone to Kafka, or its disk fails, which is the collector's to tell
        return 0
    return frames[0].arrived_ms if frames else 0


def _owned(lock: Path, locks: Path = Path("/proc/locks")) -> bool | None:
    """Whether somebody holds the lock. Trying to take it would turn a collector away that starts this moment."""
    try:
        inode = str(lock.stat().st_ino)
        lines = locks.read_text().splitlines()
    except OSError:
        return None
    held = [line.split() for line in lines]
    return any("FLOCK" in fields and fields[-3].rpartition(":")[2] == inode for fields in held)
