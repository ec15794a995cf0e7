"""Folds the log a second time, beside the worker, and compares: state is a function of the log, and here is the proof.

It reads what the worker reads, in this process and with neither Faust nor Redis, and expects of each partition
exactly the transitions that the worker published, in the same order.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.errors import InputError
from schemas.records import (
    DefinitionsRecord,
    InvalidRecordError,
    Record,
    Tick,
    decode_record,
    definitions_identity,
)
from schemas.transitions import Transition
from streams.demo.refolding import Past, changed
from streams.ports import RawRecord
from streams.segmentation import Fold, core_of, parse_canonical


class Pair(NamedTuple):
    """A transition that the log calls for and that was published."""

    transition: Transition
    received_ms: int | None
    """When the collector received the record that released it; None for a tick, which nobody sent."""
    read_ms: int
    """When it was read from Kafka."""


@dataclass(slots=True)
class _Partition:
    fold: Fold | None = None
    past: list[Past] = field(default_factory=list)
    expected: deque[tuple[Transition, int | None]] = field(default_factory=deque)
    published: deque[tuple[Transition, int]] = field(default_factory=deque)


class Recomputation:
    """All partitions of one log. It keeps the log's records: definitions that change ask for them once more."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}
        self.equal = 0
        """Transitions that were compared, and were the same to the last field."""
        self.difference: str | None = None
        """The first one that was not."""

    @property
    def waiting(self) -> int:
        """Transitions that the log calls for and that were not published yet, or the other way round."""
        return sum(abs(len(one.expected) - len(one.published)) for one in self._partitions.values())

    def log(self, partition: int, raw: RawRecord) -> Record | None:
        """Take in the next record of a partition's log; returns it, or None where it is no valid record."""
        try:
            record = decode_record(raw.value)
        except InvalidRecordError:
            return None
        one = self._partitions.setdefault(partition, _Partition())
        if one.fold is None:
            if not isinstance(record, DefinitionsRecord):
                raise InputError(f"tracking partition {partition}: the log does not begin with definitions")
            one.fold = Fold(core_of(parse_canonical(record.definitions, record.semantics)), partition)
        clock_ms = max(one.fold.clock_ms, raw.timestamp_ms)
        one.fold.fire(clock_ms, raw.offset)
        about = None if isinstance(record, Tick | DefinitionsRecord) else record
        if isinstance(record, DefinitionsRecord):
            self._change(one, record, raw.offset)
        elif about is not None:
            one.fold.apply(about, raw.offset, clock_ms)
        one.past.append(Past(raw.offset, clock_ms, about))
        received_ms = None if about is None else about.received_at
        one.expected.extend((transition, received_ms) for transition in one.fold.emitted)
        one.fold.emitted.clear()
        one.fold.changed.clear()
        return record

    def _change(self, one: _Partition, record: DefinitionsRecord, offset: int) -> None:
        assert one.fold is not None, "a log begins with definitions"
        if definitions_identity(record.hash, record.semantics) == one.fold.core.definitions.identity:
            return
        if record.accept_short_history and self.difference is None:
            self.difference = "definitions were changed over a log whose start is gone, which nobody can recompute"
        one.expected.extend((transition, None) for transition in one.fold.emitted)
        one.fold.emitted.clear()
        definitions = parse_canonical(record.definitions, record.semantics)
        one.fold = changed(one.fold, one.past, definitions, record, offset)

    def publish(self, partition: int, transition: Transition, read_ms: int) -> None:
        """Take in the next transition that the worker published of a partition."""
        self._partitions.setdefault(partition, _Partition()).published.append((transition, read_ms))

    def compare(self) -> list[Pair]:
        """Pair off what both sides have; returns the pairs that are equal, partition by partition in order."""
        pairs: list[Pair] = []
        for number, one in self._partitions.items():
            while one.expected and one.published:
                (expected, received_ms), (published, read_ms) = one.expected.popleft(), one.published.popleft()
                if expected == published:
                    pairs.append(Pair(published, received_ms, read_ms))
                elif self.difference is None:
                    self.difference = _difference(number, expected, published)
        self.equal += len(pairs)
        return pairs


def _difference(partition: int, expected: Transition, published: Transition) -> str:
    fields = [
        f"{name} is {getattr(published, name)!r}, expected {getattr(expected, name)!r}"
        for name in Transition.__struct_fields__
        if getattr(published, name) != getattr(expected, name)
    ]
    return f"partition {partition}, {expected.segment}: {'; '.join(fields)}"
