"""A partition's log as the auditor reads it: which records count, and where the clock stands at each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.records import ContactRecord, DefinitionsRecord, InvalidRecordError, Tick, decode_record, definitions_hash
from schemas.topics import partition_of
from streams.ports import RawRecord


@dataclass(frozen=True)
class PartitionLog:
    """All records of one partition of `tracking`, the first of which brings the definitions."""

    partition: int
    partitions: int
    records: Sequence[RawRecord]


class Counted(NamedTuple):
    """A record that counts."""

    offset: int
    timestamp_ms: int
    record: ContactRecord | Tick | DefinitionsRecord
    body: dict[str, Any]


def counted_records(log: PartitionLog) -> list[Counted]:
    """The records that are no dead letters, in order."""
    found: list[Counted] = []
    active: str | None = None
    for raw in log.records:
        counted = _counted(log, raw, active)
        if counted is not None:
            if isinstance(counted.record, DefinitionsRecord):
                active = counted.record.hash
            found.append(counted)
    return found


def dead_letters_expected(log: PartitionLog) -> list[int]:
    """Offsets of the records that must lie in the dead-letter topic, each once by its origin."""
    counted = {each.offset for each in counted_records(log)}
    return [raw.offset for raw in log.records if raw.offset not in counted]


def _counted(log: PartitionLog, raw: RawRecord, active: str | None) -> Counted | None:
    try:
        record = decode_record(raw.value)
    except InvalidRecordError:
        return None
    body = json.loads(raw.value or b"")
    if isinstance(record, Tick | DefinitionsRecord):
        if raw.key is not None:
            return None
        if isinstance(record, DefinitionsRecord):
            honest = definitions_hash(record.definitions) == record.hash
            if not honest or (active is not None and record.hash != active):
                return None
    elif raw.key != record.contact_id.encode() or partition_of(record.contact_id, log.partitions) != log.partition:
        return None
    return Counted(raw.offset, raw.timestamp_ms, record, body)
