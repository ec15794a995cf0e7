"""`segue apply` with lists on a real broker: the difference, what is said of it, and applies that are killed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_UNAVAILABLE
from schemas.instants import parse_instant
from schemas.records import DefinitionsRecord, Erase, ListMembership, decode_record
from schemas.topics import Names, partition_of
from schemas.transitions import Transition
from streams.adapters.kafka.compacted import KafkaCompactedLog
from streams.definition_files.reading import read_definitions
from streams.sending.applied_lists import lists_of
from streams.simulation.simulator import Simulator
from tests.conftest import Kafka
from tests.load.conftest import Segue
from tests.load.topics import PARTITIONS, append, create_topics, read_log
from tests.support.processes import Commands
from tests.support.waiting import wait_until

AT = "2026-11-21T09:00:00.000Z"
LATER = "2026-11-22T09:00:00.000Z"


class Definitions:
    """A definition file whose lists change."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "definitions.yaml"

    def write(self, vip: Iterable[str], big: Iterable[str] = ()) -> str:
        """Two lists, one of them in a file."""
        (self.path.parent / "big.csv").write_text("".join(f"{each}\n" for each in big))
        ids = json.dumps(list(vip))
        segments = "segments: {vips: {when: {listed: vip}}, bigs: {when: {listed: big}}}"
        self.path.write_text(f"version: 1\nlists: {{vip: {ids}, big: {{file: big.csv}}}}\n{segments}\n")
        return str(self.path)


@pytest.fixture
def definitions(tmp_path: Path) -> Definitions:
    return Definitions(tmp_path)


def _list_records(kafka: Kafka, names: Names) -> list[ListMembership]:
    """The list records, partition by partition; each partition begins with the definitions, or is empty."""
    found = []
    for messages in read_log(kafka.bootstrap_servers, names.tracking).values():
        for number, message in enumerate(messages):
            raw = message.value()
            assert isinstance(raw, bytes)
            record = decode_record(raw)
            assert isinstance(record, DefinitionsRecord if number == 0 else ListMembership | Erase)
            if isinstance(record, ListMembership):
                assert message.key() == record.contact_id.encode()
                assert message.timestamp()[1] in (parse_instant(AT), parse_instant(LATER))
                found.append(record)
    return found


def _memberships(kafka: Kafka, names: Names, definitions: Definitions) -> dict[str, list[str]]:
    """What the core makes of the log: every transition of each segment, `+` for an entry and `-` for an exit."""
    definitions.write([])
    simulator = Simulator(read_definitions(definitions.path))
    lines = (record.model_dump_json().encode() for record in _list_records(kafka, names))
    found: dict[str, list[str]] = {"vips": [], "bigs": []}
    for transition in simulator.feed(lines):
        assert isinstance(transition, Transition)
        sign = "+" if transition.type == "segment.entered" else "-"
        found[transition.segment].append(f"{sign}{transition.contact_id}")
    return {segment: sorted(moves) for segment, moves in found.items()}


def test_lists_come_after_the_definitions_and_only_what_changes_comes_later(
    kafka: Kafka, namespace: str, segue: Segue, definitions: Definitions
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, lists=True)
    big = [f"c{number}" for number in range(1_200)]
    first = segue("apply", definitions.write(["a", "b"], big), "--at", AT)
    assert first.returncode == EXIT_DONE, first.stderr
    assert first.stdout.splitlines()[1:] == [
        "list vip: 2 put on, 0 taken off, 0 unchanged",
        "list big: 1,200 put on, 0 taken off, 0 unchanged",
    ]
    assert {record.occurred_at for record in _list_records(kafka, names)} == {parse_instant(AT)}
    same = segue("apply", definitions.write(["b", "a"], big), "--at", LATER)
    assert same.stdout.startswith("nothing to do: ")
    assert "list big: 0 put on, 0 taken off, 1,200 unchanged" in same.stdout
    changed = segue("apply", definitions.write(["b", "c"], big), "--at", LATER, "--json")
    body = json.loads(changed.stdout)
    assert (body["written"], body["unchanged"], body["dry_run"]) == ([], [0, 1, 2], False)
    assert body["lists"]["vip"] == {"put_on": 1, "taken_off": 1, "unchanged": 1}
    assert body["lists"]["big"] == {"put_on": 0, "taken_off": 0, "unchanged": 1_200}
    assert len(_list_records(kafka, names)) == 1_204
    assert _memberships(kafka, names, definitions)["vips"] == ["+a", "+b", "+c", "-a"]


def test_a_dry_run_says_the_same_and_writes_nothing(
    kafka: Kafka, namespace: str, segue: Segue, definitions: Definitions
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, lists=True)
    path = definitions.write(["a"])
    dry = segue("apply", path, "--at", AT, "--dry-run")
    assert dry.returncode == EXIT_DONE
    assert dry.stdout.startswith("dry run: nothing was written\nwould apply definitions ")
    assert "list vip: 1 put on, 0 taken off, 0 unchanged" in dry.stdout
    journal = KafkaCompactedLog(kafka.connection, names.lists)
    assert (_list_records(kafka, names), journal.end()) == ([], 0)
    assert segue("apply", path, "--at", AT).returncode == EXIT_DONE
    definitions.path.write_text("version: 1\nsegments: {a: {when: {known_for: 1d}}}\n")
    refused = segue("apply", path, "--at", AT, "--dry-run")
    assert (refused.returncode, "start `segue worker`" in refused.stderr) == (EXIT_UNAVAILABLE, True)


def test_a_deployment_without_the_topic_is_asked_for_it_only_where_there_are_lists(
    kafka: Kafka, namespace: str, segue: Segue, definitions: Definitions
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace)
    missing = segue("apply", definitions.write(["a"]), "--at", AT)
    assert missing.returncode == EXIT_UNAVAILABLE
    assert f"no topic {names.lists}" in missing.stderr
    assert "`segue topics create`" in missing.stderr
    assert all(not messages for messages in read_log(kafka.bootstrap_servers, names.tracking).values())
    assert segue("apply", definitions.write([]), "--at", AT).returncode == EXIT_DONE
    assert segue("erase", "a", "--yes", "--at", AT).returncode == EXIT_DONE


def test_what_is_no_entry_of_a_list_is_refused_before_anything_is_written(
    kafka: Kafka, namespace: str, segue: Segue, definitions: Definitions
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, lists=True)
    journal = KafkaCompactedLog(kafka.connection, names.lists)
    journal.put(b"vip", b"{}")
    journal.flush()
    refused = segue("apply", definitions.write(["a"]), "--at", AT)
    assert (refused.returncode, "did not write there" in refused.stderr) == (EXIT_BAD_INPUT, True)
    assert all(not messages for messages in read_log(kafka.bootstrap_servers, names.tracking).values())


def test_erasing_forgets_what_apply_put_and_warns_of_the_file_that_still_names_the_contact(
    kafka: Kafka, namespace: str, segue: Segue, definitions: Definitions
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, lists=True)
    assert segue("apply", definitions.write(["a", "b"], ["a"]), "--at", AT).returncode == EXIT_DONE
    erased = segue("erase", "a", "--yes", "--at", LATER)
    assert erased.returncode == EXIT_DONE
    assert "warning: `segue apply` put it on big, vip: take it out of the definition file first" in erased.stderr
    journal = KafkaCompactedLog(kafka.connection, names.lists)
    assert (lists_of(journal, "a"), lists_of(journal, "b")) == ([], ["vip"])
    assert "warning" not in segue("erase", "a", "--yes", "--at", LATER).stderr
    after = segue("apply", definitions.write(["b"]), "--at", LATER)
    assert after.stdout.startswith("nothing to do: "), "no record speaks of the contact that was erased"


def test_after_an_erasure_that_came_by_the_collector_an_apply_speaks_of_the_contact_until_its_notes_are_removed(
    kafka: Kafka, namespace: str, segue: Segue, definitions: Definitions
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, lists=True)
    assert segue("apply", definitions.write(["a", "b", "c"]), "--at", AT).returncode == EXIT_DONE
    for contact_id in ("a", "b"):  # as the collector writes it, which has nothing to do with the topic of lists
        erase = {"type": "erase", "event_id": contact_id, "contact_id": contact_id, "occurred_at": LATER}
        partition, at_ms = partition_of(contact_id, PARTITIONS), parse_instant(LATER)
        append(kafka.bootstrap_servers, names.tracking, partition, json.dumps(erase).encode(), at_ms)
    unchanged = segue("apply", definitions.write(["a", "b", "c"]), "--at", LATER)
    assert unchanged.stdout.startswith("nothing to do: "), "the file still names them"
    assert segue("erase", "b", "--yes", "--at", LATER).returncode == EXIT_DONE
    dropped = segue("apply", definitions.write(["c"]), "--at", LATER)
    assert "list vip: 0 put on, 1 taken off, 1 unchanged" in dropped.stdout, "of a, and no more of b"
    (off,) = [record for record in _list_records(kafka, names) if not record.member]
    assert (off.contact_id, off.if_known) == ("a", True), "which makes nobody anew"


def test_a_time_before_the_log_is_refused_before_anything_is_written_and_an_erase_keeps_what_apply_noted(
    kafka: Kafka, namespace: str, segue: Segue, definitions: Definitions
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, lists=True)
    assert segue("apply", definitions.write(["a"]), "--at", AT).returncode == EXIT_DONE
    assert segue("list", "remove", "vip", "a", "--at", LATER).returncode == EXIT_DONE
    journal = KafkaCompactedLog(kafka.connection, names.lists)
    before = (journal.end(), len(_list_records(kafka, names)))
    refused = segue("apply", definitions.write([]), "--at", AT)
    assert refused.returncode == EXIT_BAD_INPUT
    assert f"--at: {AT}: expected {LATER} or later, the latest time in the log" in refused.stderr
    assert (journal.end(), len(_list_records(kafka, names))) == before
    assert segue("apply", definitions.write(["a"]), "--at", AT).stdout.startswith("nothing to do: ")
    overtaken = segue("erase", "a", "--yes", "--at", AT, "--event-id", "e1")
    assert (overtaken.returncode, f"--at is before {LATER}" in overtaken.stderr) == (EXIT_DONE, True)
    assert lists_of(journal, "a") == ["vip"]
    assert segue("erase", "a", "--yes", "--at", LATER).returncode == EXIT_DONE
    assert lists_of(journal, "a") == []


def test_without_a_time_what_is_sent_occurs_after_all_that_the_log_holds_also_when_its_clock_is_ahead(
    kafka: Kafka, namespace: str, segue: Segue, definitions: Definitions
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, lists=True)
    ahead, ticking = "2100-01-01T00:00:00.000Z", {"SEGUE_TICKS": "on"}
    path = str(definitions.path)
    for vip, *arguments in (
        ("a", "apply", path, "--at", ahead),
        ("", "erase", "a", "--yes"),
        ("a", "apply", path),
        ("", "apply", path),
        ("", "list", "add", "vip", "a"),
    ):
        definitions.write(vip)
        outcome = segue(*arguments, environment=ticking)
        assert outcome.returncode == EXIT_DONE, outcome.stderr
    found = read_log(kafka.bootstrap_servers, names.tracking)[partition_of("a", PARTITIONS)]
    stamps = [message.timestamp()[1] - parse_instant(ahead) for message in found]
    assert stamps == [0, 0, 2, 3, 4, 6]
    records = [decode_record(message.value() or b"") for message in found[1:]]
    assert [record.type for record in records] == ["list", "erase", "list", "list", "list"]


class _LogEnds:
    """Where logs end, asked for on one connection: to make one for each look takes longer than an apply."""

    def __init__(self, kafka: Kafka) -> None:
        self._consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "test"})

    def of(self, topic: str, partitions: int) -> int:
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        ends = [self._consumer.get_watermark_offsets(place, timeout=30) for place in places]
        return sum(end[1] for end in ends if end is not None)

    def close(self) -> None:
        self._consumer.close()


@pytest.mark.parametrize("stage", ["lists", "tracking"])
def test_an_apply_that_is_killed_is_completed_by_the_next_with_every_contact_on_its_lists_once(
    kafka: Kafka, namespace: str, segue: Segue, commands: Commands, definitions: Definitions, stage: str
) -> None:
    names = create_topics(kafka.bootstrap_servers, namespace, lists=True)
    assert segue("apply", definitions.write(["gone", "stays"]), "--at", AT).returncode == EXIT_DONE
    big = [f"c{number}" for number in range(40_000)]
    path = definitions.write(["stays", "new"], big)
    topic, partitions = (names.lists, 1) if stage == "lists" else (names.tracking, PARTITIONS)
    ends = _LogEnds(kafka)
    before, entries = ends.of(topic, partitions), ends.of(names.lists, 1)
    killed = commands.start("apply", path, "--at", LATER)
    wait_until(lambda: ends.of(topic, partitions) > before + 500, 60, f"the first writes to {topic}")
    killed.kill()
    assert ends.of(names.lists, 1) - entries < 2 * len(big), "it was killed before it was done"
    ends.close()
    again = segue("apply", path, "--at", LATER)
    assert again.returncode == EXIT_DONE, again.stderr
    assert "list big: 40,000 put on, 0 taken off, 0 unchanged" in again.stdout
    once_more = segue("apply", path, "--at", LATER)
    assert once_more.stdout.startswith("nothing to do: ")
    found = _memberships(kafka, names, definitions)
    assert found["vips"] == ["+gone", "+new", "+stays", "-gone"]
    assert found["bigs"] == sorted(f"+{each}" for each in big)
