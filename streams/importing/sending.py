"""The second look at a file: its records into the log, bounded in rate, so that it can be broken off at any point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

from schemas.errors import UnavailableError
from streams.importing.row_records import Rejected, RowRecords
from streams.importing.rows import RowSource
from streams.importing.seen import Seen
from streams.ports import LogWriter
from streams.sending.sending import Outgoing

Duplicates: TypeAlias = Literal["merge", "first", "last", "refuse"]
"""What becomes of several rows of one contact; `refuse` never gets here where there are any."""
DUPLICATES: tuple[str, ...] = get_args(Duplicates)
BATCH_RECORDS_MAX = 5_000
BATCHES_A_SECOND = 10


class Progress(NamedTuple):
    """How far the sending has come."""

    rows: int
    records: int  # of this run


@dataclass(frozen=True, slots=True)
class Pace:
    """Records a second on average, and what tells and passes time, in seconds."""

    records_per_second: int
    now_s: Callable[[], float]
    sleep_s: Callable[[float], None]

    @property
    def batch_records(self) -> int:
        """Small enough that batches come evenly."""
        return max(1, min(BATCH_RECORDS_MAX, self.records_per_second // BATCHES_A_SECOND))


class ImportSender:
    """Sends what rows become, batch by batch; each is acknowledged before the next one is sent."""

    def __init__(
        self,
        open_writer: Callable[[], LogWriter],
        pace: Pace,
        *,
        patience_s: float,
        on_reached: Callable[[int], None],
        on_away: Callable[[str], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        """`on_reached` gets the number of rows whose records are acknowledged; `on_away` what Kafka said each time that
        it did not take a batch, which is sent again for `patience_s`."""
        self._open_writer = open_writer
        self._writer: LogWriter | None = None
        self._pace = pace
        self._patience_s = patience_s
        self._on_reached = on_reached
        self._on_away = on_away
        self._on_progress = on_progress
        self._next_s = pace.now_s()

    def send(self, rows: Iterator[tuple[int, Sequence[Outgoing]]], reached: int) -> int:
        """Send the records of `(row number, records)`; returns how many were sent.

        Of the first `reached` rows nothing is sent. Raises `InputError` for a record that Kafka refuses for good,
        `UnavailableError` when it was away for longer than there was patience: in both cases all rows that
        `on_reached` was told of are in the log.
        """
        batch: list[Outgoing] = []
        sent, last, noted = 0, reached, reached
        for number, records in rows:
            if number <= reached:
                continue
            batch += records
            last = number
            if len(batch) >= self._pace.batch_records:
                sent += self._deliver(batch, last)
                self._on_progress(Progress(last, sent))
                batch, noted = [], last
        if last > noted:
            sent += self._deliver(batch, last)
            self._on_progress(Progress(last, sent))
        return sent

    def _deliver(self, batch: Sequence[Outgoing], last_row: int) -> int:
        now_s = self._pace.now_s()
        if now_s < self._next_s:
            self._pace.sleep_s(self._next_s - now_s)
        # What was not sent while Kafka was away is not made up for.
        self._next_s = max(self._next_s, now_s) + len(batch) / self._pace.records_per_second
        deadline_s = self._pace.now_s() + self._patience_s
        while not self._acknowledged(batch, deadline_s):
            pass
        self._on_reached(last_row)
        return len(batch)

    def _acknowledged(self, batch: Sequence[Outgoing], deadline_s: float) -> bool:
        """Whether Kafka took all of it. Part of it may be there twice after a failure, under the same event ids."""
        self._writer = self._writer or self._open_writer()
        try:
            for record, value in batch:
                self._writer.append(value, contact_id=record.contact_id)
            self._writer.flush()
        except UnavailableError as error:
            self._writer = None  # it takes nothing any more
            if self._pace.now_s() >= deadline_s:
                raise
            self._on_away(str(error))
            return False
        return True


def wanted_records(
    source: RowSource, records: RowRecords, duplicates: Duplicates, seen: Seen | None
) -> Iterator[tuple[int, Sequence[Outgoing]]]:
    """Every row's number, with its records where it is not rejected and, with `seen`, is the one of its contact that
    counts. With `merge` all rows count, and for each trait the last one that fills it.
    """
    for row in source.rows(lambda _done: None):
        found = records.read(row)
        if isinstance(found, Rejected):
            yield row.number, ()
            continue
        if seen is not None and duplicates in ("first", "last"):
            places = seen.places(found.contact_id)
            if row.number != (places.first_row if duplicates == "first" else places.last_row):
                yield row.number, ()
                continue
        yield row.number, found.records
