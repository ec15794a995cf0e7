"""Definitions into the log: the first record of every partition, and changes of them later on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.errors import InputError
from schemas.records import DefinitionsRecord, encode_record
from streams.ports import LogWriter, TopicReader
from streams.sending.log_start import LogStarts, foreign_start, numbers, read_log_starts

RECORD_BYTES_MAX = 900_000


class Applied(NamedTuple):
    """What `apply` found and did, or would do, by partition."""

    written: list[int]
    there: list[int]


def plan_definitions(record: DefinitionsRecord, reader: TopicReader, topic: str) -> Applied:
    """To which partitions `apply_definitions` would write. Raises as it does, and writes nothing."""
    _check_size(record)
    starts = read_log_starts(reader, topic)
    _check(starts, record, topic)
    return Applied(starts.empty, sorted(starts.definitions))


def apply_definitions(
    record: DefinitionsRecord, reader: TopicReader, writer: LogWriter, topic: str, timestamp_ms: int
) -> Applied:
    """Append `record` to every partition of `topic` whose log is empty.

    Each partition is judged by its own log, so an apply that was cut short is completed by the next, for the version of
    the semantics for which it was begun.

    Nothing is written unless all partitions can be served. Raises `InputError` when they cannot, or when another apply
    was faster with another text.
    """
    applied = plan_definitions(record, reader, topic)
    for begun in read_log_starts(reader, topic).definitions.values():
        record = record.model_copy(update={"semantics": begun.semantics})  # one log begins as the other does
    value = encode_record(record)
    for partition in applied.written:
        writer.append(value, partition=partition, timestamp_ms=timestamp_ms)
    writer.flush()
    if applied.written:
        _check_first(read_log_starts(reader, topic), record, topic)
    return applied


def _check(starts: LogStarts, record: DefinitionsRecord, topic: str) -> None:
    if starts.other:
        raise foreign_start(topic, starts.other)
    if starts.deleted:
        raise InputError(
            f"{topic}: the first records of partition {numbers(starts.deleted)} are deleted: it cannot be told which "
            "definitions are active there"
        )
    others = [number for number, found in starts.definitions.items() if found.definitions != record.definitions]
    if others and starts.empty:
        active = starts.definitions[others[0]].hash
        raise InputError(
            f"{topic}: the logs of partition {numbers(starts.empty)} are empty, and those of partition "
            f"{numbers(others)} begin with other definitions (hash {active[:12]}): an apply of those was cut short; "
            "run it again first, then change them"
        )


def _check_first(starts: LogStarts, record: DefinitionsRecord, topic: str) -> None:
    what = record.definitions, record.semantics
    others = [number for number, one in starts.definitions.items() if (one.definitions, one.semantics) != what]
    if others:
        raise InputError(
            f"{topic}: another apply of other definitions came first in partition {numbers(others)}: see what holds "
            "with `segue definitions`, and apply what shall hold once more"
        )


def change_definitions(
    record: DefinitionsRecord, writer: LogWriter, partitions: Iterable[int], timestamp_ms: int
) -> None:
    """Append `record` to the logs of partitions, in which other definitions hold."""
    _check_size(record)
    value = encode_record(record)
    for partition in partitions:
        writer.append(value, partition=partition, timestamp_ms=timestamp_ms)
    writer.flush()


def _check_size(record: DefinitionsRecord) -> None:
    size = len(encode_record(record))
    if size > RECORD_BYTES_MAX:
        raise InputError(
            f"the definitions take {size} bytes as a record: expected at most {RECORD_BYTES_MAX}; shorten or split the "
            "file"
        )
