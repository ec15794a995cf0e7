"""`segue erase`, `consent`, `list`, `identify` and `track` on a real broker: what they say, ask, refuse and write."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_UNAVAILABLE, EXIT_USAGE
from schemas.instants import parse_instant
from schemas.records import DefinitionsRecord, Record, decode_record
from schemas.topics import Names, partition_of, position_name
from streams.sending.outcomes import Watch
from tests.conftest import Kafka
from tests.load.conftest import Outcome, Segue
from tests.load.topics import PARTITIONS, append, create_topics, read_log
from tests.support.run_directory import free_port

DEFINITIONS = """
version: 1
lists: {vip: []}
segments:
  vips: {when: {listed: vip}}
  parisians: {when: {trait: {name: city, eq: Paris}}}
  readers: {when: {consent: {purpose: news, is: granted}}}
  buyers: {when: {performed: {event: purchase}}}
"""
AT = "2026-11-21T09:00:00.000Z"
ERASE = ("erase", "c1", "--yes")
EVERY = (
    ERASE,
    ("consent", "c1", "news", "--granted", "--document", "d", "--method", "m"),
    ("list", "add", "vip", "c1"),
    ("list", "remove", "vip", "c1"),
    ("identify", "c1", "city=Paris"),
    ("track", "c1", "purchase", "amount=3"),
)


class Terminal(io.StringIO):
    """A person at a keyboard."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    path = tmp_path / "definitions.yaml"
    path.write_text(DEFINITIONS)
    return str(path)


@pytest.fixture
def begun(kafka: Kafka, namespace: str, segue: Segue, definitions: str) -> Names:
    """Topics that the broker stamps, and definitions."""
    names = create_topics(kafka.bootstrap_servers, namespace, timestamps="LogAppendTime", lists=True)
    assert segue("apply", definitions).returncode == EXIT_DONE
    return names


@pytest.fixture
def history(kafka: Kafka, namespace: str, segue: Segue, definitions: str) -> Names:
    """Topics whose producers stamp, and definitions."""
    names = create_topics(kafka.bootstrap_servers, namespace)
    assert segue("apply", definitions, "--at", AT).returncode == EXIT_DONE
    return names


def _written(kafka: Kafka, names: Names) -> list[Record]:
    """What lies in the log behind the definitions."""
    records: list[Record] = []
    for messages in read_log(kafka.bootstrap_servers, names.tracking).values():
        for message in messages:
            raw, key = message.value(), message.key()
            assert isinstance(raw, bytes)
            record = decode_record(raw)
            if not isinstance(record, DefinitionsRecord):
                assert isinstance(key, bytes)
                assert message.partition() == partition_of(key.decode(), PARTITIONS)
                records.append(record)
    return records


def test_each_sender_says_what_it_will_do_then_where_the_record_lies(kafka: Kafka, begun: Names, segue: Segue) -> None:
    partition = partition_of("c1", PARTITIONS)
    said = (
        "erase contact c1 ({}): it leaves every segment, and all that is known of it goes",
        "consent of contact c1 ({}): news is granted",
        "list vip ({}): contact c1 put on",
        "list vip ({}): contact c1 taken off",
        'traits of contact c1 ({}): city = "Paris" (text)',
        "event purchase of contact c1 ({}): amount = 3 (number)",
    )
    for number, (arguments, sentence) in enumerate(zip(EVERY, said, strict=True), start=1):
        outcome = segue(*arguments, "--event-id", f"e{number}", "--at", AT)
        assert outcome.returncode == EXIT_DONE, outcome.stderr
        first, second = outcome.stderr.splitlines()
        assert first == sentence.format(f"partition {partition} of {begun.tracking}")
        assert json.loads(second.removeprefix("record: "))["event_id"] == f"e{number}"
        assert outcome.stdout == f"sent: event_id e{number}, position {position_name(partition, number)}\n"
    types = [record.type for record in _written(kafka, begun)]
    assert types == ["erase", "consent", "list", "list", "identify", "track"]


def test_json_names_event_and_position_and_event_ids_are_new_each_time(
    kafka: Kafka, begun: Names, segue: Segue
) -> None:
    lines = [json.loads(segue("track", "c1", "purchase", "--json").stdout) for _ in range(2)]
    assert lines[0]["event_id"] != lines[1]["event_id"]
    assert [line["position"] for line in lines] == [position_name(partition_of("c1", PARTITIONS), n) for n in (1, 2)]
    assert set(lines[0]) == {"type", "contact_id", "event_id", "occurred_at", "position"}
    assert len(_written(kafka, begun)) == 2


@pytest.mark.parametrize("arguments", EVERY, ids=lambda arguments: " ".join(arguments[:2]))
def test_a_dry_run_prints_the_record_and_writes_nothing(
    kafka: Kafka, begun: Names, segue: Segue, arguments: tuple[str, ...]
) -> None:
    outcome = segue(*[word for word in arguments if word != "--yes"], "--dry-run")
    assert outcome.returncode == EXIT_DONE
    assert decode_record(outcome.stdout.encode()).type == arguments[0]
    assert _written(kafka, begun) == []


@pytest.mark.parametrize("arguments", EVERY, ids=lambda arguments: " ".join(arguments[:2]))
def test_nothing_is_written_before_topics_and_definitions_are_there(
    kafka: Kafka, namespace: str, segue: Segue, arguments: tuple[str, ...]
) -> None:
    missing = segue(*arguments)
    assert (missing.returncode, "segue topics create" in missing.stderr) == (EXIT_UNAVAILABLE, True)
    names = create_topics(kafka.bootstrap_servers, namespace, timestamps="LogAppendTime")
    empty = segue(*arguments)
    assert (empty.returncode, "run `segue apply`" in empty.stderr) == (EXIT_UNAVAILABLE, True)
    append(kafka.bootstrap_servers, names.tracking, 1, b'{"type":"tick"}')
    other = segue(*arguments)
    assert (other.returncode, "begins with another record" in other.stderr) == (EXIT_BAD_INPUT, True)
    assert sum(len(records) for records in read_log(kafka.bootstrap_servers, names.tracking).values()) == 1


def test_what_is_invalid_is_refused_before_kafka_is_asked(segue: Segue) -> None:
    away = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    for arguments, because in (
        (("erase", "", "--yes"), "contact_id: expected text that is not empty, found ''"),
        (("track", "c1", "Purchase"), "found 'Purchase'"),
        (("consent", "c1", "", "--denied", "--document", "d", "--method", "m"), "purpose: "),
        (("list", "add", "vip", "x" * 257), "contact_id: "),
        (("list", "add", "vip"), "expected at least one, as arguments or with --file"),
        (("list", "add", "vip", "--file", "none.csv"), "--file: expected a file that can be read: none.csv"),
        (("identify", "c1", "city"), "expected a trait as NAME=VALUE"),
        (("identify", "c1", "--traits", "[]"), "--traits: expected a JSON object"),
    ):
        refused = segue(*arguments, environment=away)
        assert (refused.returncode, because in refused.stderr) == (EXIT_BAD_INPUT, True), refused.stderr
    assert segue(*ERASE, environment=away).returncode == EXIT_UNAVAILABLE


@pytest.mark.parametrize(
    "arguments",
    [
        ("consent", "c1", "news", "--document", "d", "--method", "m"),
        ("identify", "c1"),
        ("identify", "c1", "city=Paris", "--traits", "{}"),
        ("track", "c1", "purchase", "a=1", "--properties", "{}"),
        ("list", "add", "vip", "c1", "c2", "--event-id", "e1"),
        ("list", "add", "vip", "--wait", "c1"),
        ("erase", "c1", "--wait=0"),
        ("erase", "c1", "--at", "noon"),
    ],
)
def test_bad_usage_is_told_apart(segue: Segue, arguments: tuple[str, ...]) -> None:
    assert segue(*arguments).returncode == EXIT_USAGE


@pytest.mark.parametrize("arguments", [("erase", "c1"), ("list", "remove", "vip", "c1", "c2")])
def test_what_destroys_asks_and_where_nobody_can_be_asked_is_refused(
    kafka: Kafka, begun: Names, segue: Segue, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = segue(*arguments)
    assert (refused.returncode, "expected --yes" in refused.stderr) == (EXIT_USAGE, True)
    for answer, code, written in (
        ("n\n", EXIT_BAD_INPUT, 0),
        ("", EXIT_BAD_INPUT, 0),
        ("y\n", EXIT_DONE, len(arguments) // 2),
    ):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        outcome = segue(*arguments)
        assert outcome.returncode == code
        assert "[y/N]" in outcome.stderr
        assert ("segue: nothing was sent\n" in outcome.stderr) == (written == 0)
        assert len(_written(kafka, begun)) == written


def test_one_contact_is_taken_off_a_list_without_a_question(kafka: Kafka, begun: Names, segue: Segue) -> None:
    assert segue("list", "remove", "vip", "c1").returncode == EXIT_DONE
    assert len(_written(kafka, begun)) == 1


def test_many_contacts_come_from_a_file_or_standard_input_each_once(
    kafka: Kafka, begun: Names, segue: Segue, tmp_path: Path
) -> None:
    path = tmp_path / "vip.csv"
    path.write_text("contact_id,name\n" + "".join(f"c{number},x\n" for number in range(3_000)) + "c1,again\n")
    added = segue("list", "add", "vip", "c2", "é", "--file", str(path))
    assert added.returncode == EXIT_DONE
    assert added.stdout.startswith("sent: 3,001 records, ")
    assert "3,001 contacts put on" in added.stderr
    removed = segue("list", "remove", "vip", "--file", str(path), "--yes", "--json")
    assert [json.loads(line)["contact_id"] for line in removed.stdout.splitlines()][:3] == ["c0", "c1", "c2"]
    written = _written(kafka, begun)
    assert len({record.event_id for record in written if record.type == "list"}) == 3_001 + 3_000


def test_what_the_definitions_do_not_ask_for_is_warned_of_and_sent(kafka: Kafka, begun: Names, segue: Segue) -> None:
    outcome = segue("list", "add", "vpi", "c1")
    assert outcome.returncode == EXIT_DONE
    assert "warning: the active definitions ask for no list 'vpi'; did you mean 'vip'?" in outcome.stderr
    assert len(_written(kafka, begun)) == 1


def test_the_broker_stamps_where_it_does_and_no_other_time_is_taken(kafka: Kafka, begun: Names, segue: Segue) -> None:
    refused = segue(*ERASE, "--timestamp", AT)
    assert (refused.returncode, "--timestamp: the broker stamps" in refused.stderr) == (EXIT_BAD_INPUT, True)
    assert segue(*ERASE, "--at", AT).returncode == EXIT_DONE
    message = read_log(kafka.bootstrap_servers, begun.tracking)[partition_of("c1", PARTITIONS)][-1]
    kind, stamp = message.timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert stamp > parse_instant(AT)


def test_on_a_history_the_time_is_said_since_now_would_move_its_clock(
    kafka: Kafka, history: Names, segue: Segue
) -> None:
    refused = segue(*ERASE)
    assert (refused.returncode, "--at: expected when it occurred" in refused.stderr) == (EXIT_BAD_INPUT, True)
    later = "2026-11-22T00:00:00.000Z"
    assert segue(*ERASE, "--at", AT).returncode == EXIT_DONE
    assert segue(*ERASE, "--at", AT, "--timestamp", later).returncode == EXIT_DONE
    assert segue(*ERASE, environment={"SEGUE_TICKS": "on"}).returncode == EXIT_DONE
    messages = read_log(kafka.bootstrap_servers, history.tracking)[partition_of("c1", PARTITIONS)][1:]
    stamps = [message.timestamp()[1] for message in messages]
    assert stamps[:2] == [parse_instant(AT), parse_instant(later)]
    assert stamps[2] > parse_instant("2026-11-22T00:00:00Z")


def _wait(segue: Segue, redis_url: str, *arguments: str) -> Outcome:
    return segue("track", "c1", "purchase", "--wait", "0.2", *arguments, environment={"SEGUE_REDIS_URL": redis_url})


def test_waiting_without_a_worker_ends_with_the_code_for_trying_again_and_tells_that_the_record_is_there(
    kafka: Kafka, begun: Names, segue: Segue, redis_url: str
) -> None:
    outcome = _wait(segue, redis_url)
    assert outcome.returncode == EXIT_UNAVAILABLE
    assert outcome.stdout.startswith("sent: event_id ")
    assert "within 0.2 s: they are in the log" in outcome.stderr
    as_json = _wait(segue, redis_url, "--json")
    assert as_json.returncode == EXIT_UNAVAILABLE
    assert json.loads(as_json.stdout)["outcome"] == "pending"
    assert len(_written(kafka, begun)) == 2


def test_waiting_without_redis_sends_nothing(kafka: Kafka, begun: Names, segue: Segue) -> None:
    outcome = _wait(segue, f"redis://127.0.0.1:{free_port()}/0")
    assert (outcome.returncode, "is away" in outcome.stderr) == (EXIT_UNAVAILABLE, True)
    assert outcome.stderr.endswith("; nothing was sent\n")
    assert _written(kafka, begun) == []


def test_who_stops_waiting_is_told_that_the_record_is_sent(
    kafka: Kafka, begun: Names, segue: Segue, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "outcomes", interrupted)
    for options in ((), ("--json",)):
        outcome = _wait(segue, redis_url, *options)
        assert outcome.returncode == EXIT_BAD_INPUT
        assert "what was sent is in the log, and a worker will take it\n" in outcome.stderr
        assert position_name(partition_of("c1", PARTITIONS), len(_written(kafka, begun))) in outcome.stdout


@pytest.mark.usefixtures("begun")
def test_a_time_ahead_of_now_is_warned_of_where_it_cannot_count(segue: Segue) -> None:
    ahead = "warning: --at is ahead of now, so it counts as the clock when the record is applied"
    assert ahead in segue("track", "c1", "purchase", "--at", "2190-01-01T00:00:00Z", "--dry-run").stderr
    assert ahead not in segue("track", "c1", "purchase", "--at", "2020-01-01T00:00:00Z", "--dry-run").stderr


@pytest.mark.usefixtures("history")
def test_a_time_ahead_of_the_timestamp_that_is_given_is_warned_of(segue: Segue) -> None:
    arguments = ("track", "c1", "purchase", "--dry-run", "--at", "2190-01-01T00:00:00Z")
    assert "ahead of now" not in segue(*arguments).stderr
    assert "ahead of now" in segue(*arguments, "--timestamp", AT).stderr


def test_an_id_that_would_move_the_cursor_is_shown_escaped_and_sent_as_it_is(
    kafka: Kafka, begun: Names, segue: Segue
) -> None:
    outcome = segue("track", "[/]x\ny\x1b[31m", "purchase", "--event-id", "e\r1")
    assert outcome.returncode == EXIT_DONE
    assert outcome.stderr.startswith("event purchase of contact [/]x\\ny\\x1b[31m (partition ")
    assert outcome.stdout.startswith("sent: event_id e\\r1, position ")
    (record,) = _written(kafka, begun)
    assert record.type == "track"
    assert (record.contact_id, record.event_id) == ("[/]x\ny\x1b[31m", "e\r1")


def test_a_state_of_another_log_is_told_after_the_record_was_sent_with_where_it_lies(
    kafka: Kafka, begun: Names, segue: Segue, redis_url: str
) -> None:
    partition = partition_of("c1", PARTITIONS)
    client = redis.Redis.from_url(redis_url)
    meta: dict[Any, Any] = {"generation": 1, "offset": 700, "steps": 0, "seq": 3, "epoch": 1, "clock": 0}
    client.hset(begun.key(partition, "meta"), mapping=meta)
    client.close()
    outcome = _wait(segue, redis_url, "--json")
    assert outcome.returncode == EXIT_BAD_INPUT
    assert "is of another log" in outcome.stderr
    assert outcome.stderr.endswith("what was sent is in the log\n")
    assert json.loads(outcome.stdout)["position"] == position_name(partition, 1)
    assert len(_written(kafka, begun)) == 1
