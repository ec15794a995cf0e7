"""Progress and dead letters in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.progress_store import RedisProgressStore
from consumers.redis_client import AnyRedis, open_redis
from consumers.webhook.dead_letters import DeadLetter, DeadLetters
from consumers.webhook.endpoint_state import EndpointState
from consumers.window import Progress
from schemas.errors import InputError, UnavailableError
from schemas.redis_access import RedisAccess
from schemas.topics import Names
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import free_port

Story = Callable[[AnyRedis, Names], Awaitable[None]]


@pytest.fixture(params=["one server", "cluster"])
def redis_url(request: pytest.FixtureRequest, redis_url: str) -> str:
    """Every test of this module runs on one server and on a cluster."""
    return redis_url if request.param == "one server" else str(request.getfixturevalue("cluster_url"))


def run(redis_url: str, namespace: str, story: Story) -> None:
    async def started() -> None:
        async with open_redis(RedisAccess.at(redis_url), 5_000) as client:
            await story(client, Names(namespace))

    asyncio.run(started())


LETTER = DeadLetter(
    transition_id="t0",
    partition=0,
    offset=0,
    epoch=1,
    seq=0,
    reason="rejected",
    status=400,
    detail="",
    endpoint="https://hooks.example",
    dead_at="2026-11-21T10:00:00.000Z",
    value=b"\xff\x00",
)


def letter(number: int, **changes: object) -> DeadLetter:
    return msgspec.structs.replace(LETTER, transition_id=f"t{number}", offset=number, seq=number, **changes)


SAVE = st.tuples(
    st.builds(Progress, *[st.integers(min_value=0, max_value=3)] * 3),
    st.lists(st.integers(min_value=0, max_value=5), max_size=3),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(saves=st.lists(SAVE, max_size=12))
def test_progress_only_ever_moves_forward(
    redis_url: str, namespace: str, saves: list[tuple[Progress, list[int]]]
) -> None:
    async def story(client: AnyRedis, names: Names) -> None:
        store = RedisProgressStore(client, names, "webhook")
        await store.reset(0, Progress(0, 0, 0))
        expected = Progress(0, 0, 0)
        ahead: set[int] = set()
        for progress, offsets in saves:
            expected = max(expected, progress)
            ahead = {offset for offset in ahead | set(offsets) if offset >= expected.offset}
            assert await store.save(0, progress, offsets) == expected
            assert await store.load(0) == (expected, frozenset(ahead))

    run(redis_url, namespace, story)


def test_large_numbers_are_compared_as_numbers(redis_url: str, namespace: str) -> None:
    async def story(client: AnyRedis, names: Names) -> None:
        store = RedisProgressStore(client, names, "webhook")
        large = Progress(1, 9_007_199_254_740_000, 9_007_199_254_740_001)
        await store.save(0, Progress(1, 999, 999), [])
        assert await store.save(0, large, [large.offset + 5]) == large
        assert await store.save(0, Progress(1, 10_000, 10_000), []) == large
        assert await store.load(0) == (large, frozenset({large.offset + 5}))

    run(redis_url, namespace, story)


def test_partitions_and_consumers_keep_their_own_progress(redis_url: str, namespace: str) -> None:
    async def story(client: AnyRedis, names: Names) -> None:
        await RedisProgressStore(client, names, "webhook").save(1, Progress(1, 5, 5), [])
        assert (await RedisProgressStore(client, names, "webhook").load(2)).progress is None
        assert (await RedisProgressStore(client, names, "webhook-crm").load(1)).progress is None

    run(redis_url, namespace, story)


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
def test_a_redis_that_is_away_is_unavailable(scheme: str) -> None:
    address = f"{scheme}://127.0.0.1:{free_port()}"

    async def story() -> None:
        async with open_redis(RedisAccess.at(address), 1_000) as client:
            store = RedisProgressStore(client, Names(""), "webhook")
            with pytest.raises(UnavailableError):
                await store.load(0)
            with pytest.raises(UnavailableError):
                await store.save(0, Progress(1, 1, 1), [])

    asyncio.run(story())


def test_an_address_that_says_another_kind_of_redis_is_refused(redis_url: str, namespace: str) -> None:
    if "+cluster" in redis_url:
        wrong, reason = redis_url.replace("redis+cluster", "redis").split(",")[0], "belongs to a cluster"
    else:
        wrong, reason = redis_url.replace("redis://", "redis+cluster://"), "is no cluster"

    async def story(client: AnyRedis, names: Names) -> None:
        store = RedisProgressStore(client, names, "webhook")
        with pytest.raises(InputError, match=f"Redis {reason}: expected SEGUE_REDIS_URL to begin with"):
            await asyncio.gather(*(store.load(partition) for partition in range(30)))  # some the server may hold

    run(wrong, namespace, story)


def test_a_full_redis_is_unavailable_also_where_a_script_meets_it(own_redis: LocalRedis) -> None:
    async def story(client: AnyRedis, names: Names) -> None:
        store = RedisProgressStore(client, names, "webhook")
        await client.config_set("maxmemory", 1)
        with pytest.raises(UnavailableError, match="OOM"):
            await store.save(0, Progress(1, 5, 5), [])
        await client.config_set("maxmemory", 0)
        assert await store.save(0, Progress(1, 5, 5), []) == Progress(1, 5, 5)

    run(own_redis.url, "", story)


def test_dead_letters_are_listed_oldest_first_and_one_twice_is_one(redis_url: str, namespace: str) -> None:
    async def story(client: AnyRedis, names: Names) -> None:
        letters = DeadLetters(client, names, "webhook", 10)
        late = letter(1, dead_at="2026-11-22T00:00:00.000Z")
        for each in (late, letter(3), letter(2), letter(3, status=404)):
            await letters.push(each)
        assert await letters.all() == [letter(2), letter(3, status=404), late]
        assert await letters.count() == 3
        assert await letters.choose(["t1", "t2"]) == [letter(2), late]
        with pytest.raises(InputError, match="t9"):
            await letters.choose(["t1", "t9"])
        assert await letters.remove(["t1", "t9"]) == 1
        assert await letters.remove([]) == 0
        assert await letters.count() == 2

    run(redis_url, namespace, story)


def test_a_full_list_takes_no_more_but_what_is_in_it(redis_url: str, namespace: str) -> None:
    async def story(client: AnyRedis, names: Names) -> None:
        letters = DeadLetters(client, names, "webhook", 2)
        assert await letters.push(letter(1)) == 1
        assert await letters.push(letter(2)) == 2
        with pytest.raises(InputError, match=r"full \(2 deliveries\).*nothing was skipped"):
            await letters.push(letter(3))
        assert await letters.push(letter(2, status=409)) == 2
        assert await letters.all() == [letter(1), letter(2, status=409)]

    run(redis_url, namespace, story)


def test_another_url_is_another_endpoint_and_no_url_is_stored(redis_url: str, namespace: str) -> None:
    async def story(client: AnyRedis, names: Names) -> None:
        state = EndpointState(client, names, "webhook", "https://hooks.example/t0p")
        await state.disable("2026-11-21T10:00:00.000Z")
        assert await state.disabled_at() == "2026-11-21T10:00:00.000Z"
        assert await EndpointState(client, names, "webhook", "https://new.example/").disabled_at() is None
        stored = [await client.hgetall(key) async for key in client.scan_iter(f"{names.namespace}:*")]
        assert "t0p" not in str(stored)
        await state.enable()
        assert await state.disabled_at() is None

    run(redis_url, namespace, story)
