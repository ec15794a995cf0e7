"""Events of a file into the log: history imports, and tests that compare with the simulator.

Lines are written as they are, byte for byte, once they were read as the worker will read them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from schemas.errors import InputError, UnavailableError
from schemas.instants import format_instant
from schemas.records import InvalidRecordError, Tick, encode_record
from streams.ports import LogWriter
from streams.simulation.record_lines import BadLine, read_line, read_lines, stated_ms

CHECKPOINT_LINES = 50_000
"""How often the load waits until all is acknowledged, so that a failure can say how far the log is complete."""
PROGRESS_LINES = 2_000


@dataclass(slots=True)
class LoadTally:
    """How far a load has come."""

    lines: int = 0
    bytes: int = 0
    records: int = 0
    ticks: int = 0
    rejected: int = 0
    acknowledged_lines: int = 0


class Loader:
    """Writes the records of lines, one by one, to the partitions of `tracking`."""

    def __init__(
        self,
        writer: LogWriter,
        partitions: int,
        *,
        stamp_received: bool,
        strict: bool,
        on_bad_line: Callable[[BadLine], None],
        on_progress: Callable[[LoadTally], None],
    ) -> None:
        """With `stamp_received` each record's Kafka timestamp is the running maximum of `received_at`, else
        `occurred_at`: time as the simulator counts it; without, the broker or the wall clock stamps. With `strict`
        the load ends at the first bad line."""
        self.tally = LoadTally()
        self._writer = writer
        self._partitions = partitions
        self._stamp_received = stamp_received
        self._strict = strict
        self._on_bad_line = on_bad_line
        self._on_progress = on_progress
        self._clock_ms = 0

    def load(self, source: BinaryIO) -> None:
        """Write every line that is a record; returns when all are acknowledged.

        Raises what the writer raises, with how far the log is complete.
        """
        tally = self.tally
        try:
            for line in read_lines(source):
                self._take(line)
                if tally.lines % PROGRESS_LINES == 0:
                    self._on_progress(tally)
                if tally.lines % CHECKPOINT_LINES == 0:
                    self._checkpoint()
                if self._strict and tally.rejected:
                    break
            self._checkpoint()
        except (InputError, UnavailableError) as error:
            complete = tally.acknowledged_lines
            raise type(error)(f"{error}; the first {complete} lines are in the log, later ones may be") from error
        self._on_progress(tally)

    def tick(self, instant_ms: int) -> None:
        """End with a tick at an instant in every partition; returns when all are acknowledged."""
        tick = Tick.model_validate({"type": "tick", "received_at": format_instant(instant_ms)})
        self._tick_all(encode_record(tick), instant_ms)
        self._writer.flush()

    def _take(self, line: bytes) -> None:
        tally = self.tally
        tally.lines += 1
        tally.bytes += len(line)
        if line.isspace():
            return
        try:
            self._write(line)
        except InvalidRecordError as error:
            tally.rejected += 1
            self._on_bad_line(BadLine(tally.lines, error.detail))

    def _write(self, line: bytes) -> None:
        record = read_line(line)
        stated = stated_ms(record)
        assert stated is not None, "records without an instant were refused"
        timestamp_ms = 0
        if self._stamp_received:
            self._clock_ms = timestamp_ms = max(self._clock_ms, stated)
            if timestamp_ms == 0:
                raise InvalidRecordError("invalid", "expected a later time: a Kafka timestamp of 0 means none")
        if record.type == "tick" or record.type == "definitions":  # noqa: PLR1714 - narrows the type
            self._tick_all(line.strip(), timestamp_ms)
        else:
            self._writer.append(line.strip(), contact_id=record.contact_id, timestamp_ms=timestamp_ms)
            self.tally.records += 1

    def _tick_all(self, value: bytes, timestamp_ms: int) -> None:
        for partition in range(self._partitions):
            self._writer.append(value, partition=partition, timestamp_ms=timestamp_ms)
            self.tally.ticks += 1

    def _checkpoint(self) -> None:
        self._writer.flush()
        self.tally.acknowledged_lines = self.tally.lines
