"""What `segue contact`, `status` and `epoch` say and do while definitions change, and after."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.instants import format_instant
from schemas.redis_access import RedisAccess
from schemas.topics import Names, partition_of
from streams.adapters.redis.inspect import StateInspector
from streams.segmentation import SEMANTICS_VERSION, compile_definitions, contact_key
from tests.conftest import Kafka
from tests.engine.conftest import Run
from tests.engine.interrupted import build, fold_until_told, fold_without_tidying
from tests.engine.stories import DEFINITIONS, EVER, OFTEN, LogWriter, definitions_value, edited, story
from tests.engine.world import FENCE, world_on_redis
from tests.support.redis_cluster import clients_of
from tests.support.waiting import wait_until

PARTITIONS = 2
FIRST, MIDDLE, LAST = sorted([name for n in range(40) if partition_of(name := f"c{n}", PARTITIONS) == 0][:3])
CHANGED = edited(active=OFTEN, ever=EVER, hot=None)
HASH = compile_definitions(CHANGED).hash


@pytest.fixture(params=["one server", "cluster"])
def redis_url(request: pytest.FixtureRequest, redis_url: str) -> str:
    """Every test of this module runs on one server and on a cluster."""
    return redis_url if request.param == "one server" else str(request.getfixturevalue("cluster_url"))


def log() -> LogWriter:
    """Three contacts whom a change tells something; the last one was in a segment that goes."""
    writer = LogWriter()
    for contact in (LAST, FIRST, MIDDLE):
        writer.track("email_open", contact, after_ms=1)
        writer.track("email_open", contact, after_ms=1)
    writer.track("cart_add", LAST, after_ms=1)
    writer.append(None, definitions_value(CHANGED, number=2), after_ms=1)
    return writer


def contact_of(run: Run, contact_id: str) -> dict[str, Any]:
    result = run("contact", contact_id, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def status_of(run: Run, kafka: Kafka) -> tuple[dict[str, Any], str]:
    """What `segue status` says, as JSON and to people."""
    broker = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    run("topics", "create", "--partitions", str(PARTITIONS), "--timestamps", "create", **broker)
    wait_until(lambda: run("status", **broker).exit_code == 0, 30, "the topics known to whom is asked")
    told = run("status", "--json", **broker)
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout), run("status", **broker).stdout


@story
async def test_a_contact_is_shown_as_the_change_tells_of_it_also_before_it_has_done_so(
    run: Run, redis_url: str, namespace: str
) -> None:
    writer = log()
    async with world_on_redis(redis_url, namespace) as world:
        world.partitions = PARTITIONS
        await fold_until_told(world, writer.records, 1)
        amid = {contact: await asyncio.to_thread(contact_of, run, contact) for contact in (FIRST, MIDDLE, LAST)}
        quick = await asyncio.to_thread(run, "explain", LAST, "active", "--quick", "--json")
        await world.fold([writer.records])
        after = {contact: await asyncio.to_thread(contact_of, run, contact) for contact in (FIRST, MIDDLE, LAST)}
    assert amid == after
    change = format_instant(writer.now_ms)
    segments = {row["segment"]: row for row in amid[LAST]["segments"]}
    assert (segments["active"]["member"], segments["active"]["sequence"]) == (False, 2)
    assert segments["active"]["since"] == change
    assert segments["ever"]["since"] == format_instant(writer.now_ms - 1), "since its history says so"
    assert (segments["ever"]["member"], segments["ever"]["sequence"]) == (True, 1)
    assert amid[LAST]["retired"] == [{"segment": "hot", "since": change, "sequence": 2}]
    explained = json.loads(quick.stdout)["segments"][0]
    assert (explained["member"], explained["sequence"], explained["since"]["at"]) == (False, 2, change)


@story
async def test_a_segment_that_is_no_more_is_named_with_what_the_contact_had_there(
    run: Run, redis_url: str, namespace: str
) -> None:
    async with world_on_redis(redis_url, namespace) as world:
        world.partitions = PARTITIONS
        await world.fold([log().records])
    shown = await asyncio.to_thread(run, "contact", LAST)
    assert "left for good: segment hot, 2 transitions" in shown.stdout
    assert "left for good" not in (await asyncio.to_thread(run, "contact", FIRST)).stdout


@story
async def test_status_shows_what_is_built_and_how_far_it_has_come(
    run: Run, kafka: Kafka, redis_url: str, namespace: str
) -> None:
    records = log().records
    async with world_on_redis(redis_url, namespace) as world:
        world.partitions = PARTITIONS
        await world.fold([records[:-1]])
        before, _ = await asyncio.to_thread(status_of, run, kafka)
        assert before["partitions"][0]["build"] is None
        await build(world, CHANGED, records[:4])
        status, shown = await asyncio.to_thread(status_of, run, kafka)
        assert status["partitions"][0]["build"] == {
            "definitions_hash": HASH,
            "semantics": SEMANTICS_VERSION,
            "upgrade": False,
            "next_offset": 4,
            "by_worker": False,
        }
        assert status["partitions"][1]["build"] is None
        words = f"partition 0: somebody builds, or has begun to, the state for definitions of hash {HASH[:12]}, 4 of "
        assert words in shown
        await world.builds.begin(0, HASH, owner=FENCE)
        status, shown = await asyncio.to_thread(status_of, run, kafka)
        assert status["partitions"][0]["build"]["by_worker"]
        assert "partition 0: the worker builds the state" in shown


@story
async def test_status_shows_a_change_that_is_told_and_a_state_that_is_removed(
    run: Run, kafka: Kafka, redis_url: str, namespace: str
) -> None:
    records = log().records
    async with world_on_redis(redis_url, namespace) as world:
        world.partitions = PARTITIONS
        await fold_until_told(world, records, 2)
        status, shown = await asyncio.to_thread(status_of, run, kafka)
        row = status["partitions"][0]
        assert (row["definitions_number"], row["telling"], row["removing"]) == (2, {"contacts_told": 2}, False)
        assert row["build"] is None
        assert "partition 0: tells what definitions 2 change, 2 contacts so far" in shown
        assert status["definitions"] == {"number": 2, "hash": HASH}
        assert f"definitions 2, hash {HASH}" in shown
        await fold_without_tidying(world, records)
        status, shown = await asyncio.to_thread(status_of, run, kafka)
        assert (status["partitions"][0]["telling"], status["partitions"][0]["removing"]) == (None, True)
        assert "partition 0: removes the state from before definitions 2" in shown
        await world.fold([records])
        status, shown = await asyncio.to_thread(status_of, run, kafka)
        assert not status["partitions"][0]["removing"]
        assert "partition 0:" not in shown


@story
async def test_status_names_partitions_that_still_hold_earlier_definitions(
    run: Run, kafka: Kafka, redis_url: str, namespace: str
) -> None:
    records = log().records
    async with world_on_redis(redis_url, namespace) as world:
        world.partitions = PARTITIONS
        await world.fold([records])
        await world.fold([records[:1]], partition=1)
    _, shown = await asyncio.to_thread(status_of, run, kafka)
    assert f"definitions 2, hash {HASH}; still 1 in partition 1" in shown


@story
async def test_raising_the_epoch_gives_up_what_is_built(run: Run, redis_url: str, namespace: str) -> None:
    records = log().records
    async with world_on_redis(redis_url, namespace) as world:
        world.partitions = PARTITIONS
        await world.fold([records[:-1]])
        builder = await build(world, CHANGED, records[:4])
        raised = await asyncio.to_thread(run, "epoch", "raise", "--partition", "0", "--yes")
        assert raised.exit_code == 0, raised.output
        assert world.contents()["0"]["contacts"] == {}, "nothing is left of the state, nor of the build"
        again = await world.builds.begin(0, HASH, owner=None)
        assert builder.build is not None
        assert again.generation > builder.build.generation + 1
        assert again.cursor == (0, 0)


@pytest.mark.parametrize(("number", "refused"), [(2, True), (3, False), (4, False), (5, False), (6, True)])
def test_a_contact_of_the_format_before_is_shown(
    run: Run, redis_url: str, namespace: str, number: int, refused: bool
) -> None:
    async def fold() -> None:
        async with world_on_redis(redis_url, namespace) as world:
            world.partitions = PARTITIONS
            await world.fold([log().records[:-1]])

    asyncio.run(fold())
    meta = Names(namespace).key(0, "meta")
    with clients_of(redis_url) as clients:
        holders = [client for client in clients if any(True for _ in client.scan_iter(match=meta, count=1000))]
        holders[0].hset(meta, "format", number)
        holders[0].hdel(meta, "versions")
    result = run("contact", FIRST, "--json")
    assert (result.exit_code != 0) == refused
    if refused:
        assert f"is of format {number}, this program knows" in str(result.exception)
    else:
        assert json.loads(result.stdout)["exists"]


class _Late:
    """A connection whose first answer is from before a change."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def hmget(self, *_arguments: Any) -> list[bytes | None]:
        return [b"1", None]

    def pipeline(self, **options: Any) -> Any:
        return self._client.pipeline(**options)


@story
async def test_a_state_that_comes_to_serve_while_it_is_looked_up_is_read_whole(
    redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world_on_redis(redis_url, namespace) as world:
        world.partitions = PARTITIONS
        await world.fold([log().records])
        contents = world.contents()["0"]
    inspector = StateInspector(RedisAccess.at(redis_url), Names(namespace))
    ask = inspector._redis.ask
    monkeypatch.setattr(inspector._redis, "ask", lambda key, question: ask(key, lambda one: question(_Late(one))))
    key = contact_key(FIRST)
    found = await asyncio.to_thread(inspector.contact, 0, key)
    assert found.raw == contents["contacts"][key]
    state = await asyncio.to_thread(inspector.state, 0, 0)
    assert state is not None
    assert state.sizes == contents["sizes"] != {}
    inspector.close()


@story
async def test_senders_warn_of_what_the_definitions_that_hold_do_not_ask_for(
    run: Run, kafka: Kafka, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    broker = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    (tmp_path / "d.json").write_text(json.dumps(DEFINITIONS, indent=1))
    create = ("topics", "create", "--partitions", str(PARTITIONS))
    assert (await asyncio.to_thread(run, *create, **broker)).exit_code == 0
    assert (await asyncio.to_thread(run, "apply", str(tmp_path / "d.json"), **broker)).exit_code == 0

    def warned(event: str) -> bool:
        sent = run("track", FIRST, event, "--dry-run", **broker)
        assert sent.exit_code == 0, sent.output
        return f"ask for no event '{event}'" in sent.stderr

    assert await asyncio.to_thread(warned, "survey_response")
    assert not await asyncio.to_thread(warned, "purchase")
    writer = LogWriter()
    surveyed = {"version": 1, "segments": {"asked": {"when": {"performed": {"event": "survey_response"}}}}}
    writer.append(None, definitions_value(surveyed, number=2), after_ms=1)
    async with world_on_redis(redis_url, namespace) as world:
        world.partitions = PARTITIONS
        await world.fold([writer.records])
    assert not await asyncio.to_thread(warned, "survey_response")
    assert await asyncio.to_thread(warned, "purchase")
