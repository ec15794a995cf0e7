"""The first look at a whole file: what each row would become, and what rows have to do with each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streams.importing.cells import is_empty
from streams.importing.mapping import ImportMapping
from streams.importing.row_records import Accepted, Rejected, RowRecords
from streams.importing.rows import REJECTED_COLUMNS, Row, RowSource
from streams.importing.seen import Seen
from streams.importing.shortening import as_shown

KEPT_MAX = 1_000
"""Findings of one sort that are kept to be told; all are counted."""
SAMPLES_MAX = 3
"""Samples of each column."""
_UNSHARED = ("email", "phone")
_PROGRESS_ROWS = 1_000


class Duplicate(NamedTuple):
    """A contact that is in two rows."""

    line: int
    first_line: int


class Shared(NamedTuple):
    """An address or a number of two contacts."""

    trait: str
    line: int
    first_line: int


class Sample(NamedTuple):
    """A cell that is spelt otherwise afterwards."""

    line: int
    column: str
    before: Any
    after: Any


@dataclass(slots=True)
class Scan:
    """What was found in a file."""

    rows: int = 0
    accepted: int = 0
    contacts: int = 0
    rejected: int = 0
    rejected_rows: list[Rejected] = field(default_factory=list)
    duplicates: int = 0  # rows of contacts that are in an earlier row too
    duplicate_rows: list[Duplicate] = field(default_factory=list)
    shared: int = 0
    shared_values: list[Shared] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)  # by type, of all rows
    samples: dict[str, list[Sample]] = field(default_factory=dict)  # by column
    unmapped: list[str] = field(default_factory=list)  # columns that become nothing, and nobody said so
    never_filled: list[str] = field(default_factory=list)  # columns of the mapping without a cell in any row


class Scanner:
    """Goes through a file once. `seen` afterwards knows every contact of it."""

    def __init__(self, source: RowSource, mapping: ImportMapping, records: RowRecords, seen: Seen) -> None:
        self._source = source
        self._mapping = mapping
        self._records = records
        self._seen = seen
        self._columns = {name for _, name in mapping.columns()}
        self._passed_over = {*self._columns, *mapping.ignore, *REJECTED_COLUMNS}
        self._unshared = [(name, spec.kind) for name, spec in mapping.traits.items() if spec.kind in _UNSHARED]
        self._normalised = {spec.column: name for name, spec in mapping.traits.items()}
        self._unmapped: dict[str, None] = dict.fromkeys(self._foreign(source.columns or ()))
        self._filled: set[str] = set()
        self.scan = Scan()

    def run(self, on_rejected: Callable[[Rejected], None], on_progress: Callable[[int, Scan], None]) -> Scan:
        """All of the file. `on_progress` gets how far in the file it is, in bytes. Raises `InputError`."""
        scan = self.scan
        for row in self._source.rows(lambda done: on_progress(done, scan)):
            scan.rows += 1
            self._look_at(row)
            found = self._records.read(row)
            if isinstance(found, Rejected):
                scan.rejected += 1
                _keep(scan.rejected_rows, found)
                on_rejected(found)
            else:
                self._take(found)
        scan.unmapped = list(self._unmapped)
        scan.never_filled = sorted(self._columns - self._filled) if scan.rows else []
        return scan

    def _look_at(self, row: Row) -> None:
        if self._source.columns is None and len(self._unmapped) < KEPT_MAX:
            self._unmapped.update(dict.fromkeys(self._foreign(list(row.cells))))
        if len(self._filled) < len(self._columns):
            self._filled |= {name for name in self._columns - self._filled if not is_empty(row.cells.get(name))}

    def _foreign(self, columns: Sequence[str]) -> Iterator[str]:
        return (name for name in columns if name not in self._passed_over)

    def _take(self, found: Accepted) -> None:
        scan, line = self.scan, found.row.line
        scan.accepted += 1
        scan.records.update(outgoing.record.type for outgoing in found.records)
        before = self._seen.contact(found.contact_id, found.row.number, line)
        if before is None:
            scan.contacts += 1
        else:
            scan.duplicates += 1
            _keep(scan.duplicate_rows, Duplicate(line, before.first_line))
        for trait, kind in self._unshared:
            value = found.traits.get(trait)
            other = None if value is None else self._seen.shared(kind, value, found.contact_id, line)
            if other is not None:
                scan.shared += 1
                _keep(scan.shared_values, Shared(trait, line, other))
        self._sample(found)

    def _sample(self, found: Accepted) -> None:
        cells = found.row.cells
        after = {column: found.traits.get(trait) for column, trait in self._normalised.items()}
        after[self._mapping.contact.column] = found.contact_id
        for column, value in after.items():
            kept = self.scan.samples.setdefault(column, [])
            before = cells.get(column)
            if len(kept) < SAMPLES_MAX and value is not None and as_shown(before) != as_shown(value):
                kept.append(Sample(found.row.line, column, before, value))


def _keep(kept: list[Any], found: Any) -> None:
    if len(kept) < KEPT_MAX:
        kept.append(found)
