"""Which definitions a partition's log holds, be it that its worker has come to them or not."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.records import DefinitionsRecord, InvalidRecordError, decode_record, definitions_hash
from streams.generations import History
from streams.ports import LogBounds, PartitionMeta, RawRecord
from streams.segmentation import DefinitionsError, parse_canonical

_MARK = b'"definitions"'


@dataclass(frozen=True, slots=True)
class Held:
    """The newest definitions in a partition's log."""

    partition: int
    number: int
    hash: str
    text: str
    offset: int
    author: str
    message: str
    silent: bool
    is_made: bool
    """Whether the partition's worker has come past them."""


async def read_held(partition: int, meta: PartitionMeta | None, history: History, bounds: LogBounds) -> Held | None:
    """The newest definitions of a partition, whose log lies in `bounds`; None where it has none.

    Only what its worker has not folded yet is read. Raises `UnavailableError`.
    """
    held, start = None, bounds.start
    if meta is not None and meta.definitions is not None:
        newest = meta.versions[-1]
        start = max(bounds.start, meta.cursor.offset)
        held = Held(
            partition=partition,
            number=newest.number,
            hash=newest.hash,
            text=meta.definitions,
            offset=newest.offset,
            author=newest.author,
            message=newest.message,
            silent=newest.silent,
            is_made=meta.cursor.offset > newest.offset,
        )
    async for records in history.read(partition, LogBounds(start, bounds.end)):
        for raw in records:
            record = definitions_in(raw)
            if record is not None and (held is None or record.hash != held.hash):
                held = _held(partition, raw.offset, record)
    return held


def definitions_in(raw: RawRecord) -> DefinitionsRecord | None:
    """The record of definitions in `raw`; None where it is another one, or a dead letter."""
    if raw.key is not None or raw.value is None or _MARK not in raw.value:
        return None
    try:
        record = decode_record(raw.value)
        if not isinstance(record, DefinitionsRecord) or definitions_hash(record.definitions) != record.hash:
            return None
        parse_canonical(record.definitions)
    except (InvalidRecordError, DefinitionsError):
        return None
    return record


def _held(partition: int, offset: int, record: DefinitionsRecord) -> Held:
    return Held(
        partition=partition,
        number=record.number,
        hash=record.hash,
        text=record.definitions,
        offset=offset,
        author=record.author,
        message=record.message,
        silent=record.silent,
        is_made=False,
    )
