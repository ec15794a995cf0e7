"""Workers and a consumer on a cluster: a master is killed, a slot moves, and none of it shows in what comes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Kafka
from tests.faults.auditing import audit
from tests.live import history
from tests.live.workers import Place
from tests.support.processes import Commands
from tests.support.redis_cluster import LocalCluster
from tests.support.waiting import wait_until

SMALL_STEPS = {"SEGUE_BATCH_RECORDS_MAX": "30", "SEGUE_TIMERS_PER_COMMIT_MAX": "7"}


@pytest.fixture
def apart(commands: Commands, kafka: Kafka, own_cluster: LocalCluster, namespace: str, tmp_path: Path) -> Place:
    """A place on a cluster of the test's own."""
    commands.environment["SEGUE_REDIS_URL"] = own_cluster.url
    return Place(commands, kafka.bootstrap_servers, own_cluster.url, namespace, tmp_path)


def test_a_master_that_is_killed_and_a_slot_that_moves_change_nothing_that_comes_out(
    apart: Place, own_cluster: LocalCluster, kafka: Kafka, tmp_path: Path
) -> None:
    first, second = _halves(tmp_path, records=6_000)
    apart.prepare("create")
    apart.command("load", str(first), "--timestamps", "received")
    total = sum(apart.log_ends().values())
    workers = [apart.worker(**SMALL_STEPS), apart.worker(**SMALL_STEPS)]
    consumer = apart.commands.start("consumer", "log", "--from", "beginning")

    wait_until(lambda: apart.folded() > total // 10, 120, "a tenth of the first half folded")
    died = own_cluster.holder(apart.names.key(0, "meta"))
    assert apart.offsets()[0] < apart.log_ends()[0], "it dies amid the work"
    died.kill()
    survivor = next(server for server in own_cluster.servers if server is not died)
    wait_until(
        lambda: b"cluster_state:fail" in own_cluster.command(survivor, "CLUSTER", "INFO"), 20, "the death noticed"
    )
    died.start()
    own_cluster.wait_until_well()
    wait_until(lambda: apart.folded() == total, 120, "the first half folded")
    assert any(f"partition 0: Redis at 127.0.0.1:{died.port} is away" in worker.stderr for worker in workers)

    moving = apart.names.key(1, "meta")
    source = own_cluster.holder(moving)
    target = next(server for server in own_cluster.servers if server is not source)
    slot = own_cluster.begin_move(moving, target)
    apart.load_history(second)
    total = sum(apart.log_ends().values())
    wait_until(lambda: apart.folded() > 0.6 * total, 120, "partitions beside the one that moves going on")
    assert apart.offsets()[1] < apart.log_ends()[1], "it moves amid the work"
    while own_cluster.move_keys(slot, source, target, 20):
        pass
    own_cluster.end_move(slot, target)

    apart.wait_until_folded(120)
    verdict = audit(kafka.bootstrap_servers, own_cluster.url, apart.names, apart.partitions, (), zombies=False)
    assert verdict.problems == []
    transitions = len({(each.partition, each.seq) for each in apart.output()})
    wait_until(lambda: len(consumer.stdout.splitlines()) >= transitions, 60, "all transitions at the consumer")
    assert len(consumer.stdout.splitlines()) == transitions > 100
    assert [running.terminate() for running in (*workers, consumer)] == [0, 0, 0]


def _halves(directory: Path, records: int) -> tuple[Path, Path]:
    """A history in two files, the second of which goes on where the first ends."""
    whole, halves = directory / "events.jsonl", (directory / "first.jsonl", directory / "second.jsonl")
    history.write(whole, records=records, contacts=records // 30, seed=11)
    lines = whole.read_text().splitlines(keepends=True)
    halves[0].write_text("".join(lines[: len(lines) // 2]))
    halves[1].write_text("".join(lines[len(lines) // 2 :]))
    return halves


def test_commands_find_what_they_ask_for_on_every_master(
    apart: Place, own_cluster: LocalCluster, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    history.write(events, records=300, contacts=30, seed=12)
    apart.prepare("create")
    apart.load_history(events)
    worker = apart.worker()
    apart.wait_until_folded()
    assert worker.terminate() == 0
    assert len({own_cluster.holder(apart.names.key(partition, "meta")).port for partition in range(4)}) > 1

    status = json.loads(apart.command("status", "--json").stdout)
    assert [row["lag"] for row in status["partitions"]] == [0] * apart.partitions
    assert all(row["transitions"] > 0 for row in status["partitions"])
    contact = json.loads(events.read_text().splitlines()[0])["contact_id"]
    assert json.loads(apart.command("contact", contact, "--json").stdout)["exists"]
    explained = json.loads(apart.command("explain", contact, "--json").stdout)
    assert explained["state_in_redis"] == "same"
    reset = apart.command("fence", "reset", "--yes").stdout
    assert reset.count("is free now") == apart.partitions
    raised = apart.command("epoch", "raise", "--yes").stdout
    assert raised.count("epoch 2, to be folded from record 0") == apart.partitions
