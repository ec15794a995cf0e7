"""`segue apply` and `segue load` on a real broker."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME
from confluent_kafka.admin import AdminClient

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_UNAVAILABLE, EXIT_USAGE
from schemas.instants import parse_instant
from schemas.records import DefinitionsRecord, Tick, decode_record
from schemas.topics import Names, partition_of
from tests.conftest import Kafka
from tests.load.conftest import Segue
from tests.load.test_loading import at, line
from tests.load.topics import PARTITIONS, append, create_topics, read_log
from tests.support.redis_servers import LocalRedis

DEFINITIONS = "version: 1\nsegments:\n  buyers: {when: {performed: {event: purchase}}}\n"
AT = "2026-11-21T09:00:00Z"


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    """A small definition file."""
    path = tmp_path / "definitions.yaml"
    path.write_text(DEFINITIONS)
    return str(path)


def _events(tmp_path: Path, *lines: bytes) -> str:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(lines))
    return str(path)


def test_definitions_are_stamped_as_told_and_a_second_apply_has_nothing_to_do(
    kafka: Kafka, namespace: str, segue: Segue, definitions: str
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    first = segue("apply", definitions, "--at", AT, "--json")
    assert first.returncode == EXIT_DONE
    assert json.loads(first.stdout)["written"] == [0, 1, 2]
    log = read_log(kafka.bootstrap_servers, names.tracking)
    for records in log.values():
        (record,) = records
        assert (record.key(), record.timestamp()) == (None, (TIMESTAMP_CREATE_TIME, parse_instant(AT)))
        raw = record.value()
        assert isinstance(raw, bytes)
        assert isinstance(decode_record(raw), DefinitionsRecord)
    again = segue("apply", definitions, "--at", AT)
    assert again.returncode == EXIT_DONE
    assert again.stdout.startswith("nothing to do")
    assert [len(records) for records in read_log(kafka.bootstrap_servers, names.tracking).values()] == [1, 1, 1]


def test_another_text_is_no_change_before_a_worker_has_come_to_the_one_that_is_there(
    kafka: Kafka, namespace: str, segue: Segue, definitions: str
) -> None:
    create_topics(kafka.bootstrap_servers, namespace, timestamps="LogAppendTime")
    assert segue("apply", definitions).returncode == EXIT_DONE
    Path(definitions).write_text(DEFINITIONS.replace("purchase", "page_view"))
    refused = segue("apply", definitions, "--yes")
    assert refused.returncode == EXIT_UNAVAILABLE
    assert "start `segue worker`" in refused.stderr
    assert segue("plan", definitions).returncode == EXIT_UNAVAILABLE


def test_definitions_that_are_no_definitions_are_refused_before_kafka_is_asked(segue: Segue, definitions: str) -> None:
    Path(definitions).write_text("version: 1\nsegments: {a: {when: {performd: {}}}}\n")
    refused = segue("apply", definitions, environment={"SEGUE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert refused.returncode == EXIT_BAD_INPUT
    assert "segments.a.when" in refused.stderr


@pytest.mark.parametrize(
    ("timestamps", "ticks", "arguments", "code"),
    [
        ("LogAppendTime", "auto", ["--at", AT], EXIT_BAD_INPUT),
        ("LogAppendTime", "off", [], EXIT_DONE),
        ("CreateTime", "auto", [], EXIT_BAD_INPUT),
        ("CreateTime", "off", [], EXIT_BAD_INPUT),
        ("CreateTime", "on", [], EXIT_DONE),
        ("CreateTime", "auto", ["--at", "noon"], EXIT_USAGE),
        ("CreateTime", "auto", ["--at", "1970-01-01T00:00:00Z"], EXIT_USAGE),
    ],
)
def test_the_time_of_definitions_is_given_where_nothing_else_tells_it(
    kafka: Kafka,
    namespace: str,
    segue: Segue,
    definitions: str,
    timestamps: str,
    ticks: str,
    arguments: list[str],
    code: int,
) -> None:
    create_topics(kafka.bootstrap_servers, namespace, timestamps=timestamps)
    outcome = segue("apply", definitions, *arguments, environment={"SEGUE_TICKS": ticks})
    assert outcome.returncode == code
    assert ("--at" in outcome.stderr) == (code != EXIT_DONE)


def test_a_log_that_begins_with_something_else_is_refused_by_apply_and_load(
    kafka: Kafka, namespace: str, segue: Segue, definitions: str, tmp_path: Path
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    append(kafka.bootstrap_servers, names.tracking, 1, line())
    for arguments in (["apply", definitions, "--at", AT], ["load", _events(tmp_path, line())]):
        refused = segue(*arguments)
        assert refused.returncode == EXIT_BAD_INPUT
        assert "partition 1 begins with another record" in refused.stderr
    assert [len(records) for records in read_log(kafka.bootstrap_servers, names.tracking).values()] == [0, 1, 0]


def test_a_load_waits_for_topics_and_definitions(kafka: Kafka, namespace: str, segue: Segue, tmp_path: Path) -> None:
    events = _events(tmp_path, line())
    missing = segue("load", events)
    assert (missing.returncode, "segue topics create" in missing.stderr) == (EXIT_UNAVAILABLE, True)
    create_topics(kafka.bootstrap_servers, namespace)
    empty = segue("load", events)
    assert (empty.returncode, "segue apply" in empty.stderr) == (EXIT_UNAVAILABLE, True)


def test_uneven_partition_counts_are_refused(kafka: Kafka, namespace: str, segue: Segue, tmp_path: Path) -> None:
    create_topics(kafka.bootstrap_servers, namespace, transitions=4)
    refused = segue("load", _events(tmp_path, line()))
    assert refused.returncode == EXIT_BAD_INPUT
    assert f"{namespace}.transitions has 4" in refused.stderr


def test_a_file_is_loaded_under_its_own_times_without_its_bad_lines(
    kafka: Kafka, namespace: str, segue: Segue, definitions: str, tmp_path: Path
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    assert segue("apply", definitions, "--at", AT).returncode == EXIT_DONE
    lines = [line(f"c{number % 7}", number) for number in range(60)]
    events = _events(tmp_path, *lines[:30], b"{\n", *lines[30:])
    until = "2026-11-22T00:00:00Z"
    outcome = segue("load", events, "--timestamps", "received", "--until", until, "--json")
    assert outcome.returncode == EXIT_DONE
    summary = json.loads(outcome.stdout)
    assert (summary["records"], summary["rejected"], summary["ticks"]) == (60, 1, PARTITIONS)
    assert outcome.stderr.startswith(f"{events}:31: expected JSON in UTF-8")
    log = read_log(kafka.bootstrap_servers, names.tracking)
    for partition, records in log.items():
        values = [record.value() for record in records]
        expected = [one.strip() for number, one in enumerate(lines) if partition_of(f"c{number % 7}", 3) == partition]
        assert values[1:-1] == expected
        times = [record.timestamp()[1] for record in records[1:-1]]
        assert times == [parse_instant(json.loads(one)["occurred_at"]) for one in expected]
        last = records[-1].value()
        assert isinstance(last, bytes)
        assert isinstance(decode_record(last), Tick)
        assert records[-1].timestamp()[1] == parse_instant(until)


def test_times_of_ones_own_are_refused_where_the_broker_stamps(
    kafka: Kafka, namespace: str, segue: Segue, definitions: str, tmp_path: Path
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, timestamps="LogAppendTime")
    assert segue("apply", definitions).returncode == EXIT_DONE
    events = _events(tmp_path, line())
    for arguments in (["--timestamps", "received"], ["--until", AT]):
        refused = segue("load", events, *arguments)
        assert (refused.returncode, arguments[0] in refused.stderr) == (EXIT_BAD_INPUT, True)
    assert segue("load", events).returncode == EXIT_DONE
    assert sum(len(records) for records in read_log(kafka.bootstrap_servers, names.tracking).values()) == 4


def test_a_strict_load_ends_with_exit_code_1_and_a_missing_file_too(
    kafka: Kafka, namespace: str, segue: Segue, definitions: str, tmp_path: Path
) -> None:
    create_topics(kafka.bootstrap_servers, namespace)
    assert segue("apply", definitions, "--at", AT).returncode == EXIT_DONE
    strict = segue("load", _events(tmp_path, line(), b"{\n", line()), "--strict", "--json")
    assert (strict.returncode, json.loads(strict.stdout)["records"]) == (EXIT_BAD_INPUT, 1)
    missing = segue("load", str(tmp_path / "none.jsonl"))
    assert (missing.returncode, "none.jsonl: expected a file" in missing.stderr) == (EXIT_BAD_INPUT, True)


def test_a_record_that_the_topic_refuses_ends_the_load_with_exit_code_1(
    kafka: Kafka, namespace: str, segue: Segue, definitions: str, tmp_path: Path
) -> None:
    create_topics(kafka.bootstrap_servers, namespace, message_bytes=2_000)
    assert segue("apply", definitions, "--at", AT).returncode == EXIT_DONE
    refused = segue("load", _events(tmp_path, line(properties={"x": "y" * 5_000})))
    assert refused.returncode == EXIT_BAD_INPUT
    assert "did not take a record" in refused.stderr


def test_standard_input_is_loaded_and_bad_lines_are_shown_beside_the_progress_on_a_terminal(
    kafka: Kafka, namespace: str, segue: Segue, definitions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topics(kafka.bootstrap_servers, namespace)
    assert segue("apply", definitions, "--at", AT).returncode == EXIT_DONE
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line() + b"{\n")))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    outcome = segue("load", "-")
    assert outcome.returncode == EXIT_DONE
    assert outcome.stdout.startswith("1 records loaded in ")
    assert "1 bad lines kept out" in outcome.stdout
    assert "-:2: expected JSON in UTF-8" in outcome.stderr


def test_the_embedded_broker_takes_definitions_and_events(
    embedded_servers: str, own_redis: LocalRedis, segue: Segue, definitions: str, tmp_path: Path
) -> None:
    embedded = {
        "SEGUE_KAFKA_BOOTSTRAP_SERVERS": embedded_servers,
        "SEGUE_REDIS_URL": own_redis.url,
        "SEGUE_NAMESPACE": "",
        "SEGUE_TICKS": "on",
    }
    admin = AdminClient({"bootstrap.servers": embedded_servers})
    names = Names("")
    for topic in (names.tracking, names.transitions, names.dead_letter):
        admin.list_topics(topic, timeout=10)  # asking for it by name makes it
    assert segue("apply", definitions, environment=embedded).returncode == EXIT_DONE
    assert segue("apply", definitions, environment=embedded).stdout.startswith("nothing to do")
    events = _events(tmp_path, line(second=1), line(second=2))
    assert segue("load", events, "--timestamps", "received", environment=embedded).returncode == EXIT_DONE
    records = read_log(embedded_servers, names.tracking, 4)[partition_of("c1", 4)]
    assert [record.timestamp()[1] for record in records[1:]] == [at(1), at(2)]
