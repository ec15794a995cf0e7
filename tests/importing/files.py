"""Files of contacts, mappings and jobs for tests, without any server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streams.importing.job import ImportJob, ImportOptions, contact_file, row_source
from streams.importing.journal import Begun, Journal
from streams.importing.mapping import ImportMapping
from streams.importing.rejected import RejectedRows
from streams.importing.row_records import Accepted, Rejected, RowRecords, Terms
from streams.importing.rows import Row
from streams.importing.scan import Scan
from streams.importing.sending import Duplicates, ImportSender, Pace
from streams.ports import LogIdentity, LogWriter

NOW_MS = 1_795_000_000_000
LOG = LogIdentity("cluster", "topic")
TERMS = Terms("import-1", NOW_MS, stated=True, backfill=True)


def mapping_of(**keys: Any) -> ImportMapping:
    """A mapping; by default the contact is the column `email`."""
    return ImportMapping.model_validate({"version": 1, "contact": "email"} | keys)


def row_of(**cells: Any) -> Row:
    """The first row of a file, with these cells."""
    return Row(1, 2, cells, json.dumps(cells, default=str))


def accepted(mapping: ImportMapping, row: Row, terms: Terms = TERMS) -> Accepted:
    """What a row becomes that is right."""
    found = RowRecords(mapping, terms).read(row)
    assert isinstance(found, Accepted), found
    return found


def refused(mapping: ImportMapping, row: Row, terms: Terms = TERMS) -> list[tuple[str, str]]:
    """Column and expectation of each thing that is wrong with a row."""
    found = RowRecords(mapping, terms).read(row)
    assert isinstance(found, Rejected), found
    return [(problem.column, problem.expected) for problem in found.problems]


def values_of(found: Accepted) -> list[dict[str, Any]]:
    """The records as JSON."""
    return [json.loads(outgoing.value) for outgoing in found.records]


class Clock:
    """Seconds that pass only when somebody sleeps or `now_s` is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s = 0.0

    def pace(self, records_per_second: int = 1_000_000) -> Pace:
        """A pace by this clock."""
        return Pace(records_per_second, lambda: self.now_s, self.sleep)

    def sleep(self, seconds: float) -> None:
        """Pass time."""
        self.now_s += seconds
        self.slept_s += seconds


class Run:
    """One run of an import, as the command makes it, on a log in memory."""

    def __init__(
        self,
        path: Path,
        mapping: ImportMapping,
        duplicates: Duplicates = "merge",
        *,
        live: bool = False,
        at_ms: int | None = None,
        now_ms: int = NOW_MS,
    ) -> None:
        self.file = contact_file(path, None, None)
        self.job = ImportJob(
            self.file, row_source(self.file, None, None), mapping, ImportOptions(duplicates, live, at_ms)
        )
        self.begun: Begun = self.job.identity(LOG, "tracking", now_ms)
        self.rejected: Path | None = None
        self.away: list[str] = []

    def scan(self) -> Scan:
        """The first look, with its file of rejected rows."""
        rows = RejectedRows(self.file.rejected, self.job.source, as_csv=self.file.format == "csv")
        found = self.job.scan(self.begun, rows, lambda _bytes, _scan: None)
        self.rejected = rows.settle()
        return found

    def send(self, *writers: LogWriter, clock: Clock | None = None, rate: int = 20, patience_s: float = 60) -> int:
        """Both looks; each failure takes the next of `writers`. Two records a batch by default."""
        self.scan()
        left = list(writers)
        clock = clock or Clock()
        with Journal(self.file.journal) as journal:
            state = journal.begin(self.begun)
            return self.job.send(
                state.begun,
                journal,
                state.reached.rows,
                lambda on_reached: ImportSender(
                    lambda: left.pop(0),
                    clock.pace(rate),
                    patience_s=patience_s,
                    on_reached=on_reached,
                    on_away=self.away.append,
                    on_progress=lambda _sent: None,
                ),
            )


def csv_file(path: Path, heading: str, rows: Sequence[str], *, line_end: str = "\n") -> Path:
    """A file of these lines."""
    path.write_text(line_end.join([heading, *rows, ""]), newline="")
    return path


def jsonl_file(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A file of an object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
