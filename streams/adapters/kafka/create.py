"""Creates Segue's topics, and refuses what is there when it is not what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.errors import InputError
from schemas.instants import DAY_MS
from schemas.kafka_connection import KafkaConnection
from schemas.topics import Names
from streams.adapters.kafka.topics import KafkaTopics
from streams.ports import TimestampType

KEEP_FOR_EVER_MS = -1
MESSAGE_MAX_BYTES = 1_048_588
"""Kafka's own default for a topic."""
DEAD_LETTER_SURPLUS_BYTES = 1_048_576
"""A dead letter is its record, bytes unchanged, and headers that say why."""
COMPACTED_PARTITIONS = 1
DEFAULT_REPLICATION = -1
"""As the cluster's `default.replication.factor` has it."""

_LONGEST_MS = str(2**63 - 1)
_CREATE_TIMEOUT_S = 30.0
_REFUSALS = {
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.INVALID_CONFIG,
    KafkaError.INVALID_REQUEST,
    KafkaError.POLICY_VIOLATION,
    KafkaError.TOPIC_EXCEPTION,
}


class Retention(NamedTuple):
    """How long each topic keeps its records, in milliseconds; `KEEP_FOR_EVER_MS` for ever."""

    tracking_ms: int = KEEP_FOR_EVER_MS
    transitions_ms: int = KEEP_FOR_EVER_MS
    dead_letter_ms: int = KEEP_FOR_EVER_MS


class TopicPlan(NamedTuple):
    """A topic as it should be."""

    name: str
    partitions: int
    settings: dict[str, str]


def plan_topics(
    names: Names, partitions: int, timestamps: TimestampType, retention: Retention, message_max_bytes: int
) -> tuple[TopicPlan, ...]:
    """The topics: `transitions` and dead letters mirror `tracking` and its partition count, the others have one.

    On all but `tracking` the broker always stamps: their times are for people and metrics, and a worker whose
    clock is wrong must not be refused.
    """
    tracking = {**_kept(retention.tracking_ms), "max.message.bytes": str(message_max_bytes)}
    if timestamps == "create":
        # History is stamped with its own times, of any year; by time alone no segment should roll.
        tracking |= {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": _LONGEST_MS}
        tracking |= {"message.timestamp.before.max.ms": _LONGEST_MS, "segment.ms": _LONGEST_MS}
    else:
        tracking |= {"message.timestamp.type": "LogAppendTime"}
    stamped = {"message.timestamp.type": "LogAppendTime"}
    transitions = {**_kept(retention.transitions_ms), **stamped}
    room = {"max.message.bytes": str(message_max_bytes + DEAD_LETTER_SURPLUS_BYTES)}
    dead_letter = {**_kept(retention.dead_letter_ms), **stamped, **room}
    return (
        TopicPlan(names.tracking, partitions, tracking),
        TopicPlan(names.transitions, partitions, transitions),
        TopicPlan(names.dead_letter, partitions, dead_letter),
        TopicPlan(names.lists, COMPACTED_PARTITIONS, _COMPACTED | stamped),
        TopicPlan(names.keys, COMPACTED_PARTITIONS, _COMPACTED | stamped),
    )


def _kept(retention_ms: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(retention_ms), "retention.bytes": "-1"}


_COMPACTED = {
    "cleanup.policy": "compact",
    # The ids of contacts that were erased or taken off go within about a day of the next write.
    "max.compaction.lag.ms": str(DAY_MS),
}


class KafkaTopicCreator:
    """Creates topics on one cluster. Calls block."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._topics = KafkaTopics(connection)
        self._admin = AdminClient(connection.client() | {"log_level": 0})

    def create(self, plans: Sequence[TopicPlan], replication: int = DEFAULT_REPLICATION) -> frozenset[str]:
        """Create those that are missing and return their names.

        All that exist are compared first: when one is not as planned nothing is created, and `InputError` names
        every difference. Raises `UnavailableError` when Kafka does not answer.
        """
        if self._topics.is_embedded():
            raise InputError(
                f"Kafka at {self._connection.bootstrap_servers} is the embedded broker, which makes its topics itself"
            )
        counts = self._topics.partition_counts([plan.name for plan in plans])
        existing = [plan for plan in plans if plan.name in counts]
        differences = [line for plan in existing for line in self._differences(plan, counts[plan.name])]
        if differences:
            raise InputError(
                "topics that exist are not as asked for: "
                + "; ".join(differences)
                + ". Ask for what there is, or delete them and lose their records; a partition count never changes"
            )
        missing = [plan for plan in plans if plan.name not in counts]
        if missing:
            self._create(missing, replication)
        return frozenset(plan.name for plan in missing)

    def _differences(self, plan: TopicPlan, partitions: int) -> list[str]:
        lines = []
        if partitions != plan.partitions:
            lines.append(f"{plan.name} has {partitions} partitions, not {plan.partitions}")
        found = self._topics.config(plan.name) or {}
        for setting, wanted in plan.settings.items():
            actual = found.get(setting, "nothing")
            if actual != wanted:
                lines.append(f"{plan.name} has {setting}={actual}, not {wanted}")
        return lines

    def _create(self, plans: Sequence[TopicPlan], replication: int) -> None:
        new = [NewTopic(plan.name, plan.partitions, replication, config=plan.settings) for plan in plans]
        created = self._admin.create_topics(new, operation_timeout=_CREATE_TIMEOUT_S, request_timeout=_CREATE_TIMEOUT_S)
        for name, future in created.items():
            try:
                future.result()
            except KafkaException as error:
                self._refuse(name, error.args[0])

    def _refuse(self, name: str, error: KafkaError) -> NoReturn:
        what = f"did not create {name}"
        if error.code() in _REFUSALS:
            raise InputError(f"Kafka at {self._connection.bootstrap_servers} {what}: {error.str()}")
        raise self._connection.failure(what, error.code(), error.str()) from None
