"""Files of records, one JSON object a line: what `segue simulate` and `segue load` take alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from schemas.records import DefinitionsRecord, InvalidRecordError, Record, Tick, decode_record

LINE_BYTES_MAX = 1_000_000
"""A longer line is a bad one: a topic takes records up to 1 MiB, the key and what Kafka adds included."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a valid record."""

    number: int
    reason: str


def read_lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines of a file. Of one that is too long, only the first `LINE_BYTES_MAX` bytes and one more are given."""
    while line := source.readline(LINE_BYTES_MAX + 1):
        yield line
        rest = line
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
            rest = source.readline(LINE_BYTES_MAX + 1)


def read_line(line: bytes, *, definitions: bool = False) -> Record:
    """The record in a line, one that states an instant. Raises `InvalidRecordError`; unless asked for, for definitions
    too.
    """
    if len(line) > LINE_BYTES_MAX:
        raise InvalidRecordError("invalid", f"expected at most {LINE_BYTES_MAX} bytes in a line")
    record = decode_record(line)
    if isinstance(record, DefinitionsRecord) and not definitions:
        raise InvalidRecordError("invalid", "expected no definitions among events: `segue apply` writes them")
    if stated_ms(record) is None:
        raise InvalidRecordError("invalid", f"received_at: expected it on a record of type {record.type}")
    return record


def stated_ms(record: Record) -> int | None:
    """The instant that moves the clock where Kafka stamps nothing: `received_at`, else `occurred_at`."""
    if record.received_at is not None or isinstance(record, Tick | DefinitionsRecord):
        return record.received_at
    return record.occurred_at
