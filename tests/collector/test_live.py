"""`segue collector` as a process, on a real broker."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE
from schemas.topics import Names, partition_of
from tests.conftest import Kafka
from tests.load.topics import PARTITIONS, create_topics, read_log
from tests.support.processes import Commands, StartedCommand
from tests.support.waiting import wait_until

KEYS = {
    "SEGUE_WRITE_KEYS": '{"website": "website-write-key"}',
    "SEGUE_LINK_KEYS": '{"k1": "a-long-signing-secret"}',
    "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "100",
    "SEGUE_LOG_LEVEL": "debug",
}


@pytest.fixture
def names(kafka: Kafka, namespace: str) -> Names:
    """Topics without definitions."""
    return create_topics(kafka.bootstrap_servers, namespace, timestamps="LogAppendTime")


def _start(commands: Commands, **more: str) -> tuple[StartedCommand, httpx.Client]:
    collector = commands.start("collector", "--port", "0", environment=KEYS | more)
    url = collector.wait_for_output(r"listens on (http://127\.0\.0\.1:\d+)\n").group(1)
    return collector, httpx.Client(base_url=url, auth=("website-write-key", ""), timeout=60)


def _apply(commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "definitions.yaml"
    path.write_text("version: 1\nsegments:\n  buyers: {when: {performed: {event: purchase}}}\n")
    assert commands.run("apply", str(path)).returncode == EXIT_DONE


def _records(kafka: Kafka, names: Names) -> dict[int, list[dict[str, Any]]]:
    log = read_log(kafka.bootstrap_servers, names.tracking)
    return {number: [json.loads(record.value() or b"") for record in records] for number, records in log.items()}


def test_what_was_answered_lies_in_the_log_behind_the_definitions(
    kafka: Kafka, names: Names, commands: Commands, tmp_path: Path
) -> None:
    collector, client = _start(commands)
    wait_until(lambda: "segue apply" in client.get("/readyz").text, 30, "the reason for not being ready")
    assert client.post("/v1/track", json={"userId": "early", "event": "page_view"}).status_code == 503
    _apply(commands, tmp_path)
    wait_until(lambda: client.get("/readyz").status_code == 200, 30, "the collector to be ready")

    batch = [{"type": "track", "userId": f"c{number}", "event": "Product Added"} for number in range(200)]
    answer = client.post("/v1/batch", json={"batch": batch})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 200)
    link = commands.run(
        "link", "click", "--contact", "c1", "--campaign", "w", "--url", "https://shop.example/", environment=KEYS
    ).stdout.strip()
    redirect = client.get("/c/" + link.rsplit("/", 1)[1])
    assert (redirect.status_code, redirect.headers["location"]) == (302, "https://shop.example/")
    pixel = client.head("/o/none.gif")
    assert (pixel.status_code, pixel.headers["content-length"], pixel.content) == (200, "43", b"")

    collector.kill()  # what was answered is written, whatever becomes of the collector
    records = _records(kafka, names)
    assert [log[0]["type"] for log in records.values()] == ["definitions"] * PARTITIONS
    contacts = {record["contact_id"]: number for number, log in records.items() for record in log[1:]}
    assert contacts == {f"c{number}": partition_of(f"c{number}", PARTITIONS) for number in range(200)}
    assert [record["event"] for log in records.values() for record in log[1:]].count("email_click") == 1


FORMS = """
forms:
  news:
    contact: email
    fields: {email: {type: email, required: true}, name: {type: name}}
    consents: [{purpose: marketing, document: news-v3, field: agree}]
    double_opt_in: {}
"""


def test_a_form_its_confirmation_and_an_unsubscribe_follow_each_other_in_the_log(
    kafka: Kafka, names: Names, commands: Commands, tmp_path: Path
) -> None:
    _apply(commands, tmp_path)
    forms = tmp_path / "forms.yaml"
    forms.write_text(FORMS)
    collector, client = _start(commands, SEGUE_FORMS=str(forms))
    wait_until(lambda: client.get("/readyz").status_code == 200, 30, "the collector to be ready")
    filled = {"email": "Ann@Example.org", "name": "Ann", "agree": "on"}
    taken = client.post("/v1/form/news", data=filled, headers={"Accept": "application/json"})
    assert taken.status_code == 200
    submitted = next(record for record in _of_contact(kafka, names) if record.get("event") == "form_submit")
    (tmp_path / "submitted.jsonl").write_text(json.dumps(submitted))
    confirm = commands.run("link", "confirm", str(tmp_path / "submitted.jsonl"), environment=KEYS).stdout.strip()
    path = "/f/" + confirm.rsplit("/", 1)[1]
    assert path == taken.json()["confirm_path"]
    assert client.post(path, data={"confirm": "yes"}).status_code == 200
    made = commands.run(
        *("link", "unsubscribe", "--contact", "ann@example.org", "--campaign", "w", "--purpose", "marketing", "--json"),
        environment=KEYS,
    )
    path = "/u/" + json.loads(made.stdout)["token"]
    assert client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200

    told = [record.get("event") or record.get("purpose", "traits") for record in _of_contact(kafka, names)]
    assert told == ["traits", "form_submit", "form_confirm", "marketing", "unsubscribe", "marketing"]
    decisions = [record["granted"] for record in _of_contact(kafka, names) if record["type"] == "consent"]
    assert decisions == [True, False]
    assert "example.org" not in collector.stdout + collector.stderr


def _of_contact(kafka: Kafka, names: Names) -> list[dict[str, Any]]:
    (found,) = (log[1:] for log in _records(kafka, names).values() if len(log) > 1)
    return found


def test_a_stop_answers_first_and_ends_with_code_0_and_no_contact_in_the_log(
    kafka: Kafka, names: Names, commands: Commands, tmp_path: Path
) -> None:
    _apply(commands, tmp_path)
    collector, client = _start(commands)
    wait_until(lambda: client.get("/readyz").status_code == 200, 30, "the collector to be ready")
    assert client.post("/v1/track", json={"userId": "secret-contact", "event": "page_view"}).status_code == 200
    client.get("/o/secret-contact.gif")
    client.close()
    collector.signal(signal.SIGTERM)
    assert collector.wait() == EXIT_DONE
    written = collector.stdout + collector.stderr
    for secret in ("secret-contact", "website-write-key", "a-long-signing-secret"):
        assert secret not in written
    assert sum(len(log) for log in _records(kafka, names).values()) == PARTITIONS + 1


def test_a_port_that_is_taken_and_a_file_of_the_settings_that_is_missing_end_with_code_1(
    names: Names, commands: Commands
) -> None:
    assert names
    first = commands.start("collector", "--port", "0", environment=KEYS)
    port = first.wait_for_output(r"listens on http://127\.0\.0\.1:(\d+)\n").group(1)
    second = commands.run("collector", "--port", port, environment=KEYS)
    assert (second.returncode, "cannot listen on" in second.stderr) == (EXIT_BAD_INPUT, True)
    unset = commands.run("collector", environment={"SEGUE_CONSENT": "/nowhere/consent.yaml"})
    assert (unset.returncode, "SEGUE_CONSENT: /nowhere/consent.yaml" in unset.stderr) == (EXIT_BAD_INPUT, True)
