"""Estimates what the states that serve take of Redis' memory, from a sample of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from schemas.topics import Names
from streams.adapters.redis.connection import RedisConnection
from streams.adapters.redis.keys import StateKeys, all_partitions, placed_key
from streams.planning.room import Filled, Room

_SAMPLED = 5_000


async def read_filled(connection: RedisConnection, names: Names, partition: int) -> Filled:
    """How full the server is that has a partition. Raises `UnavailableError`."""
    info: Mapping[str, Any] = await connection.call("INFO", "memory", near=names.key(partition, "meta"))
    return Filled(int(info["used_memory"]), int(info.get("maxmemory", 0)))


def read_room(client: Any, names: Names, serving: Mapping[int, int]) -> Room:
    """The memory of one Redis. `serving` are the generations that serve, by partition.

    The order in which Redis lists keys is that of their hashes, so the first ones are as good as drawn ones.
    """
    info: Mapping[str, Any] = client.info("memory")
    _, found = client.scan(0, match=None, count=_SAMPLED)
    contacts = [key for key in found if _is_contact(key, names, serving)]
    sizes = _usages(client, contacts)
    total = sum(sizes) * client.dbsize() // max(1, len(found))
    few = [StateKeys(names, partition, generation) for partition, generation in serving.items()]
    total += sum(_usages(client, [key.encode() for keys in few for key in (keys.timers, keys.outbox, keys.sizes)]))
    total += sum(_usages(client, _members(client, few)))
    return Room(int(info["used_memory"]), int(info.get("maxmemory", 0)), total)


def _is_contact(key: bytes, names: Names, serving: Mapping[int, int]) -> bool:
    placed = placed_key(key)
    if placed is None or placed.kind != "contact" or serving.get(placed.partition) != placed.generation:
        return False
    return key.startswith(all_partitions(names).partition("{")[0].encode())


def _members(client: Any, few: list[StateKeys]) -> list[bytes]:
    pipeline = client.pipeline(transaction=False)
    for keys in few:
        pipeline.hkeys(keys.sizes)
    return [
        (keys.members_prefix + segment.decode()).encode()
        for keys, segments in zip(few, pipeline.execute(), strict=True)
        for segment in segments
    ]


def _usages(client: Any, keys: list[bytes]) -> list[int]:
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.memory_usage(key)
    return [0 if isinstance(size, RedisError) else int(size or 0) for size in pipeline.execute(raise_on_error=False)]
