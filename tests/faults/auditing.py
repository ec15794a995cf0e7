"""The whole of a namespace held against its log: journal, dead letters, transitions, and what Redis holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, TopicPartition

from schemas.topics import DEAD_LETTER_OFFSET, Names
from streams.adapters.kafka.tail import message_of
from streams.ports import Message, RawRecord
from tests.audit import PartitionLog, audit_partition, dead_letters_expected
from tests.audit.crossing import audit_crossing
from tests.engine.world import redis_contents
from tests.faults.load import Acknowledged

_READ_TIMEOUT_S = 30


@dataclass
class Verdict:
    """What an audit looked at, and every problem that it found."""

    records: int = 0
    acknowledged: int = 0
    transitions: int = 0
    dead_letters: int = 0
    problems: list[str] = field(default_factory=list)

    def __iadd__(self, other: Verdict) -> Verdict:
        self.records += other.records
        self.acknowledged += other.acknowledged
        self.transitions += other.transitions
        self.dead_letters += other.dead_letters
        self.problems += other.problems
        return self


def audit(
    servers: str, redis_url: str, names: Names, partitions: int, journal: Sequence[Acknowledged], *, zombies: bool
) -> Verdict:
    """Everything is folded and published by now. A zombie may publish a dead letter that its successor published."""
    logs = read_topic(servers, names.tracking, partitions)
    output = read_topic(servers, names.transitions, partitions)
    letters = read_topic(servers, names.dead_letter, partitions)
    contents = redis_contents(redis_url, names)
    verdict = Verdict(acknowledged=len(journal), problems=missing(journal, logs))
    partition_logs = [PartitionLog(number, partitions, list(map(_raw, log))) for number, log in enumerate(logs)]
    verdict.problems += audit_crossing(partition_logs)
    for partition, log in enumerate(partition_logs):
        verdict.records += len(log.records)
        verdict.transitions += len({dict(message.headers)["seq"] for message in output[partition]})
        verdict.dead_letters += len(letters[partition])
        verdict.problems += audit_partition(log, output[partition], contents[str(partition)])
        verdict.problems += misled(log, letters[partition], zombies=zombies)
    return verdict


def read_topic(servers: str, topic: str, partitions: int) -> list[list[Message]]:
    """Every message of a topic, by partition."""
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "audit", "enable.auto.commit": False, "log_level": 0}
    )
    bounds = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30) for number in range(partitions)]
    found: list[list[Message]] = [[] for _ in range(partitions)]
    places, wanted = [], 0
    for number, between in enumerate(bounds):
        assert between is not None, f"{topic} has no end"
        places.append(TopicPartition(topic, number, between[0]))
        wanted += between[1] - between[0]
    consumer.assign(places)
    while wanted:
        batch = consumer.consume(min(1_000, wanted), _READ_TIMEOUT_S)
        assert batch, f"{topic} ends {wanted} messages early"
        for raw in batch:
            assert raw.error() is None, raw.error()
            message = message_of(raw)
            found[message.partition].append(message)
        wanted -= len(batch)
    consumer.close()
    return found


def _raw(message: Message) -> RawRecord:
    return RawRecord(message.offset, message.timestamp_ms, message.key, message.value)


def missing(journal: Sequence[Acknowledged], logs: Sequence[Sequence[Message]]) -> list[str]:
    """What the broker had acknowledged and has not."""
    held = [{message.offset: message.value for message in log} for log in logs]
    lost = [one for one in journal if held[one.partition].get(one.offset) != one.value]
    return [f"lost: {len(lost)} acknowledged records are not in the log, such as {lost[0]}"] if lost else []


def misled(log: PartitionLog, letters: Sequence[Message], *, zombies: bool) -> list[str]:
    """What is wrong with the dead letters of a partition."""
    values = {record.offset: record.value for record in log.records}
    origins = [int(dict(letter.headers)[DEAD_LETTER_OFFSET]) for letter in letters]
    wanted = dead_letters_expected(log)
    lost, made_up = sorted(set(wanted) - set(origins)), sorted(set(origins) - set(wanted))
    doubled = [] if zombies else sorted({one for one in origins if origins.count(one) > 1})
    told = {"lost": lost, "made up": made_up, "doubled": doubled}
    problems = [
        f"partition {log.partition}: {word}: {len(found)} dead letters, such as that of record {found[0]}"
        for word, found in told.items()
        if found
    ]
    if made_up:
        return problems
    if any(letter.value != values[origin] for letter, origin in zip(letters, origins, strict=True)):
        problems.append(f"partition {log.partition}: a dead letter is not the record that it was")
    return problems
