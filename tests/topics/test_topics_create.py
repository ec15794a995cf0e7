"""`segue topics create` on a real broker."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.adapters.kafka.create import DEAD_LETTER_SURPLUS_BYTES
from streams.adapters.kafka.topics import KafkaTopics
from tests.conftest import Kafka
from tests.support.processes import Commands, StartedCommand
from tests.support.run_directory import free_port

FOR_EVER = str(2**63 - 1)


@pytest.fixture
def topics(kafka: Kafka) -> KafkaTopics:
    return KafkaTopics(kafka.connection)


def create(commands: Commands, *options: str) -> StartedCommand:
    return commands.run("topics", "create", *options)


def config(topics: KafkaTopics, topic: str) -> dict[str, str]:
    found = topics.config(topic)
    assert found is not None
    return found


def test_three_topics_come_into_being_with_equal_partition_counts(
    commands: Commands, topics: KafkaTopics, namespace: str
) -> None:
    outcome = create(commands, "--partitions", "3")
    assert outcome.returncode == 0, outcome.tail()
    names = [f"{namespace}.tracking", f"{namespace}.transitions", f"{namespace}.tracking.dead_letter"]
    assert topics.partition_counts(names) == dict.fromkeys(names, 3)
    for name in names:
        found = config(topics, name)
        assert found["cleanup.policy"] == "delete"
        assert found["retention.ms"] == "-1"
        assert found["message.timestamp.type"] == "LogAppendTime"
    assert outcome.stderr == "", "keeping everything is no reason for a warning"


@pytest.mark.parametrize("name", ["lists", "keys"])
def test_what_apply_remembers_of_lists_and_the_keys_are_kept_in_one_compacted_partition_each(
    commands: Commands, topics: KafkaTopics, namespace: str, name: str
) -> None:
    assert create(commands, "--partitions", "3").returncode == 0
    assert topics.partition_counts([f"{namespace}.{name}"]) == {f"{namespace}.{name}": 1}
    found = config(topics, f"{namespace}.{name}")
    assert found["cleanup.policy"] == "compact"
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["max.compaction.lag.ms"] == str(86_400_000)


def test_dead_letters_admit_one_mebibyte_more_than_tracking(
    commands: Commands, topics: KafkaTopics, namespace: str
) -> None:
    assert create(commands, "--partitions", "1", "--message-max-bytes", "70000").returncode == 0
    assert int(config(topics, f"{namespace}.tracking")["max.message.bytes"]) == 70_000
    room = int(config(topics, f"{namespace}.tracking.dead_letter")["max.message.bytes"])
    assert room == 70_000 + DEAD_LETTER_SURPLUS_BYTES


def test_a_topic_for_history_takes_timestamps_of_any_year(
    commands: Commands, topics: KafkaTopics, namespace: str
) -> None:
    assert create(commands, "--partitions", "1", "--timestamps", "create").returncode == 0
    found = config(topics, f"{namespace}.tracking")
    assert found["message.timestamp.type"] == "CreateTime"
    assert found["message.timestamp.after.max.ms"] == FOR_EVER
    assert found["message.timestamp.before.max.ms"] == FOR_EVER
    assert topics.timestamp_type(f"{namespace}.tracking") == "create"


def test_a_second_run_changes_nothing_and_says_so(commands: Commands, topics: KafkaTopics, namespace: str) -> None:
    assert create(commands, "--partitions", "2").returncode == 0
    first = topics.log_identity(f"{namespace}.tracking")
    again = create(commands, "--partitions", "2", "--json")
    assert again.returncode == 0
    assert [topic["created"] for topic in json.loads(again.stdout)["topics"]] == [False] * 5
    assert topics.log_identity(f"{namespace}.tracking") == first
    assert "nothing to do" in create(commands, "--partitions", "2").stdout


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (("--partitions", "4"), "tracking has 2 partitions, not 4"),
        (("--partitions", "2", "--timestamps", "create"), "message.timestamp.type=LogAppendTime, not CreateTime"),
        (("--partitions", "2", "--retention", "90d"), "tracking has retention.ms=-1, not 7776000000"),
        (("--partitions", "2", "--transitions-retention", "1d"), "transitions has retention.ms=-1, not 86400000"),
    ],
)
def test_other_counts_or_settings_are_refused_and_named(
    commands: Commands, options: tuple[str, ...], difference: str
) -> None:
    assert create(commands, "--partitions", "2").returncode == 0
    outcome = create(commands, *options)
    assert outcome.returncode == 1
    assert difference in outcome.stderr


def test_where_one_topic_is_wrong_none_is_created(
    commands: Commands, kafka: Kafka, topics: KafkaTopics, namespace: str
) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    compacted = NewTopic(f"{namespace}.transitions", 2, 1, config={"cleanup.policy": "compact"})
    admin.create_topics([compacted])[f"{namespace}.transitions"].result(30)
    outcome = create(commands, "--partitions", "2")
    assert outcome.returncode == 1
    assert "cleanup.policy=compact, not delete" in outcome.stderr
    assert f"{namespace}.tracking" not in topics.partition_counts([f"{namespace}.tracking"])


def test_a_deployment_from_before_lists_gets_their_topic_by_the_same_command(
    commands: Commands, kafka: Kafka, namespace: str
) -> None:
    assert create(commands, "--partitions", "2").returncode == 0
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.delete_topics([f"{namespace}.lists"])[f"{namespace}.lists"].result(30)
    outcome = create(commands, "--partitions", "2")
    assert outcome.returncode == 0, outcome.tail()
    assert f"{namespace}.lists: 1 partition, created" in outcome.stdout
    assert f"{namespace}.tracking: 2 partitions, exists already" in outcome.stdout


def test_a_half_done_creation_is_completed(commands: Commands, kafka: Kafka, namespace: str) -> None:
    assert create(commands, "--partitions", "2").returncode == 0
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.delete_topics([f"{namespace}.tracking.dead_letter"])[f"{namespace}.tracking.dead_letter"].result(30)
    outcome = create(commands, "--partitions", "2", "--json")
    assert outcome.returncode == 0, outcome.tail()
    created = {
        topic["name"].removeprefix(f"{namespace}."): topic["created"] for topic in json.loads(outcome.stdout)["topics"]
    }
    assert created == {
        "tracking": False,
        "transitions": False,
        "tracking.dead_letter": True,
        "lists": False,
        "keys": False,
    }


def test_a_bounded_retention_is_warned_of_with_what_it_costs(
    commands: Commands, topics: KafkaTopics, namespace: str
) -> None:
    outcome = create(commands, "--partitions", "1", "--retention", "30d")
    assert outcome.returncode == 0
    assert config(topics, f"{namespace}.tracking")["retention.ms"] == str(30 * 86_400_000)
    assert "warning: " in outcome.stderr
    assert "tracking keeps its records for 30 days only" in outcome.stderr
    assert "a lost Redis cannot be recovered" in outcome.stderr


def test_a_replication_that_the_cluster_cannot_give_is_refused(commands: Commands) -> None:
    outcome = create(commands, "--partitions", "1", "--replication", "32")
    assert outcome.returncode == 1
    assert "replication" in outcome.stderr.lower()


@pytest.mark.parametrize("option", [("--partitions", "0"), ("--retention", "soon"), ("--timestamps", "wall")])
def test_options_of_the_wrong_form_are_a_usage_error(commands: Commands, option: tuple[str, str]) -> None:
    outcome = create(commands, *option)
    assert outcome.returncode == 2
    assert option[0] in outcome.stderr


def test_a_broker_that_is_away_is_said_so_with_the_code_for_trying_again(commands: Commands) -> None:
    away = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    outcome = commands.run("topics", "create", environment=away)
    assert outcome.returncode == 75
    assert "does not answer" in outcome.stderr


def test_the_embedded_broker_is_told_apart_and_asked_for_nothing(commands: Commands) -> None:
    broker = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 3})
    (address,) = [f"{one.host}:{one.port}" for one in broker.list_topics(timeout=10).brokers.values()]
    outcome = commands.run("topics", "create", environment={"SEGUE_KAFKA_BOOTSTRAP_SERVERS": address})
    assert outcome.returncode == 1
    assert "is the embedded broker" in outcome.stderr
