"""Plans and applies as they go wrong: cut short, half done, too late for a log's start, against something else."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.errors import EXIT_BAD_INPUT, EXIT_UNAVAILABLE
from tests.live.test_change_definitions import AFTER, BEFORE, _events, _json
from tests.live.workers import Place
from tests.support.waiting import wait_until

OTHER = BEFORE.replace("at_least: 2", "at_least: 1")


@pytest.fixture
def shop(place: Place, tmp_path: Path) -> Place:
    """Sixty contacts under `BEFORE`, and a worker that has come to the end of the log."""
    place.prepare("append", BEFORE)
    place.worker()
    place.command("load", str(_events(tmp_path / "events.jsonl", 60)))
    place.wait_until_folded()
    return place


def _file(directory: Path, name: str, text: str) -> str:
    path = directory / name
    path.write_text(text)
    return str(path)


def test_a_plan_that_is_interrupted_says_how_to_go_on_and_does(shop: Place, tmp_path: Path) -> None:
    after = _file(tmp_path, "after.yaml", AFTER)
    started = shop.commands.start("plan", after, "--records-per-second", "1")
    wait_until(lambda: any(shop.redis.scan_iter(match=f"{shop.names.namespace}:*:build")), 30, "a build")
    wait_until(lambda: any(shop.redis.scan_iter(match=f"{shop.names.namespace}:*:g2:contact:*")), 30, "contacts")
    started.signal(signal.SIGINT)
    assert started.wait() == EXIT_BAD_INPUT
    assert "the same plan goes on from there" in started.stderr
    page = tmp_path / "plan.html"
    plan = json.loads(shop.command("plan", after, "--json", "--html", str(page)).stdout)
    assert (plan["entering"], plan["leaving"]) == (20, 39)
    assert "<b>20</b> memberships would begin and <b>39</b> would end" in page.read_text()
    assert "removed what was built of 4 partitions" in shop.command("plan", "--discard").stdout
    assert "nothing was built" in shop.command("plan", "--discard").stdout


def test_an_apply_that_is_half_done_is_said_to_be_and_is_completed_or_taken_back(shop: Place, tmp_path: Path) -> None:
    after, other = _file(tmp_path, "after.yaml", AFTER), _file(tmp_path, "other.yaml", OTHER)
    shop.command("apply", after, "--yes")
    shop.command("apply", str(shop.definitions), "--yes")
    record = next(message for message in shop.messages(0) if b'"number":2' in (message.value() or b""))
    producer = Producer({"bootstrap.servers": shop.servers})
    for partition in (0, 2):
        producer.produce(shop.names.tracking, record.value(), partition=partition)
    producer.flush()
    shop.wait_until_folded()
    listed = shop.command("definitions").stdout
    assert "active in partition 0, 2" in listed
    assert "active in partition 1, 3" in listed
    refused = shop.commands.run("plan", other)
    assert refused.returncode == EXIT_BAD_INPUT
    assert "an apply was cut short; complete it by applying the same file again" in refused.stderr
    assert _json(shop, "apply", str(shop.definitions), "--yes")["written"] == [0, 2]
    assert shop.commands.run("plan", other).returncode == 0


def test_a_log_whose_start_is_gone_is_changed_only_where_that_is_accepted(shop: Place, tmp_path: Path) -> None:
    after = _file(tmp_path, "after.yaml", AFTER)
    admin = AdminClient({"bootstrap.servers": shop.servers})
    ends = [TopicPartition(shop.names.tracking, partition, 5) for partition in range(shop.partitions)]
    for deleted in admin.delete_records(ends).values():
        deleted.result(30)
    for arguments in (("plan", after), ("apply", after, "--yes")):
        refused = shop.commands.run(*arguments)
        assert refused.returncode == EXIT_BAD_INPUT
        assert "--accept-short-history" in refused.stderr
    shown = shop.command("plan", after, "--accept-short-history").stdout
    assert "the start of the log is gone: all is counted from " in shown
    shop.command("apply", after, "--yes", "--accept-short-history")
    assert _json(shop, "plan", after)["after"]["hash"] == _json(shop, "definitions")["definitions"][-1]["hash"]
    gone = shop.commands.run("apply", "--rollback", "--yes")
    assert gone.returncode == EXIT_BAD_INPUT
    assert "not in the log any more: apply their file instead" in gone.stderr


def test_lists_that_are_not_published_yet_are_told_apart_from_what_the_definitions_change(
    shop: Place, tmp_path: Path
) -> None:
    listed = BEFORE.replace("version: 1", "version: 1\nlists: {vip: [contact-001, contact-002]}")
    listed += "  vips: {when: {listed: vip}}\n"
    plan = _json(shop, "plan", _file(tmp_path, "listed.yaml", listed))
    assert plan["lists"] == [{"list": "vip", "put_on": 2, "taken_off": 0}]
    assert plan["entering"] == 0


def test_what_is_away_or_missing_is_an_error_to_try_again(shop: Place, tmp_path: Path) -> None:
    after = _file(tmp_path, "after.yaml", AFTER)
    for environment in (
        {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
        {"SEGUE_REDIS_URL": "redis://127.0.0.1:1/0"},
        {"SEGUE_NAMESPACE": "nobody"},
    ):
        for arguments in (("plan", after), ("apply", after, "--yes")):
            refused = shop.commands.run(*arguments, environment=environment)
            assert refused.returncode == EXIT_UNAVAILABLE, refused.tail()
            assert "Traceback" not in refused.stderr
