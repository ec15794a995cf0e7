"""A partition's log as the auditor reads it: which records count, and where the clock stands at each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.records import ContactRecord, DefinitionsRecord, InvalidRecordError, Tick, decode_record, definitions_hash
from schemas.topics import partition_of
from streams.ports import RawRecord
from streams.segmentation import DefinitionsError, parse_canonical
from streams.versions import Version


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


class Change(NamedTuple):
    """A record from which on other definitions hold, the log's first one among them."""

    offset: int
    clock_ms: int
    record: DefinitionsRecord

    @property
    def version(self) -> Version:
        """As it must be stored."""
        one = self.record
        return Version(one.number, one.hash, self.offset, self.clock_ms, one.author, one.message, one.silent)


def changes_of(counted: Sequence[Counted]) -> list[Change]:
    """All changes of a log, in order."""
    found: list[Change] = []
    clock_ms = 0
    for each in counted:
        clock_ms = max(clock_ms, each.timestamp_ms)
        record = each.record
        if isinstance(record, DefinitionsRecord) and (not found or found[-1].record.hash != record.hash):
            found.append(Change(each.offset, clock_ms, record))
    return found


def counted_records(log: PartitionLog) -> list[Counted]:
    """The records that are no dead letters, in order."""
    return [counted for raw in log.records if (counted := _counted(log, raw)) is not None]


def dead_letters_expected(log: PartitionLog) -> list[int]:
    """Offsets of the records that must lie in the dead-letter topic, each once by its origin."""
    counted = {each.offset for each in counted_records(log)}
    return [raw.offset for raw in log.records if raw.offset not in counted]


def _counted(log: PartitionLog, raw: RawRecord) -> Counted | None:
    try:
        record = decode_record(raw.value)
    except InvalidRecordError:
        return None
    body = json.loads(raw.value or b"")
    if isinstance(record, Tick | DefinitionsRecord):
        if raw.key is not None:
            return None
        if isinstance(record, DefinitionsRecord):
            if definitions_hash(record.definitions) != record.hash:
                return None
            try:
                parse_canonical(record.definitions)
            except DefinitionsError:
                return None
    elif raw.key != record.contact_id.encode() or partition_of(record.contact_id, log.partitions) != log.partition:
        return None
    return Counted(raw.offset, raw.timestamp_ms, record, body)
