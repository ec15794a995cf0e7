"""A real Redis Cluster for tests: three masters on this machine, without replicas."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from schemas.redis_access import RedisAccess
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import RunDirectory
from tests.support.waiting import wait_until

_MASTERS = 3
_TIMEOUT_S = 30
_BUS = 10_000
"""How much higher the port is on which the nodes speak to each other."""
_ASKED_AT_ONCE = 100


class LocalCluster:
    """Its servers are `LocalRedis`: to be killed, started again with their data, paused."""

    def __init__(self, run: RunDirectory) -> None:
        self.servers = [
            LocalRedis(run, _free_pair(), cluster_enabled="yes", cluster_node_timeout="2000") for _ in range(_MASTERS)
        ]

    @property
    def url(self) -> str:
        """Names two of the three: the third is found."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers[:2])

    def start(self) -> None:
        """Start the servers, give each its share of the slots, and return when all agree."""
        share = REDIS_CLUSTER_HASH_SLOTS // _MASTERS + 1
        for number, server in enumerate(self.servers):
            server.start()
            last = min((number + 1) * share, REDIS_CLUSTER_HASH_SLOTS) - 1
            self.command(server, "CLUSTER", "ADDSLOTS", *range(number * share, last + 1))
            self.command(server, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in self.servers[1:]:
            self.command(server, "CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        self.wait_until_well()

    def wait_until_well(self) -> None:
        """Returns when every node says that all slots are served."""
        wait_until(lambda: all(map(self._is_well, self.servers)), _TIMEOUT_S, "a cluster that is well")

    def kill(self) -> None:
        """End all servers at once."""
        for server in self.servers:
            server.kill()

    def command(self, server: LocalRedis, *command: str | int) -> Any:
        """The raw reply of one server."""
        client: Any = server.client()
        try:
            return client.execute_command(*command)
        finally:
            client.close()

    def holder(self, key: str) -> LocalRedis:
        """The server that holds a key now."""
        slot = key_slot(key.encode())
        # Each is asked about itself: what the others know comes to them by and by.
        for server in self.servers:
            for first, last, node in self.command(server, "CLUSTER", "SLOTS"):
                if first <= slot <= last and node[1] == server.port:
                    return server
        raise AssertionError(f"nobody holds slot {slot}")

    def begin_move(self, key: str, target: LocalRedis) -> int:
        """Let the slot of a key begin to move, as resharding does; no key has moved yet. Returns the slot."""
        slot, source = key_slot(key.encode()), self.holder(key)
        self.command(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self._id(source))
        self.command(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self._id(target))
        return slot

    def move_keys(self, slot: int, source: LocalRedis, target: LocalRedis, most: int | None = None) -> int:
        """Move keys of a slot, all or at most so many; returns how many."""
        moved = 0
        while most is None or moved < most:
            asked = _ASKED_AT_ONCE if most is None else min(most - moved, _ASKED_AT_ONCE)
            keys = self.command(source, "CLUSTER", "GETKEYSINSLOT", slot, asked)
            if not keys:
                break
            self.command(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
            moved += len(keys)
        return moved

    def end_move(self, slot: int, target: LocalRedis) -> None:
        """Give the slot to its new holder."""
        for server in (target, *(other for other in self.servers if other is not target)):
            self.command(server, "CLUSTER", "SETSLOT", slot, "NODE", self._id(target))

    def _id(self, server: LocalRedis) -> str:
        return str(self.command(server, "CLUSTER", "MYID").decode())

    def _is_well(self, server: LocalRedis) -> bool:
        info = self.command(server, "CLUSTER", "INFO")
        text = info.decode() if isinstance(info, bytes) else str(info)
        return "cluster_state:ok" in text and f"cluster_known_nodes:{_MASTERS}" in text


def start_shared_cluster(run: RunDirectory) -> str:
    """The URL of a started cluster, which ends with the run."""
    cluster = LocalCluster(run)
    cluster.start()
    return cluster.url


def client_of(url: str) -> Any:
    """A client of one server or of a cluster."""
    access = RedisAccess.at(url)
    kind: Any = redis.RedisCluster if access.is_cluster else redis.Redis
    return kind.from_url(access.url_of(next(iter(access.nodes), None)))


@contextmanager
def clients_of(url: str) -> Iterator[list[Any]]:
    """A client of every server that holds keys: the one, or each master of a cluster."""
    client = client_of(url)
    if RedisAccess.at(url).is_cluster:
        yield [client.get_redis_connection(node) for node in client.get_primaries()]
    else:
        yield [client]
    client.close()


def _free_pair() -> int:
    """A loopback port that is free, and with it the one that a node of a cluster takes besides."""
    while True:
        port = random.randint(20_000, 32_000)
        try:
            with socket.socket() as low, socket.socket() as high:
                low.bind(("127.0.0.1", port))
                high.bind(("127.0.0.1", port + _BUS))
        except OSError:
            continue
        return port
