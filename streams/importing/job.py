"""One import, from a file to its records in the log: what it is known by, the first look at it, and the second."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.errors import InputError
from streams.importing.csv_rows import CsvRows
from streams.importing.journal import Begun, Journal
from streams.importing.jsonl_rows import JsonlRows
from streams.importing.mapping import ImportMapping, check_columns
from streams.importing.parquet_rows import ParquetRows
from streams.importing.rejected import RejectedRows
from streams.importing.row_records import RowRecords, Terms
from streams.importing.rows import Format, RowSource, format_of
from streams.importing.scan import Scan, Scanner
from streams.importing.seen import Seen
from streams.importing.sending import Duplicates, ImportSender, wanted_records
from streams.ports import LogIdentity
from streams.sending.sending import Outgoing

CONSENT_TIME = (
    "consents: expected `occurred_at` in the mapping or --at: a decision dated now would win over what contacts have "
    "decided since the file was made"
)


@dataclass(frozen=True, slots=True)
class ContactFile:
    """The file, and where what belongs to it lies."""

    path: Path
    name: str  # what it is called; standard input has been copied elsewhere
    directory: Path  # of the journal and of rejected rows
    format: Format

    @property
    def journal(self) -> Path:
        """How far its import has come."""
        return self.directory / f"{self.name}.import-journal"

    @property
    def rejected(self) -> Path:
        """Its rejected rows: CSV of CSV, else JSON lines."""
        ending = "csv" if self.format == "csv" else "jsonl"
        return self.directory / f"{Path(self.name).stem}.rejected.{ending}"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What somebody decided of an import besides the mapping."""

    duplicates: Duplicates
    live: bool  # whether workflows are to act on what changes
    at_ms: int | None  # when the rows were so that do not say


def contact_file(path: Path, stated: Format | None, directory: Path | None) -> ContactFile:
    """A file by its path. Raises `InputError`."""
    if not path.is_file():
        raise InputError(f"{path}: expected a file that can be read")
    return ContactFile(path, path.name, directory or path.parent, format_of(path, stated))


def row_source(file: ContactFile, encoding: str | None, delimiter: str | None) -> RowSource:
    """The rows of a file. Raises `InputError`, also for options of another format."""
    if file.format == "csv":
        return CsvRows(file.path, encoding, delimiter)
    if encoding is not None or delimiter is not None:
        raise InputError(f"--encoding, --delimiter: expected with CSV only, and {file.name} is read as {file.format}")
    return JsonlRows(file.path) if file.format == "jsonl" else ParquetRows(file.path)


class ImportJob:
    """An import of one file by one mapping."""

    def __init__(self, file: ContactFile, source: RowSource, mapping: ImportMapping, options: ImportOptions) -> None:
        """Raises `InputError` where the mapping names columns that are not there, or consent that has no time."""
        self.file = file
        self.options = options
        self.source = source
        self._mapping = mapping
        if mapping.consents and mapping.occurred_at is None and options.at_ms is None:
            raise InputError(CONSENT_TIME)
        if source.columns is not None:
            check_columns(mapping, source.columns)
        self._stamp = _stamp(file.path)
        self._seen = Seen()
        self._scan = Scan()

    def identity(self, log: LogIdentity, topic: str, now_ms: int) -> Begun:
        """What this import is known by: the same bytes, mapping, options and log are the same import."""
        options = self.options
        plan = [self._mapping.digest(), self.file.format, options.duplicates, options.live, options.at_ms]
        with self.file.path.open("rb") as raw:
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
        return Begun(
            file=digest,
            plan=hashlib.sha256(msgspec.json.encode(plan)).hexdigest(),
            cluster_id=log.cluster_id,
            topic_id=log.topic_id,
            topic=topic,
            occurred_at=now_ms if options.at_ms is None else options.at_ms,
        )

    def scan(self, begun: Begun, rejected: RejectedRows | None, on_progress: Callable[[int, Scan], None]) -> Scan:
        """The first look. Raises `InputError` for a file that cannot be read to its end or changes meanwhile."""
        scanner = Scanner(self.source, self._mapping, self._records(begun), self._seen)
        self._scan = scanner.run((lambda _row: None) if rejected is None else rejected.add, on_progress)
        self._check_unchanged()
        return self._scan

    def records(self, begun: Begun) -> Mapping[str, int]:
        """How many records of each type are to be written, after `scan`."""
        if not self._scan.duplicates or self.options.duplicates == "merge":
            return self._scan.records
        return Counter(outgoing.record.type for _, records in self._wanted(begun) for outgoing in records)

    def send(self, begun: Begun, journal: Journal, reached: int, make_sender: SenderMaker) -> int:
        """The second look, after `scan`: sends what follows the first `reached` rows; returns how many records.

        Raises as `ImportSender.send`, and `InputError` when the file changes meanwhile.
        """

        def note(rows: int) -> None:
            self._check_unchanged()  # else what was acknowledged may not be of the file that the journal names
            journal.reached(rows)

        sent = make_sender(note).send(self._wanted(begun), reached)
        journal.reached(self._scan.rows, finished=True)
        return sent

    @property
    def occurred_at_by_row(self) -> bool:
        """Whether rows may say when they were so."""
        return self._mapping.occurred_at is not None

    def close(self) -> None:
        """Forget what was kept to find duplicates."""
        self._seen.close()

    def _wanted(self, begun: Begun) -> Iterator[tuple[int, Sequence[Outgoing]]]:
        seen = self._seen if self._scan.duplicates else None
        return wanted_records(self.source, self._records(begun), self.options.duplicates, seen)

    def _records(self, begun: Begun) -> RowRecords:
        identity = hashlib.sha256(f"{begun.file}:{begun.plan}".encode()).hexdigest()
        options = self.options
        terms = Terms(identity, begun.occurred_at, stated=options.at_ms is not None, backfill=not options.live)
        return RowRecords(self._mapping, terms)

    def _check_unchanged(self) -> None:
        if _stamp(self.file.path) != self._stamp:
            raise InputError(f"{self.file.path}: expected a file that stays as it is while it is imported; it changed")


SenderMaker = Callable[[Callable[[int], None]], ImportSender]
"""Makes a sender that tells how many rows are in the log."""


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino
