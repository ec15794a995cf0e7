"""Fetches a dump (RDB) of a serving Redis, as a replica does: Redis forks, so it is of one instant and nobody waits.

It is asked for on a connection like any other, so addresses, passwords and TLS are those of the other connections,
and no program with a password on its command line or in its environment is needed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from redis.exceptions import RedisError, ResponseError

from schemas.errors import InputError, UnavailableError
from schemas.redis_access import RedisAccess
from streams.adapters.redis.errors import as_segue_error
from streams.adapters.redis.server import server_client

_SILENCE_MS = 60_000
"""Longest wait for a byte. While Redis forks and dumps it sends a newline every ten seconds."""
_READ_AT_ONCE = 1 << 16
_LONGEST_WORD = 200
_MARK_BYTES = 40


def fetch_dump(access: RedisAccess, path: Path, on_progress: Callable[[int], None]) -> None:
    """Write the dump to `path`, and have it on disk. `on_progress` is given the bytes so far.

    Raises `UnavailableError` when Redis is away or breaks off, `InputError` when it does not hand out dumps.
    """
    client = server_client(access, timeout_ms=_SILENCE_MS)
    address = access.shown
    try:
        connection = client.connection_pool.get_connection()
        _announce(connection)
        connection.send_command("SYNC")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            _receive(connection._sock, file, on_progress, address)  # the driver reads replies only, not a dump
            file.flush()
            os.fsync(file.fileno())
        connection.disconnect()
    except (RedisError, TimeoutError, ConnectionError) as error:
        raise as_segue_error(error, address) from error
    finally:
        client.close()


def _announce(connection: Any) -> None:
    """Say what we understand; an older Redis that does not know one of it goes on as it always did."""
    for option in (("capa", "eof"), ("rdb-only", "1")):
        connection.send_command("REPLCONF", *option)
        try:
            connection.read_response()
        except ResponseError:
            continue


def _receive(line: socket.socket, file: BinaryIO, on_progress: Callable[[int], None], address: str) -> None:
    word, first = _first_word(line, address)
    if word.startswith(b"-"):
        text = word[1:].decode(errors="replace")
        if "LOADING" in text or "BUSY" in text or "MASTERDOWN" in text or "NOMASTERLINK" in text:
            raise UnavailableError(f"Redis at {address} gives no dump now: {text}")
        raise InputError(
            f"Redis at {address} gives no dump: {text}; the user needs the commands SYNC and REPLCONF, and where a "
            "hosting service forbids them, give `segue restore` the dump that the service itself makes"
        )
    mark = word[5:] if word.startswith(b"$EOF:") else None
    if mark is None and not (word.startswith(b"$") and word[1:].isdigit()):
        raise UnavailableError(f"Redis at {address} answered SYNC with {word[:40]!r}, expected a dump: try again")
    size = int(word[1:]) if mark is None else None
    _copy(line, first, file, size, mark, on_progress, address)


def _copy(
    line: socket.socket,
    first: bytes,
    file: BinaryIO,
    size: int | None,
    mark: bytes | None,
    on_progress: Callable[[int], None],
    address: str,
) -> None:
    """Up to `size` bytes, or up to the mark with which the dump ends where its size is not known beforehand."""
    written, held, chunk = 0, b"", first
    while True:
        held += chunk
        if mark is not None and held.endswith(mark):
            file.write(held[: -len(mark)])
            return
        sure = len(held) if mark is None else max(0, len(held) - _MARK_BYTES)
        if size is not None:
            sure = min(sure, size - written)
        file.write(held[:sure])
        written, held = written + sure, held[sure:]
        on_progress(written)
        if written == size:
            return
        chunk = line.recv(_READ_AT_ONCE)
        if not chunk:
            raise UnavailableError(f"Redis at {address} broke off its dump after {written} bytes: try again")


def _first_word(line: socket.socket, address: str) -> tuple[bytes, bytes]:
    """The line before the dump, and what of the dump came with it. Newlines before it only say that it lives."""
    held = b""
    while True:
        word, ended, rest = held.lstrip(b"\n").partition(b"\n")
        if ended:
            return word.rstrip(b"\r"), rest
        if len(word) > _LONGEST_WORD:
            raise UnavailableError(f"Redis at {address} answered SYNC with something else than a dump")
        chunk = line.recv(_READ_AT_ONCE)
        if not chunk:
            raise UnavailableError(f"Redis at {address} broke off before its dump: try again")
        held += chunk
