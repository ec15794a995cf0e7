"""Dumps of a serving Redis: fetched as a replica does, and loaded by a server of our own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from schemas.errors import InputError, UnavailableError
from schemas.redis_access import RedisAccess
from streams.adapters.redis.dump import fetch_dump
from streams.adapters.redis.private import loaded_dump
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import RunDirectory, free_port
from tests.support.waiting import wait_until


def ignore(_done: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(params=["no", "yes"], ids=["by way of the disk", "without a disk"])
def redis_server(run_directory: RunDirectory, request: pytest.FixtureRequest) -> Iterator[LocalRedis]:
    """A Redis that dumps in one of the two ways that it knows: with the size told first, or a mark at the end."""
    server = LocalRedis(run_directory, repl_diskless_sync=request.param, repl_diskless_sync_delay="0")
    server.start()
    yield server
    server.kill()


def test_a_dump_holds_what_was_there_and_the_server_goes_on(redis_server: LocalRedis, tmp_path: Path) -> None:
    client = redis_server.client()
    values = {f"key-{number}": os.urandom(300) for number in range(5_000)}
    client.mset(values)
    seen: list[int] = []
    fetch_dump(RedisAccess.at(redis_server.url), tmp_path / "dump.rdb", seen.append)
    client.set("later", "1")
    size = (tmp_path / "dump.rdb").stat().st_size
    assert (tmp_path / "dump.rdb").stat().st_mode & 0o077 == 0
    assert seen == sorted(seen)
    assert 0 < seen[-1] <= size
    with loaded_dump(tmp_path / "dump.rdb", 0, ignore) as source:
        assert {key.decode(): source.get(key) for key in source.scan_iter(count=1_000)} == values
    assert client.get("later") == b"1"


def test_a_dump_is_of_one_database(own_redis: LocalRedis, tmp_path: Path) -> None:
    own_redis.client().set("here", "1")
    fetch_dump(RedisAccess.at(own_redis.url), tmp_path / "dump.rdb", ignore)
    with loaded_dump(tmp_path / "dump.rdb", 3, ignore) as source:
        assert source.dbsize() == 0


def test_a_redis_that_hands_out_no_dumps_is_told_as_such(own_redis: LocalRedis, tmp_path: Path) -> None:
    client: Any = own_redis.client()
    client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", "-sync")
    with pytest.raises(InputError, match=r"gives no dump: NOPERM.* the user needs the commands SYNC") as refused:
        fetch_dump(RedisAccess.at(own_redis.url.replace("://", "://reader:secret@")), tmp_path / "dump.rdb", ignore)
    assert "secret" not in str(refused.value)


def test_a_redis_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="is away"):
        fetch_dump(RedisAccess.at(f"redis://127.0.0.1:{free_port()}/0"), tmp_path / "dump.rdb", ignore)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda dump: dump[: len(dump) // 2], "finds it damaged"),
        (lambda dump: dump[:200] + bytes([dump[200] ^ 1]) + dump[201:], "finds it damaged"),
        (lambda _dump: b"not a dump of Redis at all", "finds it damaged, or it is no dump"),
        (lambda dump: b"REDIS0099" + dump[9:], "cannot read a dump of format 99: install a redis-server"),
    ],
    ids=["cut off", "a bit flipped", "something else", "of a newer Redis"],
)
def test_a_file_that_cannot_be_loaded_is_refused_in_one_sentence(
    own_redis: LocalRedis, tmp_path: Path, harm: object, words: str
) -> None:
    own_redis.client().mset({f"key-{number}": os.urandom(100) for number in range(100)})
    fetch_dump(RedisAccess.at(own_redis.url), tmp_path / "dump.rdb", ignore)
    assert callable(harm)
    (tmp_path / "harmed.rdb").write_bytes(harm((tmp_path / "dump.rdb").read_bytes()))
    with pytest.raises(InputError, match=words) as refused, loaded_dump(tmp_path / "harmed.rdb", 0, ignore):
        pass
    assert "\n" not in str(refused.value)


_HOLD = """
import sys, time
from pathlib import Path
from typing import Any
from streams.adapters.redis.private import loaded_dump
with loaded_dump(Path(sys.argv[1]), 0, lambda _done: None) as source:
    print(source.info("server")["process_id"], source.connection_pool.connection_kwargs["path"], flush=True)
    time.sleep(600)
"""


def test_a_server_of_our_own_ends_with_us_also_when_we_are_killed(own_redis: LocalRedis, tmp_path: Path) -> None:
    fetch_dump(RedisAccess.at(own_redis.url), tmp_path / "dump.rdb", ignore)
    command = [sys.executable, "-c", _HOLD, str(tmp_path / "dump.rdb")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pid, path = child.stdout.readline().split()
        assert psutil.pid_exists(int(pid))
        os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(int(pid)), 20, "the end of the server")
    wait_until(lambda: not Path(path).parent.exists(), 20, "its directory removed")
