"""A copy of the topic of keys in the directory of a spool, for a collector that starts while Kafka is away.

One line tells format and checksum; what follows it is JSON. Written beside, synced and renamed, so that there is a
whole one or none. It holds what the topic holds: digests, no secret.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from schemas.errors import InputError
from streams.spool.layout import KEYS, NEW_KEYS
from streams.spool.segments import Disk

_BYTES_MAX = 32 * 1024**2
"""10,000 keys take 5 MB; bound to a hundred pages and events each, more than this: then no copy is kept."""
_FORMAT = b"segue keys "
_VERSION = b"1"
_SUM_BYTES = 16


class KeyCopy(NamedTuple):
    """What a topic of keys held."""

    topic: str
    offset: int
    """Up to which the topic was read."""
    as_of_ms: int
    """When Kafka was last asked; milliseconds since the epoch."""
    values: Mapping[bytes, bytes]
    """The last value of each key, by its id."""


class _Body(msgspec.Struct):
    topic: str
    offset: int
    as_of_ms: int
    keys: dict[str, str]


def read_key_copy(directory: Path, disk: Disk | None = None) -> KeyCopy | None:
    """The copy that lies there, None where there is none. Raises `InputError` where it cannot be read or is no copy."""
    path = directory / KEYS
    try:
        content = (disk or Disk()).read(path, 0, _BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    head, _, rest = content.partition(b"\n")
    version, _, checksum = head.removeprefix(_FORMAT).partition(b" ")
    if not head.startswith(_FORMAT) or not version.isdigit():
        raise InputError(f"{path}: is no copy of keys, or its beginning is damaged")
    if version != _VERSION:
        raise InputError(f"{path}: was written by another version of Segue")
    if checksum != _checksum(rest):
        raise InputError(f"{path}: is damaged, or was not written to its end")
    try:
        body = msgspec.json.decode(rest, type=_Body)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: {error}") from None
    values = {key_id.encode(): value.encode() for key_id, value in body.keys.items()}
    return KeyCopy(body.topic, body.offset, body.as_of_ms, values)


def write_key_copy(directory: Path, copy: KeyCopy, disk: Disk | None = None) -> None:
    """Put a copy in the place of the one that lies there; the disk has it on return.

    Raises `OSError`: then the earlier one still lies there, unless only its name could not be synced.
    """
    disk = disk or Disk()
    keys = {key_id.decode(): value.decode() for key_id, value in copy.values.items()}
    body = msgspec.json.encode(_Body(copy.topic, copy.offset, copy.as_of_ms, keys))
    content = b"%s%s %s\n%s" % (_FORMAT, _VERSION, _checksum(body), body)
    if len(content) > _BYTES_MAX:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    fresh = directory / NEW_KEYS
    try:
        fresh.unlink(missing_ok=True)  # of a process that died amid writing it
        _write(fresh, content, disk)
        fresh.rename(directory / KEYS)
        disk.sync_directory(directory)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes, disk: Disk) -> None:
    file = disk.create(path)
    try:
        disk.write(file, content)
        disk.sync(file)
    finally:
        os.close(file)


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_SUM_BYTES).hexdigest().encode()
