"""Which records of a partition's log count, and which are dead letters: the same decision at every replay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from schemas.errors import SegueError
from schemas.records import (
    ContactRecord,
    DefinitionsRecord,
    InvalidRecordError,
    Reason,
    Tick,
    decode_record,
    definitions_hash,
    definitions_identity,
)
from schemas.topics import partition_of
from streams.ports import RawRecord
from streams.segmentation import (
    Definitions,
    DefinitionsError,
    check_semantics,
    contact_key,
    parse_canonical,
)
from streams.sending.log_start import foreign_start

RejectionReason: TypeAlias = Reason | Literal["foreign_key", "foreign_partition", "invalid_definitions"]


class RejectedRecordError(ValueError):
    """The record is a dead letter. `reason` is a label of few values; the text says what was expected."""

    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RejectionReason = reason
        self.detail = detail


class Rejected(NamedTuple):
    """A dead letter: the record, and why it is one."""

    raw: RawRecord
    error: RejectedRecordError


class Change(NamedTuple):
    """A record of definitions, and what it brings."""

    record: DefinitionsRecord
    definitions: Definitions | None
    """None where they hold already."""


class Admitted:
    """A record that counts. One that is about no contact does so by its time alone, unless it brings definitions."""

    __slots__ = ("change", "key", "offset", "record", "timestamp_ms", "type")

    def __init__(
        self,
        offset: int,
        timestamp_ms: int,
        type_: str,
        record: ContactRecord | None,
        key: str,
        change: Change | None = None,
    ) -> None:
        """`key` is that of the contact's state; empty without a contact."""
        self.change = change
        self.offset = offset
        self.timestamp_ms = timestamp_ms
        self.type = type_
        self.record = record
        self.key = key


class Admission:
    """Decides on the records of one partition, in order of the log."""

    def __init__(self, topic: str, partition: int, partitions: int, keys_cached_max: int) -> None:
        """`partitions` is how many `tracking` has; `keys_cached_max` bounds the memory for keys of contacts."""
        self._topic = topic
        self._partition = partition
        self._partitions = partitions
        self._key_of = self._cached_key_of(keys_cached_max)
        self._active = ""
        """Identity of the definitions that hold after what was admitted last; empty before the log's first record."""

    def restore(self, active: str) -> None:
        """Go on where definitions of this identity hold; it is empty before the log's first record."""
        self._active = active

    def admit(self, raw: RawRecord) -> Admitted:
        """The record in the bytes. Raises `RejectedRecordError` for a dead letter.

        Raises `InputError` when the log's first valid record brings no definitions, and for definitions that this
        version of Segue would take for something else than they mean.
        """
        try:
            record = decode_record(raw.value)
        except InvalidRecordError as error:
            raise RejectedRecordError(error.reason, error.detail) from None
        if record.type == "tick" or record.type == "definitions":  # noqa: PLR1714 - the type checker reads this one
            return self._admit_without_contact(raw, record)
        contact_id = record.contact_id
        if raw.key != contact_id.encode():
            raise RejectedRecordError("foreign_key", "key: expected the contact_id in UTF-8")
        key = self._key_of(contact_id)
        if key is None:
            right = partition_of(contact_id, self._partitions)
            raise RejectedRecordError(
                "foreign_partition",
                f"expected in partition {right} of {self._partitions}, by murmur2 of the key; it lies in "
                f"{self._partition}",
            )
        if not self._active:
            raise self._foreign_start()
        return Admitted(raw.offset, raw.timestamp_ms, record.type, record, key)

    def admit_all(self, records: Iterable[RawRecord]) -> tuple[list[Admitted], list[Rejected]]:
        """Those that count, and the dead letters. Raises as `admit` does for the log's first record."""
        admit = self.admit
        admitted, rejected = [], []
        for raw in records:
            try:
                admitted.append(admit(raw))
            except RejectedRecordError as error:
                rejected.append(Rejected(raw, error))
        return admitted, rejected

    def _admit_without_contact(self, raw: RawRecord, record: Tick | DefinitionsRecord) -> Admitted:
        if raw.key is not None:
            raise RejectedRecordError("foreign_key", f"key: expected none on a record of type {record.type}")
        change = None
        if record.type == "definitions":
            change = self._change_by(record)
        elif not self._active:
            raise self._foreign_start()
        return Admitted(raw.offset, raw.timestamp_ms, record.type, None, "", change)

    def _change_by(self, record: DefinitionsRecord) -> Change:
        if definitions_hash(record.definitions) != record.hash:
            raise RejectedRecordError("invalid_definitions", "hash: expected the SHA-256 of `definitions`")
        place = f"partition {self._partition} of {self._topic}: definitions {record.number}"
        check_semantics(record.semantics, place)
        identity = definitions_identity(record.hash, record.semantics)
        if identity == self._active:
            return Change(record, None)
        try:
            definitions = parse_canonical(record.definitions, record.semantics)
        except DefinitionsError as error:
            raise RejectedRecordError("invalid_definitions", str(error)) from None
        self._active = identity
        return Change(record, definitions)

    def _foreign_start(self) -> SegueError:
        return foreign_start(self._topic, [self._partition])

    def _cached_key_of(self, cached_max: int) -> Callable[[str], str | None]:
        # Hashing an id twice costs more than all else that is done to admit its record.
        partition, partitions = self._partition, self._partitions

        @lru_cache(maxsize=cached_max)
        def key_of(contact_id: str) -> str | None:
            return contact_key(contact_id) if partition_of(contact_id, partitions) == partition else None

        return key_of


def consecutive_from(records: Sequence[RawRecord], offset: int) -> int:
    """How many of the first records follow one another from `offset` on."""
    if records and records[0].offset == offset and records[-1].offset == offset + len(records) - 1:
        return len(records)
    return next((place for place, record in enumerate(records) if record.offset != offset + place), len(records))
