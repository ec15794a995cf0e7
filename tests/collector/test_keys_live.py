"""`segue keys` and the collectors that follow it, on a real broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_UNAVAILABLE
from schemas.topics import Names
from streams.adapters.kafka.compacted import KafkaCompactedLog
from streams.adapters.kafka.compacted_feed import KafkaCompactedFeed
from tests.conftest import Kafka
from tests.load.topics import create_topics, read_log
from tests.support.brokers import Broker
from tests.support.processes import Commands
from tests.support.waiting import wait_until

HOLDS_WITHIN_S = 10.0
"""About one second without load; this machine is shared."""


@pytest.fixture
def names(kafka: Kafka, namespace: str) -> Names:
    """All topics of a namespace, that of keys among them."""
    return create_topics(kafka.bootstrap_servers, namespace, timestamps="LogAppendTime", keys=True)


def _apply(commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "definitions.yaml"
    path.write_text("version: 1\nsegments:\n  buyers: {when: {performed: {event: purchase}}}\n")
    assert commands.run("apply", str(path)).returncode == EXIT_DONE


def _keys(commands: Commands, *arguments: str) -> Any:
    done = commands.run("keys", *arguments, "--json")
    assert done.returncode == EXIT_DONE, done.stderr
    return json.loads(done.stdout)


def _caller(commands: Commands) -> Callable[[str], int]:
    """A collector that knows no key but those of the topic: what it answers to an event with a secret."""
    collector = commands.start("collector", "--port", "0", environment={"SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "100"})
    url = collector.wait_for_output(r"listens on (http://127\.0\.0\.1:\d+)\n").group(1)
    client = httpx.Client(base_url=url, timeout=60)

    def call(secret: str) -> int:
        event = {"userId": "c1", "event": "page_view"}
        return client.post("/v1/track", json=event, auth=(secret, "")).status_code

    wait_until(lambda: client.get("/readyz").status_code == 200, 30, "the collector to be ready")
    return call


def test_every_collector_follows_a_key_from_its_making_to_its_end(
    kafka: Kafka, names: Names, commands: Commands, tmp_path: Path
) -> None:
    _apply(commands, tmp_path)
    calls = [_caller(commands) for _ in range(2)]

    def hold(secret: str, status: int) -> None:
        began = time.monotonic()
        wait_until(lambda: [call(secret) for call in calls] == [status, status], 30, f"{status} of both collectors")
        assert time.monotonic() - began < HOLDS_WITHIN_S

    made = _keys(commands, "create", "website")
    hold(made["secret"], 200)
    rotated = _keys(commands, "rotate", made["id"], "--overlap", "1s")
    assert rotated["id"] == made["id"]
    hold(rotated["secret"], 200)
    hold(made["secret"], 401)
    (disabled,) = _keys(commands, "disable", "--source", "website")["keys"]
    assert (disabled["id"], disabled["state"]) == (made["id"], "disabled")
    hold(rotated["secret"], 404)
    assert [key["state"] for key in _keys(commands, "list")["keys"]] == ["disabled"]
    _keys(commands, "enable", made["id"])
    hold(rotated["secret"], 200)
    assert [key["state"] for key in _keys(commands, "list")["keys"]] == ["valid"]
    _keys(commands, "revoke", made["id"], "--yes")
    hold(rotated["secret"], 401)
    assert _keys(commands, "list") == {"keys": []}
    (ended,) = _keys(commands, "list", "--all")["keys"]
    assert (ended["id"], ended["state"]) == (made["id"], "revoked")

    written = b"".join(message.value() or b"" for message in read_log(kafka.bootstrap_servers, names.keys, 1)[0])
    for secret in (made["secret"], rotated["secret"]):
        assert secret.encode() not in written
    records = [json.loads(each.value() or b"") for log in read_log(kafka.bootstrap_servers, names.tracking).values()
               for each in log]  # fmt: skip
    assert {record["source"] for record in records if record["type"] == "track"} == {"website"}


def test_a_secret_is_shown_once_and_alone_on_standard_output(names: Names, commands: Commands) -> None:
    assert names
    made = commands.run("keys", "create", "website", "--origin", "https://shop.example", "--expires-in", "90d")
    secret = made.stdout.strip()
    assert secret.startswith("segue_")
    listed = commands.run("keys", "list")
    assert secret not in listed.stdout
    for shown in ("website", "https://shop.example", "valid", made.stderr.split()[0]):
        assert shown in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "web site"), "source: expected a name of letters"),
        (("create", "website", "--origin", "shop.example"), "origins.0: expected"),
        (("create", "website", "--origin", "https://shop.example/"), "origins.0: expected an origin such as"),
        (("create", "website", "--event", "Page Viewed"), "events.0: expected a name in snake_case"),
        (("rotate", "k_aaaaaaaa"), "no key k_aaaaaaaa: see `segue keys list --all`"),
        (("revoke", "k_aaaaaaaa", "--yes"), "no key k_aaaaaaaa"),
        (("disable", "k_aaaaaaaa"), "no key k_aaaaaaaa"),
        (("enable", "--source", "website"), "no key of the source website that is not over"),
    ],
)
def test_what_cannot_be_is_refused_with_code_1(
    names: Names, commands: Commands, arguments: tuple[str, ...], said: str
) -> None:
    assert names
    refused = commands.run("keys", *arguments)
    assert (refused.returncode, refused.stdout) == (EXIT_BAD_INPUT, "")
    assert said in refused.stderr


def test_a_revoked_key_cannot_be_rotated_and_a_question_that_is_not_answered_revokes_nothing(
    names: Names, commands: Commands
) -> None:
    assert names
    made = _keys(commands, "create", "website")
    assert commands.run("keys", "revoke", made["id"]).returncode == EXIT_BAD_INPUT
    assert [key["state"] for key in _keys(commands, "list")["keys"]] == ["valid"]
    _keys(commands, "revoke", made["id"], "--yes")
    again = _keys(commands, "revoke", made["id"], "--yes")
    assert again["state"] == "revoked"
    refused = commands.run("keys", "rotate", made["id"])
    assert (refused.returncode, "is revoked" in refused.stderr) == (EXIT_BAD_INPUT, True)


def test_a_deployment_without_the_topic_is_told_how_to_make_it(
    kafka: Kafka, namespace: str, commands: Commands
) -> None:
    assert create_topics(kafka.bootstrap_servers, namespace)
    refused = commands.run("keys", "list")
    assert (refused.returncode, "segue topics create" in refused.stderr) == (EXIT_UNAVAILABLE, True)


def test_a_collector_that_starts_while_kafka_is_away_says_503_and_knows_its_keys_once_it_is_back(
    own_kafka: Broker, commands: Commands, tmp_path: Path, namespace: str
) -> None:
    commands.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"] = own_kafka.bootstrap_servers
    assert create_topics(own_kafka.bootstrap_servers, namespace, timestamps="LogAppendTime", keys=True)
    _apply(commands, tmp_path)
    made = _keys(commands, "create", "website")
    own_kafka.kill()
    collector = commands.start("collector", "--port", "0", environment={"SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "100"})
    url = collector.wait_for_output(r"listens on (http://127\.0\.0\.1:\d+)\n").group(1)

    def call(secret: str) -> httpx.Response:
        event = {"userId": "c1", "event": "page_view"}
        return httpx.post(f"{url}/v1/track", json=event, auth=(secret, ""), timeout=60)

    answer = call(made["secret"])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert call("no-key-of-ours").status_code == 503
    assert httpx.get(f"{url}/readyz").status_code == 503
    own_kafka.start()
    wait_until(lambda: call(made["secret"]).status_code == 200, 60, "the key to be known")
    assert call("no-key-of-ours").status_code == 401


def test_a_topic_that_is_deleted_and_made_again_is_read_from_its_start(kafka: Kafka, namespace: str) -> None:
    topic, admin = f"{namespace}.keys", AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    feed = KafkaCompactedFeed(kafka.connection, topic, identity_interval_ms=1)

    def put(key: bytes, value: bytes) -> None:
        log = KafkaCompactedLog(kafka.connection, topic)
        log.put(key, value)
        log.flush()

    def create() -> None:
        admin.create_topics([NewTopic(topic, 1, 1, config={"cleanup.policy": "compact"})])[topic].result(30)

    assert feed.read(50) is None
    create()
    put(b"a", b"1")
    wait_until(lambda: feed.read(50) == {b"a": b"1"} and feed.begun_anew, 30, "all of the topic")
    put(b"b", b"2")
    wait_until(lambda: feed.read(50) == {b"b": b"2"} and not feed.begun_anew, 30, "what changed")
    admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: feed.read(50) is None, 30, "the topic to be gone")
    create()
    put(b"c", b"3")
    wait_until(lambda: feed.read(50) == {b"c": b"3"} and feed.begun_anew, 30, "all of the new topic")
    feed.close()
