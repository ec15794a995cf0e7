"""How much of Redis a build takes, against what was said before; and a build that finds no room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.errors import InputError
from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.redis.connection import RedisConnection
from streams.adapters.redis.room import read_filled, read_room
from streams.planning.planner import Planner
from streams.planning.room import Filled
from streams.segmentation import compile_definitions
from tests.engine.stories import MINUTE, LogWriter, story
from tests.engine.world import world_on_redis
from tests.planning.drafts import ports_of
from tests.planning.test_planner import OTHER
from tests.support.redis_servers import LocalRedis

CONTACTS = 3_000


def _log() -> LogWriter:
    writer = LogWriter()
    for number in range(CONTACTS):
        for _ in range(number % 4):
            writer.track("email_open", f"contact-{number:05}", 1)
        writer.track("cart_add", f"contact-{number:05}", 1)
    writer.tick(20 * MINUTE)  # past it no event can be corrected, so nothing is kept for that
    return writer


@story
async def _plan_on(server: LocalRedis) -> None:
    names, client = Names("room"), server.client()
    async with world_on_redis(server.url, names.namespace) as world:
        await world.fold([_log().records])
        connection = RedisConnection(RedisAccess.at(server.url))

        async def room(partition: int) -> Filled:
            return await read_filled(connection, names, partition)

        ports = replace(ports_of(world), room=room)
        try:
            said = read_room(client, names, {0: 1})
            before = client.info("memory")["used_memory"]
            plan = await Planner(ports, compile_definitions(OTHER)).plan()
            assert plan.contacts == CONTACTS
            took = client.info("memory")["used_memory"] - before
            assert 0.7 * took < said.serving < 1.3 * took, (said, took)

            assert await world.builds.give_up(0)
            client.config_set("maxmemory", before + took // 2)
            with pytest.raises(InputError, match="the build is given up"):
                await Planner(ports, compile_definitions(OTHER)).plan()
            assert not client.exists(names.key(0, "build"))
            assert not list(client.scan_iter(match=names.key(0, "g[2-9]*")))
        finally:
            await connection.close()


def test_a_build_takes_what_was_said_within_three_tenths_and_stops_where_it_finds_no_room(
    own_redis: LocalRedis,
) -> None:
    _plan_on(own_redis)
