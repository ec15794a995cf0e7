"""How the log of `tracking` must begin before anything else may be written to it or read from it.

Every partition begins with a `definitions` record. Until it does, whoever writes to the topic waits: a record in
front of it could never be evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.errors import InputError, UnavailableError
from schemas.records import DefinitionsRecord, InvalidRecordError, decode_record
from schemas.topics import Names
from streams.ports import Message, TopicReader


class NotBegunError(UnavailableError):
    """Kafka answers, and there is no log yet that may be written to."""


@dataclass(slots=True)
class LogStarts:
    """Partitions by what their log begins with."""

    definitions: dict[int, DefinitionsRecord] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)  # the first records are gone; what came after them is there
    other: list[int] = field(default_factory=list)


def read_log_starts(reader: TopicReader, topic: str) -> LogStarts:
    """What the log of each partition begins with. Raises `UnavailableError`."""
    starts = LogStarts()
    bounds, first_records = reader.log_bounds(topic), reader.first_records(topic)
    for partition, bound in sorted(bounds.items()):
        record = first_records.get(partition)
        if bound.start > 0:
            starts.deleted.append(partition)
        elif record is None:
            starts.empty.append(partition)
        else:
            definitions = _definitions(record)
            if definitions is None:
                starts.other.append(partition)
            else:
                starts.definitions[partition] = definitions
    return starts


def _definitions(record: Message) -> DefinitionsRecord | None:
    try:
        decoded = decode_record(record.value)
    except InvalidRecordError:
        return None
    return decoded if isinstance(decoded, DefinitionsRecord) else None


def check_topics(reader: TopicReader, names: Names) -> int:
    """Partitions of `tracking`, once all topics exist and have equally many.

    Raises `NotBegunError` for a missing topic, `InputError` for counts that differ.
    """
    wanted = (names.tracking, names.transitions, names.dead_letter)
    counts = reader.partition_counts(wanted)
    missing = [topic for topic in wanted if topic not in counts]
    if missing:
        raise NotBegunError(f"no topic {', '.join(missing)}: create it with `segue topics create`")
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{topic} has {counts[topic]}" for topic in wanted)
        raise InputError(f"topics must have equally many partitions, but {found}: delete them and create them again")
    return counts[names.tracking]


def check_log_begun(reader: TopicReader, topic: str) -> LogStarts:
    """What the log begins with, once every partition of `tracking` began with definitions.

    A log whose start was deleted had to begin with them too. Raises `UnavailableError` for an empty log,
    `InputError` for one that begins with another record.
    """
    starts = read_log_starts(reader, topic)
    if starts.other:
        raise foreign_start(topic, starts.other)
    if starts.empty:
        raise NotBegunError(
            f"{topic}: the log of partition {numbers(starts.empty)} has no definitions yet: run `segue apply`"
        )
    return starts


def foreign_start(topic: str, partitions: list[int]) -> InputError:
    """The error for logs that begin with another record than definitions."""
    return InputError(
        f"{topic}: the log of partition {numbers(partitions)} begins with another record than definitions, "
        "so it can never be evaluated: delete the topics, create them again, then run `segue apply`"
    )


def numbers(partitions: list[int]) -> str:
    """`0, 2, 5`."""
    return ", ".join(str(partition) for partition in partitions)
