"""`segue import` on a real Kafka: killed midway, with the broker paused and gone, and with a worker behind it."""

from __future__ import annotations

import csv
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_UNAVAILABLE
from schemas.topics import Names
from streams.importing.journal import read_journal
from tests.conftest import Kafka
from tests.importing.files import csv_file
from tests.live.workers import Place
from tests.load.topics import create_topics, read_log
from tests.support.brokers import Broker
from tests.support.processes import Commands, StartedCommand
from tests.support.redis_servers import LocalRedis
from tests.support.waiting import wait_until

DEFINITIONS = """
version: 1
lists: {crm: []}
segments:
  parisians: {when: {trait: {name: city, eq: Paris}}}
  readers: {when: {consent: {purpose: news, is: granted}}}
  imported: {when: {listed: crm}}
"""
FLAGS = ("--contact-id", "email", "--trait", "city=city", "--trait", "age=age:number")
ROWS = 4_000


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    """A file in which every tenth contact comes back in a later row."""
    rows = [f"C{number - number % 10 // 9}@shop.example,city {number},{number}" for number in range(ROWS)]
    return csv_file(tmp_path / "contacts.csv", "email,city,age", rows)


def prepared(commands: Commands, servers: str, directory: Path) -> Names:
    """Topics that the broker stamps, and definitions in the log."""
    names = create_topics(servers, commands.environment["SEGUE_NAMESPACE"], "LogAppendTime", lists=True)
    path = directory / "definitions.yaml"
    path.write_text(DEFINITIONS)
    applied = commands.run("apply", str(path))
    assert applied.returncode == EXIT_DONE, applied.tail()
    return names


def records_of(servers: str, names: Names) -> list[dict[str, Any]]:
    """All records of contacts, partition by partition."""
    found = [
        json.loads(message.value() or b"")
        for messages in read_log(servers, names.tracking).values()
        for message in messages
    ]
    return [record for record in found if record["type"] != "definitions"]


def check_log(records: list[dict[str, Any]], path: Path, repeated_max: int) -> None:
    """The log holds what a plain reading of the file says: each row once by its id, in order for each contact."""
    expected: dict[str, list[dict[str, Any]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            traits = {"city": row["city"], "age": int(row["age"])}
            expected.setdefault(row["email"].lower(), []).append(traits)
    first: dict[str, dict[str, Any]] = {}
    for record in records:
        before = first.setdefault(record["event_id"], record)
        assert before == record, "what is repeated is the same record"
    found: dict[str, list[dict[str, Any]]] = {}
    for record in first.values():
        found.setdefault(record["contact_id"], []).append(record["traits"])
    assert found == expected
    assert len(records) - len(first) <= repeated_max
    assert len({record["occurred_at"] for record in records}) == 1


def reached(path: Path) -> int:
    """Rows that the journal says are in the log."""
    state = read_journal(path.with_name(f"{path.name}.import-journal"))
    return 0 if state is None else state.reached.rows


def wait_until_reached(path: Path, rows: int) -> None:
    """Wait until the journal says so."""
    wait_until(lambda: reached(path) >= rows, 60, f"{rows} rows in the log")


def test_killed_twice_and_run_again_every_row_is_in_the_log_and_few_are_repeated(
    commands: Commands, kafka: Kafka, contacts: Path, tmp_path: Path
) -> None:
    names = prepared(commands, kafka.bootstrap_servers, tmp_path)
    for rows in (500, 1_500):
        importing = commands.start("import", str(contacts), *FLAGS, "--rate", "1000")
        wait_until_reached(contacts, rows)
        importing.kill()
    assert reached(contacts) < ROWS
    last = commands.run("import", str(contacts), *FLAGS, "--rate", "1000", "--json")
    assert last.returncode == EXIT_DONE, last.tail()
    told = json.loads(last.stdout)
    assert told["resumed_after"] >= 1_500
    records = records_of(kafka.bootstrap_servers, names)
    check_log(records, contacts, repeated_max=2 * 100)
    assert all(record["backfill"] for record in records)
    again = commands.run("import", str(contacts), *FLAGS, "--rate", "1000")
    assert again.returncode == EXIT_DONE
    assert "imported before, all 4,000 rows; nothing to do" in again.stdout
    assert len(records_of(kafka.bootstrap_servers, names)) == len(records)


def test_stopped_by_hand_an_import_says_how_to_go_on_and_another_mapping_does_not_go_on_with_it(
    commands: Commands, kafka: Kafka, contacts: Path, tmp_path: Path
) -> None:
    prepared(commands, kafka.bootstrap_servers, tmp_path)
    importing = commands.start("import", str(contacts), *FLAGS, "--rate", "500")
    wait_until_reached(contacts, 200)
    importing.signal(signal.SIGINT)
    assert importing.wait() == EXIT_BAD_INPUT
    assert "rows are in the log for sure: run the same command to go on" in importing.stderr
    other = commands.run("import", str(contacts), "--contact-id", "email", "--trait", "town=city")
    assert other.returncode == EXIT_BAD_INPUT
    assert "the mapping or an option is another one" in other.stderr
    assert "remove this journal to import anew" in other.stderr


@pytest.fixture
def own_commands(commands: Commands, own_kafka: Broker, own_redis: LocalRedis) -> Commands:
    """Commands on a broker that may be paused and killed."""
    commands.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"] = own_kafka.bootstrap_servers
    commands.environment["SEGUE_REDIS_URL"] = own_redis.url
    return commands


def under_way(commands: Commands, path: Path, *more: str) -> StartedCommand:
    """An import of which some rows are in the log."""
    importing = commands.start("import", str(path), *FLAGS, "--rate", "1000", *more)
    wait_until_reached(path, 300)
    return importing


def test_while_the_broker_is_paused_an_import_says_so_and_goes_on_afterwards(
    own_commands: Commands, own_kafka: Broker, contacts: Path, tmp_path: Path
) -> None:
    names = prepared(own_commands, own_kafka.bootstrap_servers, tmp_path)
    importing = under_way(own_commands, contacts)
    own_kafka.pause()
    importing.wait_for_output("trying again")
    own_kafka.resume()
    assert importing.wait(120) == EXIT_DONE, importing.tail()
    check_log(records_of(own_kafka.bootstrap_servers, names), contacts, repeated_max=10 * 100)


def test_with_the_broker_gone_patience_ends_with_code_75_and_the_next_run_goes_on(
    own_commands: Commands, own_kafka: Broker, contacts: Path, tmp_path: Path
) -> None:
    names = prepared(own_commands, own_kafka.bootstrap_servers, tmp_path)
    importing = under_way(own_commands, contacts, "--patience", "1s")
    own_kafka.kill()
    assert importing.wait(120) == EXIT_UNAVAILABLE
    assert "rows are in the log for sure: run the same command to go on" in importing.stderr
    own_kafka.start()
    last = own_commands.run("import", str(contacts), *FLAGS, "--rate", "5000", timeout_s=120)
    assert last.returncode == EXIT_DONE, last.tail()
    check_log(records_of(own_kafka.bootstrap_servers, names), contacts, repeated_max=10 * 100)


@pytest.mark.parametrize(("flag", "causes"), [([], {"backfill"}), (["--live"], {"traits", "consent", "list"})])
def test_a_worker_makes_the_right_transitions_of_an_import(
    place: Place, tmp_path: Path, flag: list[str], causes: set[str]
) -> None:
    place.prepare("append", DEFINITIONS)
    place.worker()
    rows = [
        "Ann@shop.example,Paris,yes",
        "ben@shop.example,Rome,no",
        "ann@SHOP.example,Paris,",
        "cleo@shop.example,Paris,",
    ]
    path = csv_file(tmp_path / "c.csv", "email,city,news", rows)
    mapping = tmp_path / "map.yaml"
    consents = "[{column: news, purpose: news, document: v3, method: crm_export}]"
    mapping.write_text(f"version: 1\ncontact: email\ntraits: {{city: city}}\nconsents: {consents}\n")
    place.command("import", str(path), "--map", str(mapping), "--list", "crm", "--at", "2026-11-01T00:00:00Z", *flag)
    place.wait_until_folded()
    transitions = [json.loads(one.value) for one in place.output()]
    moves = Counter((one["contact_id"], one["segment"], one["type"]) for one in transitions)
    assert moves == Counter(
        (f"{name}@shop.example", segment, "segment.entered")
        for name, segment in [
            ("ann", "parisians"), ("cleo", "parisians"), ("ann", "readers"),
            ("ann", "imported"), ("ben", "imported"), ("cleo", "imported"),
        ]
    )  # fmt: skip
    assert {one["cause"]["kind"] for one in transitions} == causes
    assert place.dead_letters() == []
