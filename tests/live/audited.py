"""Reads from a broker and from Redis what the auditor compares, of all partitions of a place."""

from __future__ import annotations

import time
from collections.abc import Mapping

from schemas.kafka_connection import KafkaConnection
from schemas.topics import DEAD_LETTER_OFFSET, Names
from streams.adapters.kafka_follower import KafkaFollower
from streams.adapters.kafka_topics import KafkaTopics
from streams.ports import Message, RawRecord
from tests.audit.auditor import audit_partition
from tests.audit.log import PartitionLog, dead_letters_expected
from tests.engine.world import redis_contents

_TIMEOUT_S = 60


def problems_of(kafka: KafkaConnection, redis_url: str, names: Names) -> list[str]:
    """Every problem of every partition, once all is folded; none where all is right."""
    logs = {topic: _messages(kafka, topic) for topic in (names.tracking, names.transitions, names.dead_letter)}
    tracking = logs[names.tracking]
    contents = redis_contents(redis_url, names)
    problems = []
    for partition, messages in tracking.items():
        records = [RawRecord(each.offset, each.timestamp_ms, each.key, each.value) for each in messages]
        log = PartitionLog(partition, len(tracking), records)
        problems += audit_partition(log, logs[names.transitions][partition], contents[str(partition)])
        origins = [int(dict(each.headers)[DEAD_LETTER_OFFSET]) for each in logs[names.dead_letter][partition]]
        if origins != dead_letters_expected(log):
            problems.append(f"partition {partition}: dead letters {origins}, expected {dead_letters_expected(log)}")
    return problems


def _messages(kafka: KafkaConnection, topic: str) -> Mapping[int, list[Message]]:
    bounds = KafkaTopics(kafka).log_bounds(topic)
    found: dict[int, list[Message]] = {partition: [] for partition in bounds}
    follower = KafkaFollower(kafka, topic, {partition: bound.start for partition, bound in bounds.items()})
    deadline = time.monotonic() + _TIMEOUT_S
    while any(follower.positions[partition] < bound.end for partition, bound in bounds.items()):
        assert time.monotonic() < deadline, f"{topic} was not sent in time"
        for message in follower.read(250):
            found[message.partition].append(message)
    follower.close()
    return found
