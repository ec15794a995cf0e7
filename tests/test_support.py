"""The fixtures themselves: what every other live test stands on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.conftest import Kafka
from tests.support.brokers import Broker
from tests.support.processes import Commands
from tests.support.reaper import is_dead
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import CHECKOUT, RunDirectory
from tests.support.waiting import wait_until


def test_the_shared_broker_is_an_apache_kafka_that_names_its_cluster(kafka: Kafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    assert admin.list_topics(timeout=10).cluster_id


def test_the_shared_redis_keeps_what_it_is_told(redis_url: str, namespace: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.set(f"{namespace}:key", b"value")
    assert client.get(f"{namespace}:key") == b"value"
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_private_redis_keeps_its_data_over_a_kill_and_loses_it_by_a_roll_back(own_redis: LocalRedis) -> None:
    own_redis.client().set("a", "1")
    before = own_redis.snapshot()
    own_redis.client().set("a", "2")
    own_redis.restart()
    assert own_redis.client().get("a") == b"2"
    own_redis.roll_back(before)
    assert own_redis.client().get("a") == b"1"


def test_a_private_broker_keeps_its_log_over_a_kill(own_kafka: Broker) -> None:
    servers: dict[str, str | int | float | bool] = {"bootstrap.servers": own_kafka.bootstrap_servers}
    admin = AdminClient(servers)
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
    producer = Producer(servers | {"acks": "all"})
    producer.produce("kept", b"value")
    assert producer.flush(30) == 0
    own_kafka.kill()
    own_kafka.start()
    consumer = Consumer(servers | {"group.id": "reader"})
    assert consumer.get_watermark_offsets(TopicPartition("kept", 0), timeout=30) == (0, 1)
    consumer.close()


def test_a_command_runs_in_a_session_of_its_own_and_its_output_is_kept(commands: Commands) -> None:
    outcome = commands.run("--help")
    assert outcome.returncode == 0
    assert "Exit codes" in outcome.stdout
    assert outcome.stderr == ""


def test_waiting_for_output_of_a_command_that_ended_fails_at_once(commands: Commands) -> None:
    with pytest.raises(AssertionError, match="ended with 2"):
        commands.start("no-such-command").wait_for_output("never")


_INNER = """
import os, pathlib
def test_inner(own_redis):
    pathlib.Path(os.environ["INNER_NOTES"]).write_text(f"{own_redis.pid}")
    if os.environ["INNER_END"] == "kill":
        os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["pass", "kill"])
def test_nothing_outlives_pytest_however_it_ends(tmp_path: Path, end: str) -> None:
    notes = tmp_path / "notes"
    inner = CHECKOUT / "tests" / "support" / f"inner_{os.getpid()}_{end}.py"
    inner.write_text(_INNER)
    try:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(inner)],
            cwd=CHECKOUT,
            env=os.environ | {"INNER_NOTES": str(notes), "INNER_END": end, "TMPDIR": str(tmp_path)},
            capture_output=True,
            check=False,
            timeout=120,
        )
    finally:
        inner.unlink()
    pid = int(notes.read_text())
    wait_until(lambda: is_dead(pid), 30, "the end of the inner run's Redis")
    wait_until(lambda: not list(tmp_path.glob("segue-tests-*")), 30, "the removal of the inner run's directory")


def test_the_lock_of_a_run_is_named_after_what_it_guards(run_directory: RunDirectory) -> None:
    with run_directory.lock("something") as path:
        assert re.fullmatch(r"something\.json", path.name)
