"""Snapshots, restores and examinations over TLS, as the user that the page on security gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.redis_access import RedisAccess
from schemas.tls import TlsFiles
from streams.adapters.redis.consumers import bring_back_consumers
from streams.adapters.redis.dump import fetch_dump
from streams.adapters.redis.facts import redis_facts, state_facts
from streams.adapters.redis.points import read_points
from streams.adapters.redis.private import loaded_dump
from streams.adapters.redis.restore import StateRestorer
from streams.adapters.redis.server import server_client
from streams.adapters.redis.snapshots import forget_snapshots, note_snapshot
from streams.snapshots.manifest import make_manifest
from tests.engine.world import redis_contents
from tests.secure.documented import address, make_redis_users
from tests.snapshots.test_restoring_state import CUT, fold
from tests.snapshots.test_restoring_state import NAMES as FOLDED
from tests.support.redis_servers import LocalRedis
from tests.support.secure_kafka import AUTHORITY
from tests.support.tls_proxy import TlsProxy


def test_the_rights_of_the_keeper_suffice_for_snapshot_restore_and_doctor(
    own_redis: LocalRedis, tmp_path: Path
) -> None:
    make_redis_users(own_redis, FOLDED.namespace)
    proxy = TlsProxy(own_redis.port)
    keeper = RedisAccess.at(address("segue-keeper", proxy.port), TlsFiles(AUTHORITY))
    fold(own_redis, CUT)
    plain: Any = own_redis.client()
    plain.hset(FOLDED.key(0, "consumer", "webhook"), mapping={"epoch": 1, "seq": 3, "offset": 3})
    plain.hset(FOLDED.shared_key("{consumer-webhook}", "dead_letters"), "t1", "letter")
    before = redis_contents(own_redis.url, FOLDED)
    fetch_dump(keeper, tmp_path / "dump.rdb", lambda _done: None)
    fold(own_redis, CUT + 50)
    plain.delete(FOLDED.shared_key("{consumer-webhook}", "dead_letters"))

    target = server_client(keeper, one_connection=True)
    with loaded_dump(tmp_path / "dump.rdb", 0, lambda _done: None) as source:
        points = read_points(source, FOLDED)
        restorer = StateRestorer(source, target, FOLDED, points, read_points(target, FOLDED))
        restorer.sweep()
        restorer.copy(lambda _done: None)
        restorer.tidy({0: restorer.switch(0, set_back=True)})
        assert bring_back_consumers(source, target, FOLDED) == 1
    assert redis_contents(own_redis.url, FOLDED) == before
    note_snapshot(target, FOLDED, "one", make_manifest("shop", 1, "6.2", [], points))
    assert redis_facts(target, lambda: 0.0).policy == "noeviction"
    assert [one.name for one in state_facts(target, FOLDED, 0).snapshots] == ["one"]
    forget_snapshots(target, FOLDED, ["one"])
    proxy.close()


def test_a_cluster_is_refused_in_one_sentence() -> None:
    access = RedisAccess.at("redis+cluster://user:secret@127.0.0.1:7000")
    with pytest.raises(InputError, match="knows one server only") as refused:
        server_client(access)
    assert "secret" not in str(refused.value)
