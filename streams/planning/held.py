"""Which definitions a partition's log holds, be it that its worker has come to them or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.errors import InputError, UnavailableError
from schemas.records import DefinitionsRecord, InvalidRecordError, decode_record, definitions_hash, definitions_identity
from streams.generations import GenerationStore, History
from streams.ports import LogBounds, PartitionMeta, RawRecord
from streams.segmentation import Definitions, DefinitionsError, check_semantics, parse_canonical

_MARK = b'"definitions"'


@dataclass(frozen=True, slots=True)
class Held:
    """The newest definitions in a partition's log."""

    partition: int
    number: int
    hash: str
    semantics: str
    text: str
    offset: int
    author: str
    message: str
    silent: bool
    is_made: bool
    """Whether the partition's worker has come past them."""

    @property
    def identity(self) -> str:
        """Of the definitions."""
        return definitions_identity(self.hash, self.semantics)

    def definitions(self) -> Definitions:
        """Them."""
        return parse_canonical(self.text, self.semantics)


async def read_held(partition: int, meta: PartitionMeta | None, history: History, bounds: LogBounds) -> Held | None:
    """The newest definitions of a partition, whose log lies in `bounds`; None where it has none.

    Only what its worker has not folded yet is read. Raises `UnavailableError`, and `InputError` where this program does
    not know what they mean.
    """
    held, start = None, bounds.start
    if meta is not None and meta.definitions is not None:
        newest = meta.versions[-1]
        start = max(bounds.start, meta.cursor.offset)
        held = Held(
            partition=partition,
            number=newest.number,
            hash=newest.hash,
            semantics=newest.semantics,
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
            if record is not None and (held is None or _identity(record) != held.identity):
                held = _held(partition, raw.offset, record)
    if held is not None:
        check_semantics(held.semantics, f"partition {partition}: definitions {held.number}")
    return held


async def held_by_workers(generations: GenerationStore, partitions: Iterable[int]) -> Definitions:
    """The definitions under which workers fold all partitions.

    Raises `InputError` where they are not the same everywhere, and `UnavailableError` where there are none.
    """
    found: dict[str, Definitions] = {}
    for partition in partitions:
        meta = await generations.serving(partition)
        if meta is None or meta.definitions is None:
            raise UnavailableError(f"partition {partition}: Redis holds no state of it: start `segue worker`")
        newest = meta.versions[-1]
        found[newest.identity] = parse_canonical(meta.definitions, newest.semantics)
    if len(found) != 1:
        raise InputError(
            f"partitions are folded under {len(found)} different definitions: wait until workers have made the change, "
            "or complete its apply; see `segue definitions`"
        )
    return next(iter(found.values()))


def definitions_in(raw: RawRecord) -> DefinitionsRecord | None:
    """The record of definitions in `raw`; None where it is another one, or a dead letter."""
    if raw.key is not None or raw.value is None or _MARK not in raw.value:
        return None
    try:
        record = decode_record(raw.value)
        if not isinstance(record, DefinitionsRecord) or definitions_hash(record.definitions) != record.hash:
            return None
        parse_canonical(record.definitions, record.semantics)
    except (InvalidRecordError, DefinitionsError):
        return None
    return record


def _identity(record: DefinitionsRecord) -> str:
    return definitions_identity(record.hash, record.semantics)


def _held(partition: int, offset: int, record: DefinitionsRecord) -> Held:
    return Held(
        partition=partition,
        number=record.number,
        hash=record.hash,
        semantics=record.semantics,
        text=record.definitions,
        offset=offset,
        author=record.author,
        message=record.message,
        silent=record.silent,
        is_made=False,
    )
