"""`segue contact`, `status`, `fence` and `epoch`: what an operator sees of the state, and how it is mended."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from schemas.instants import format_instant
from schemas.topics import partition_of
from streams.ports import CursorMismatchError, Fence, FenceLostError, RawRecord
from tests.conftest import Kafka
from tests.engine.conftest import Run
from tests.engine.stories import HOUR, MINUTE, LogWriter, story
from tests.engine.test_relay import seqs
from tests.engine.world import FENCE, World, world_on_redis
from tests.support.run_directory import free_port

PARTITIONS = 2
OURS = [name for n in range(40) if partition_of(name := f"c{n}", PARTITIONS) == 0]


@pytest.fixture(params=["one server", "cluster"])
def redis_url(request: pytest.FixtureRequest, redis_url: str) -> str:
    """Every test of this module runs on one server and on a cluster."""
    return redis_url if request.param == "one server" else str(request.getfixturevalue("cluster_url"))


def log() -> LogWriter:
    """One contact with a score, a trait, and memberships past and present; one that was erased."""
    writer = LogWriter()
    writer.track("email_open", OURS[0], after_ms=MINUTE)
    writer.track("email_open", OURS[0], after_ms=MINUTE)
    writer.track("cart_add", OURS[0], after_ms=MINUTE)
    writer.record("identify", OURS[0], after_ms=MINUTE, traits={"plan": "paid", "unasked": 1})
    writer.track("cart_add", OURS[1], after_ms=MINUTE)
    writer.record("erase", OURS[1], after_ms=MINUTE)
    writer.tick(5 * MINUTE)
    return writer


def fold(redis_url: str, namespace: str, records: list[RawRecord], fence: Fence = FENCE, partition: int = 0) -> None:
    """Fold a log into one partition of two."""

    async def whole() -> None:
        async with world_on_redis(redis_url, namespace) as world:
            world.partitions = PARTITIONS
            await world.fold([records], fence, partition)

    asyncio.run(whole())


def test_contact_tells_traits_scores_and_memberships(run: Run, redis_url: str, namespace: str) -> None:
    writer = log()
    fold(redis_url, namespace, writer.records)
    result = run("contact", OURS[0], "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    at = {number: format_instant(record.timestamp_ms) for number, record in enumerate(writer.records)}
    assert (found["contact_id"], found["partition"], found["now"]) == (OURS[0], 0, at[7])
    assert (found["exists"], found["known_since"], found["erased_up_to"]) == (True, at[1], None)
    assert found["traits"] == {"plan": {"value": "paid", "set_at": at[4]}}
    # Two times 5 and once 20, each halved every ten minutes.
    expected = 5 * 2**-1.0 + 5 * 2**-0.9 + 20 * 2**-0.8
    assert found["scores"]["engagement"]["reading"] == pytest.approx(expected, abs=0.001)
    assert found["scores"]["engagement"]["tier"] == "warm"
    segments = {row["segment"]: row for row in found["segments"]}
    assert set(segments) >= {"active", "abandoned", "warm_and_paying"}
    assert segments["abandoned"]["member"]
    assert segments["abandoned"]["since"] == format_instant(writer.records[3].timestamp_ms + 3 * MINUTE)
    assert segments["abandoned"]["until"] == format_instant(writer.records[3].timestamp_ms + 2 * HOUR)
    assert not segments["active"]["member"]
    assert segments["active"]["since"] == format_instant(writer.records[1].timestamp_ms + 5 * MINUTE)
    assert segments["active"]["until"] is None
    assert segments["warm_and_paying"]["member"]
    assert found["next_due"] is not None


def test_contact_is_readable_by_people(run: Run, redis_url: str, namespace: str) -> None:
    fold(redis_url, namespace, log().records)
    result = run("contact", OURS[0])
    assert result.exit_code == 0
    for word in (OURS[0], "plan", '"paid"', "engagement", "warm", "abandoned", "yes", "next due"):
        assert word in result.stdout


def test_a_contact_that_was_erased_or_never_seen_is_not_known(run: Run, redis_url: str, namespace: str) -> None:
    fold(redis_url, namespace, log().records)
    for contact_id, word in ((OURS[1], "erased"), (OURS[5], "not known")):
        result = run("contact", contact_id, "--json")
        assert result.exit_code == 1
        assert word in str(result.exception)
        found = json.loads(result.stdout)
        assert (found["exists"], found["scores"], found["segments"], found["traits"]) == (False, {}, [], {})


@pytest.mark.parametrize("contact_id", ["[/]x", "mail[red]x", "[bold]", "a\x1b[31mb"])
def test_ids_and_values_in_brackets_are_shown_as_they_are(
    run: Run, redis_url: str, namespace: str, contact_id: str
) -> None:
    writer = LogWriter()
    writer.record("identify", contact_id, after_ms=MINUTE, traits={"plan": "[/]x [red]y"})
    fold(redis_url, namespace, writer.records, partition=partition_of(contact_id, PARTITIONS))
    result = run("contact", contact_id, COLUMNS="20")
    assert result.exit_code == 0, result.output
    head, *_, plan = result.stdout.splitlines()[:4]
    shown = contact_id.replace("\x1b", "\\x1b")
    assert head.startswith(f"{shown} in partition {partition_of(contact_id, PARTITIONS)}, now ")
    assert plan.startswith('plan    "[/]x [red]y"  ')
    explained = run("explain", contact_id, "--quick")
    assert explained.exit_code == 0, explained.output
    assert explained.stdout.startswith(f"{shown} at ")
    assert "[/]x [red]y" in run("explain", contact_id, "warm_and_paying", "--quick").stdout


def test_a_contact_that_is_not_known_is_named_with_its_odd_characters_escaped(
    run: Run, redis_url: str, namespace: str
) -> None:
    for partition in range(PARTITIONS):
        fold(redis_url, namespace, log().records, partition=partition)
    assert "[/]y\\nz is not known" in str(run("explain", "[/]y\nz", "--quick").exception)
    assert run("contact", "[/]y\nz").stdout.startswith("[/]y\\nz in partition ")


@pytest.mark.parametrize("command", ["contact", "explain"])
@pytest.mark.parametrize("contact_id", ["", "x" * 257, "half \udcff"])
def test_what_is_no_contact_id_is_refused_before_anything_is_asked(run: Run, command: str, contact_id: str) -> None:
    result = run(command, contact_id)
    assert result.exit_code == 1
    assert str(result.exception).startswith("contact id: expected 1 to 256 characters in UTF-8, found '")


def test_contact_without_any_state_says_what_is_missing(run: Run, namespace: str) -> None:
    result = run("contact", "c1")
    assert result.exit_code == 1
    assert f"holds no state of a worker for namespace '{namespace}'" in str(result.exception)
    assert "SEGUE_NAMESPACE" in str(result.exception)


def test_a_contact_is_shown_where_only_its_own_partition_is_folded(run: Run, redis_url: str, namespace: str) -> None:
    contact_id, other = OURS[0], next(name for n in range(40) if partition_of(name := f"c{n}", PARTITIONS) == 1)
    writer = LogWriter()
    writer.track("cart_add", other, after_ms=MINUTE)
    fold(redis_url, namespace, writer.records, partition=1)
    assert run("contact", other).exit_code == 0
    assert run("explain", other, "--quick").exit_code == 0
    for arguments in (("contact", contact_id), ("explain", contact_id, "--quick")):
        result = run(*arguments)
        assert getattr(result.exception, "exit_code", None) == 75
        assert str(result.exception).startswith("no worker has folded partition 0 into this Redis yet: start ")


@pytest.mark.parametrize("arguments", [("contact", "c1"), ("fence", "reset", "--yes"), ("epoch", "raise", "--yes")])
def test_a_missing_redis_is_said_in_one_sentence(run: Run, arguments: tuple[str, ...]) -> None:
    port = free_port()
    result = run(*arguments, SEGUE_REDIS_URL=f"redis://:hidden@127.0.0.1:{port}/0")
    assert getattr(result.exception, "exit_code", None) == 75
    assert f"127.0.0.1:{port} is away" in str(result.exception)
    assert "hidden" not in str(result.exception)


def test_status_without_kafka_is_said_in_one_sentence(run: Run) -> None:
    result = run("status")
    assert getattr(result.exception, "exit_code", None) == 75
    assert "Kafka at 127.0.0.1:" in str(result.exception)


def test_status_tells_how_far_each_partition_is(run: Run, kafka: Kafka, redis_url: str, namespace: str) -> None:
    broker = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    assert run("topics", "create", "--partitions", "2", "--timestamps", "create", **broker).exit_code == 0
    writer = log()
    fold(redis_url, namespace, writer.records, Fence(7, "worker-a"))
    result = run("status", "--json", **broker)
    assert result.exit_code == 0, result.output
    status = json.loads(result.stdout)
    first, second = status["partitions"]
    assert (first["log_start"], first["log_end"], first["next_offset"], first["lag"]) == (0, 0, 8, 0)
    assert first["clock"] == format_instant(writer.now_ms)
    assert first["last_owner"] == {"generation": 7, "member": "worker-a"}
    assert (first["epoch"], first["outbox_entries"]) == (1, 0)
    assert first["timers"] == first["timers_due"] == 2
    assert second["last_owner"] is None
    assert status["segments"] == {"active": 0, "abandoned": 1, "hot": 0, "warm_and_paying": 1}
    assert status["definitions"]["number"] == 1
    shown = run("status", **broker).stdout
    for word in ("last owner", "worker-a (generation 7)", "nobody", "warm_and_paying", format_instant(writer.now_ms)):
        assert word in shown
    assert run("status", COLUMNS="40", **broker).stdout == shown, "where nobody looks, nothing is cut or wrapped"


def test_status_without_topics_says_how_to_make_them(run: Run, kafka: Kafka) -> None:
    result = run("status", SEGUE_KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers)
    assert getattr(result.exception, "exit_code", None) == 75
    assert "segue topics create" in str(result.exception)


def test_status_before_any_worker_ran_shows_an_empty_state(run: Run, kafka: Kafka) -> None:
    broker = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    assert run("topics", "create", "--partitions", "1", **broker).exit_code == 0
    status = json.loads(run("status", "--json", **broker).stdout)
    assert status["partitions"][0]["next_offset"] == 0
    assert (status["segments"], status["definitions"]) == ({}, None)
    assert run("status", **broker).stdout.splitlines()[-1] == "no worker has taken definitions yet"


def test_a_group_whose_generations_began_again_is_let_in_by_a_reset(run: Run, redis_url: str, namespace: str) -> None:
    records = log().records
    fold(redis_url, namespace, records[:4], Fence(12, "old"))
    with pytest.raises(FenceLostError, match="segue fence reset"):
        fold(redis_url, namespace, records, Fence(1, "new"))
    assert run("fence", "reset").exit_code == 1  # nobody confirmed
    with pytest.raises(FenceLostError):
        fold(redis_url, namespace, records, Fence(1, "new"))
    result = run("fence", "reset", "--yes")
    assert result.exit_code == 0
    assert "partition 0: was generation 12, is free now" in result.stdout
    assert "partition 1: nothing is stored" in result.stdout
    fold(redis_url, namespace, records, Fence(1, "new"))
    assert json.loads(run("contact", OURS[0], "--json").stdout)["exists"]


@story
async def test_raising_the_epoch_folds_and_publishes_anew_also_under_a_running_worker(
    run: Run, redis_url: str, namespace: str
) -> None:
    records = log().records
    async with world_on_redis(redis_url, namespace) as world:
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        await pipeline.apply(records[:5])
        state = await _raised(run, world)
        assert state["0"]["contacts"] == {}
        with pytest.raises(CursorMismatchError):
            await pipeline.apply(records[5:])
        assert await pipeline.load(FENCE) == 0
        await pipeline.apply(records)
        await pipeline.close()
        await world.fold([])
        epochs = [dict(message.headers)["epoch"] for message in world.published()]
        first = epochs.count(b"1")
        assert epochs == [b"1"] * first + [b"2"] * (len(epochs) - first)
        assert first > 1
        assert seqs(world.published()[first:]) == list(range(1, len(epochs) - first + 1))
        assert [one.value for one in world.published()[:first]] == [
            one.value for one in world.published()[first : 2 * first]
        ]


async def _raised(run: Run, world: World) -> dict[str, Any]:
    result = await asyncio.to_thread(run, "epoch", "raise", "--partition", "0", "--yes")
    assert result.exit_code == 0, result.output
    assert "partition 0: epoch 2" in result.stdout
    return world.contents()


def test_help_has_examples(run: Run) -> None:
    for arguments in (["contact"], ["status"], ["fence", "reset"], ["epoch", "raise"]):
        assert "Examples:" in run(*arguments, "--help").stdout
