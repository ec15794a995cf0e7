"""`segue doctor` on a real Kafka and a real Redis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_UNAVAILABLE
from tests.conftest import Kafka
from tests.live.workers import Place
from tests.support.processes import Commands, StartedCommand
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import free_port
from tests.support.waiting import wait_until


@pytest.fixture
def place(commands: Commands, kafka: Kafka, own_redis: LocalRedis, namespace: str, tmp_path: Path) -> Place:
    """A place on a Redis of the test's own."""
    commands.environment["SEGUE_REDIS_URL"] = own_redis.url
    return Place(commands, kafka.bootstrap_servers, own_redis.url, namespace, tmp_path)


def told(outcome: StartedCommand) -> dict[str, tuple[str, str]]:
    """What it said about each thing: level and what was found."""
    found: list[dict[str, Any]] = json.loads(outcome.stdout)["findings"]
    return {finding["about"]: (finding["level"], finding["found"]) for finding in found}


def test_a_deployment_is_told_as_it_is_from_empty_to_running_to_stopped(place: Place, own_redis: LocalRedis) -> None:
    empty = place.commands.run("doctor", "--json")
    assert empty.returncode == EXIT_BAD_INPUT, empty.tail()
    assert told(empty)["topics"][0] == "error"

    place.prepare("append")
    worker = place.worker()
    place.wait_until_folded()
    place.command("snapshot", str(place.directory / "backup"))
    running = place.commands.run("doctor", "--json")
    assert running.returncode == EXIT_DONE, running.tail()
    findings = told(running)
    assert [about for about, (level, _) in findings.items() if level == "error"] == []
    for about in (
        "state and log",
        "lag",
        "workers",
        "snapshots",
        "clock of Redis",
        "clock of the broker",
        "memory of Redis",
    ):
        assert findings[about][0] == "ok", findings[about]
    assert findings["workers"][1] == f"1 members, {place.partitions} partitions"
    assert findings[f"replication of {place.names.tracking}"][0] == "warning", "one broker"

    assert worker.terminate() == 0
    wait_until(lambda: told(place.commands.run("doctor", "--json"))["workers"][0] == "error", 60, "no members seen")
    own_redis.client().config_set("maxmemory-policy", "allkeys-lru")
    broken = place.commands.run("doctor", "--quiet")
    assert broken.returncode == EXIT_BAD_INPUT
    assert "fix: CONFIG SET maxmemory-policy noeviction" in broken.stdout
    assert "ok " not in broken.stdout
    assert "2 errors" in broken.stdout.splitlines()[-1]


def test_all_that_is_away_is_named_and_the_exit_code_says_try_again(place: Place) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    away = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": nowhere, "SEGUE_REDIS_URL": f"redis://:secret@{nowhere}/0"}
    outcome = place.commands.run("doctor", environment=away)
    assert outcome.returncode == EXIT_UNAVAILABLE
    assert f"Redis at {nowhere} is away" in outcome.stderr
    assert f"Kafka at {nowhere} does not answer" in outcome.stderr
    assert "secret" not in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1
