"""Redis over TLS as a user with the documented rights; and being told why one is not let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from consumers.progress_store import RedisProgressStore
from consumers.redis_client import open_redis
from consumers.webhook.dead_letters import DeadLetters
from consumers.webhook.endpoint_state import EndpointState
from consumers.window import Progress
from schemas.errors import AccessError, UnavailableError
from schemas.redis_access import RedisAccess
from schemas.tls import TlsFiles
from schemas.topics import Names
from streams.adapters.redis.builds import RedisBuildStore
from streams.adapters.redis.connection import RedisConnection
from streams.adapters.redis.generation_store import RedisGenerationStore
from streams.adapters.redis.inspect import StateInspector
from streams.adapters.redis.room import read_filled, read_room
from streams.adapters.redis.server import server_client
from streams.adapters.redis.state import RedisStateStore
from streams.pipeline.building import Builder
from streams.segmentation import parse_canonical
from tests.consumers.test_redis_live import letter
from tests.engine.driving import drive
from tests.engine.stories import changing_log, story
from tests.engine.test_changing import told
from tests.engine.test_redis_faults import BOUNDS
from tests.engine.world import FENCE, LOG, World, redis_contents
from tests.secure.documented import PASSWORD, address, make_redis_users
from tests.support.redis_cluster import LocalCluster
from tests.support.redis_servers import LocalRedis
from tests.support.secure_kafka import AUTHORITY, TLS
from tests.support.tls_proxy import TlsProxy

NAMES = Names("guarded")
FILES = TlsFiles(AUTHORITY)


@pytest.fixture
def guarded(own_redis: LocalRedis) -> Iterator[TlsProxy]:
    """TLS in front of a Redis that has the documented users."""
    make_redis_users(own_redis, NAMES.namespace)
    proxy = TlsProxy(own_redis.port)
    yield proxy
    proxy.close()


@pytest.fixture(params=["over TLS", "a cluster"])
def access(request: pytest.FixtureRequest) -> dict[str, RedisAccess]:
    """How each documented user reaches Redis."""
    users = ("segue-worker", "segue-consumer", "segue-operator", "segue-planner")
    if request.param == "over TLS":
        proxy: TlsProxy = request.getfixturevalue("guarded")
        return {user: RedisAccess.at(address(user, proxy.port), FILES) for user in users}
    cluster: LocalCluster = request.getfixturevalue("own_cluster")
    for server in cluster.servers:
        make_redis_users(server, NAMES.namespace)
    port = cluster.servers[0].port
    return {user: RedisAccess.at(address(user, port, "redis+cluster")) for user in users}


@story
async def test_the_rights_of_the_worker_suffice_for_all_that_it_does(access: dict[str, RedisAccess]) -> None:
    connection = RedisConnection(access["segue-worker"])
    store = RedisStateStore(connection, NAMES)
    await connection.check()
    await store.check_rights(8)
    builds, generations = RedisBuildStore(connection, NAMES), RedisGenerationStore(connection, NAMES, store)
    world = World(store, builds, generations, dict, names=NAMES, bounds=BOUNDS)
    await drive(world, changing_log(51, 200), 1)
    assert len(told(world.published())) > 5
    await builds.begin(0, "0" * 64, owner=None)
    await builds.begin(0, "1" * 64, owner=FENCE)
    await store.start_over(0, FENCE, 2)
    await connection.close()


@story
async def test_the_rights_of_the_planner_suffice_to_build_and_to_compare(access: dict[str, RedisAccess]) -> None:
    records = changing_log(2, 100)
    worker, planner = RedisConnection(access["segue-worker"]), RedisConnection(access["segue-planner"])
    store, theirs = RedisStateStore(worker, NAMES), RedisStateStore(planner, NAMES)
    builds, generations = RedisBuildStore(worker, NAMES), RedisGenerationStore(worker, NAMES, store)
    await drive(World(store, builds, generations, dict, names=NAMES, bounds=BOUNDS), records, 1)
    await planner.check()
    ours, beside = RedisBuildStore(planner, NAMES), RedisGenerationStore(planner, NAMES, theirs)
    meta = await beside.serving(0)
    assert meta is not None
    assert meta.definitions is not None
    builder = Builder(0, ours, parse_canonical(meta.definitions), topic="tracking", partitions=1)
    build = await builder.begin(owner=None)
    await builder.apply(records)
    keys = await beside.built_keys(0, build.generation, 0)
    assert None not in await beside.states(0, build.generation, keys)
    members = [await beside.members(0, build.generation, segment) for segment in meta.sizes]
    assert any(members)
    filled = await read_filled(planner, NAMES, 0)
    assert filled.used > 0
    if not access["segue-planner"].is_cluster:
        client = server_client(access["segue-planner"])
        assert read_room(client, NAMES, {0: meta.generation}).serving > 0
        client.close()
    assert await ours.give_up(0)
    await worker.close()
    await planner.close()


@story
async def test_the_rights_of_the_operator_suffice_for_all_commands(access: dict[str, RedisAccess]) -> None:
    worker = RedisConnection(access["segue-worker"])
    await RedisStateStore(worker, NAMES).take(0, FENCE, LOG)
    await worker.close()
    inspector = StateInspector(access["segue-operator"], NAMES)
    assert inspector.partitions() == LOG.partitions
    state, progress = inspector.state(0, 0), inspector.progress(0)
    assert state is not None
    assert progress is not None
    assert inspector.contact(0, "0" * 32).raw is None
    assert inspector.reset_fence(0) == FENCE
    assert inspector.raise_epoch(0) == 2
    inspector.close()


@story
async def test_the_rights_of_a_consumer_suffice_for_all_that_it_does(access: dict[str, RedisAccess]) -> None:
    async with open_redis(access["segue-consumer"], 5_000) as client:
        await client.ping()
        progress = RedisProgressStore(client, NAMES, "webhook")
        assert await progress.save(0, Progress(1, 2, 3), [5, 6]) == Progress(1, 2, 3)
        assert (await progress.load(0)).ahead == {5, 6}
        await progress.reset(0, Progress(1, 1, 1))
        letters = DeadLetters(client, NAMES, "webhook", 2)
        assert await letters.push(letter(1)) == 1
        assert await letters.count() == len(await letters.all()) == await letters.remove(["t1"]) == 1
        state = EndpointState(client, NAMES, "webhook", "https://hooks.example")
        await state.disable("2026-11-21T10:00:00.000Z")
        assert await state.disabled_at() is not None
        await state.enable()


@story
async def test_nobody_may_touch_what_is_anothers(access: dict[str, RedisAccess]) -> None:
    attempts: list[tuple[str, Sequence[Any]]] = [
        ("segue-worker", ("HGETALL", "other:{tracking-0}:meta")),
        ("segue-worker", ("HGETALL", NAMES.key(0, "consumer", "webhook"))),
        ("segue-worker", ("FLUSHALL", NAMES.key(0, "meta"))),
        ("segue-operator", ("XTRIM", NAMES.key(0, "g1", "outbox"), "MINID", "5-0")),
        ("segue-operator", ("MSET", NAMES.key(0, "g1", "contact", "x"), "y")),
        ("segue-consumer", ("HGETALL", NAMES.key(0, "meta"))),
        ("segue-consumer", ("HSET", NAMES.key(0, "meta"), "offset", "0")),
    ]
    for user, command in attempts:
        connection = RedisConnection(access[user])
        with pytest.raises(AccessError, match=r"the rights of the user \(ops/security.md\)"):
            await connection.call(*command)
        await connection.close()


@story
async def test_a_right_that_is_missing_is_told_before_anything_is_written(own_redis: LocalRedis) -> None:
    make_redis_users(own_redis, NAMES.namespace)
    client: Any = own_redis.client()
    for right in ("mset", "xadd", "zadd", "hincrby", "xtrim", "scan", "zrangebyscore", "rpush", "lrange", "rename"):
        client.execute_command("ACL", "SETUSER", "segue-worker", f"-{right}")
        connection = RedisConnection(RedisAccess.at(address("segue-worker", own_redis.port, "redis")))
        with pytest.raises(AccessError):
            await RedisStateStore(connection, NAMES).check_rights(4)
        await connection.close()
        client.execute_command("ACL", "SETUSER", "segue-worker", f"+{right}")
    connection = RedisConnection(RedisAccess.at(address("segue-worker", own_redis.port, "redis")))
    await RedisStateStore(connection, NAMES).check_rights(4)
    await connection.close()
    keys = [NAMES.key(0, "meta"), NAMES.key(0, "g*")]  # as they were documented before there were builds
    client.execute_command("ACL", "SETUSER", "segue-worker", "resetkeys", *(f"~{key}" for key in keys))
    connection = RedisConnection(RedisAccess.at(address("segue-worker", own_redis.port, "redis")))
    with pytest.raises(AccessError):
        await RedisStateStore(connection, NAMES).check_rights(1)
    await connection.close()
    assert client.dbsize() == 0
    assert redis_contents(own_redis.url, NAMES) == {}
    client.close()


REFUSALS = {
    "a wrong password": (address("segue-worker", 0).replace(PASSWORD, "s3cret-but-wrong"), FILES, "refuses us"),
    "an unknown user": (address("somebody", 0), FILES, "refuses us"),
    "a foreign authority": (address("segue-worker", 0), TlsFiles(TLS / "other_authority.pem"), "verify failed"),
    "another name": (address("segue-worker", 0).replace("127.0.0.1", "localhost"), FILES, "verify failed"),
}


@pytest.mark.parametrize(("url", "files", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_who_is_refused_is_told_why_and_no_secret_is_shown(
    guarded: TlsProxy, url: str, files: TlsFiles, reason: str
) -> None:
    access = RedisAccess.at(url.replace(":0/0", f":{guarded.port}/0"), files)

    async def worker() -> None:
        connection = RedisConnection(access, timeout_ms=2_000)
        try:
            await connection.check()
        finally:
            await connection.close()

    async def consumer() -> None:
        async with open_redis(access, 2_000) as client:
            await RedisProgressStore(client, NAMES, "webhook").load(0)

    def command() -> None:
        inspector = StateInspector(access, NAMES, timeout_ms=2_000)
        try:
            inspector.progress(0)
        finally:
            inspector.close()

    attempts: list[Callable[[], None]] = [lambda: asyncio.run(worker()), lambda: asyncio.run(consumer()), command]
    for attempt in attempts:
        with pytest.raises(AccessError, match=reason) as refused:
            attempt()
        assert "SEGUE_REDIS_URL" in str(refused.value)
        assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(access)


def test_a_redis_that_wants_a_certificate_is_shown_ours(own_redis: LocalRedis) -> None:
    make_redis_users(own_redis, NAMES.namespace)
    proxy = TlsProxy(own_redis.port, wants_certificate=True)
    shown = TlsFiles(AUTHORITY, TLS / "client.pem")
    inspector = StateInspector(RedisAccess.at(address("segue-operator", proxy.port), shown), NAMES)
    assert inspector.progress(0) is None
    inspector.close()
    nameless = StateInspector(RedisAccess.at(address("segue-operator", proxy.port), FILES), NAMES)
    with pytest.raises((AccessError, UnavailableError)):  # by TLS 1.3 the line may be closed without a word
        nameless.progress(0)
    nameless.close()
    proxy.close()
