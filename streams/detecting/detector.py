"""Reads `tracking` along and writes what is suspected of events by now, as corrections.

It keeps nothing and commits nothing. Whoever takes a partition over reads the last minutes again, with the
corrections that are there already, and writes what is missing: a death loses no finding, and a finding that is
written twice has one `event_id`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.metrics import Meters
from schemas.record_models import Correction, Erase
from schemas.records import InvalidRecordError, Record, Track, decode_record, encode_record
from streams.detecting.memory import Finding, Memory
from streams.detecting.notes import KINDS
from streams.detecting.ports import Gained, Lost, Share
from streams.ports import LogWriter, Message
from streams.probes import Health

_READ_MS = 250


class _Glance(msgspec.Struct):
    """As much of a record as tells whether it is worth decoding; of whatever type, as in a record of another kind."""

    type: Any = None
    event: Any = None

    def is_of_use(self) -> bool:
        """Whether the memory may have a use for it."""
        if self.type == "track":
            return isinstance(self.event, str) and self.event in KINDS
        return self.type in ("correction", "erase")


_glance = msgspec.json.Decoder(_Glance)


@dataclass(frozen=True, slots=True)
class DetectorParts:
    """What a detector is made of."""

    share: Share
    writer: LogWriter
    memory: Memory
    meters: Meters


class Detector:
    """Runs once, on a thread of its own."""

    def __init__(self, parts: DetectorParts, *, hangs_after_ms: int) -> None:
        """A turn that takes longer than `hangs_after_ms` shows in `health`."""
        self._share, self._writer = parts.share, parts.writer
        self._memory, self._meters = parts.memory, parts.meters
        self._hangs_after_s = hangs_after_ms / 1000
        self._caught_up_at: dict[int, int] = {}
        self._stopping = threading.Event()
        self._turned_at = time.monotonic()

    def stop(self) -> None:
        """Let `run` finish its turn and return. May be called from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Read and write until stopped. Raises the `SegueError` by which it must end."""
        try:
            while not self._stopping.is_set():
                self.turn()
        finally:
            self._share.close()

    def turn(self) -> None:
        """Take in what is there, and return when the broker has acknowledged what was found in it."""
        self._turned_at = time.monotonic()
        for step in self._share.read(_READ_MS):
            if isinstance(step, Gained):
                self._caught_up_at[step.partition] = step.end
            elif isinstance(step, Lost):
                self._lose(step.partition)
            else:
                self._take(step)
        self._write([finding for partition in self._caught_up() for finding in self._memory.due(partition)])
        self._show()

    def health(self) -> Health:
        """How it is. May be called from any thread."""
        serving = len(self._caught_up())
        loading = len(self._caught_up_at) - serving
        return Health(time.monotonic() - self._turned_at < self._hangs_after_s, serving, loading)

    @property
    def joined(self) -> bool:
        """Whether the group knows it."""
        return self._share.joined

    def _caught_up(self) -> list[int]:
        """Partitions read as far as their log went when they were gained: up to there an earlier reader may have
        written already what is found."""
        positions = self._share.positions
        return [number for number, end in list(self._caught_up_at.items()) if positions.get(number, -1) >= end]

    def _take(self, message: Message) -> None:
        self._meters.counter("segue_detector_records_total").inc()
        record = record_of(message)
        if record is not None:
            self._memory.take(message.partition, record, message.timestamp_ms)

    def _write(self, findings: list[Finding]) -> None:
        if not findings:
            return
        for correction, _ in findings:
            self._writer.append(encode_record(correction), contact_id=correction.contact_id)
        self._writer.flush()
        self._meters.counter("segue_detector_corrections_total").inc(len(findings))
        for _, found in findings:
            for reason in found:
                self._meters.counter("segue_detector_found_total", reason).inc()

    def _lose(self, partition: int) -> None:
        self._memory.forget(partition)
        self._caught_up_at.pop(partition, None)

    def _show(self) -> None:
        meters, memory = self._meters, self._memory
        meters.gauge("segue_detector_events_held").set(memory.held)
        meters.gauge("segue_detector_partitions").set(len(self._caught_up_at))
        positions = self._share.positions
        lag = sum(max(0, end - positions.get(number, end)) for number, end in self._share.ends().items())
        meters.gauge("segue_detector_lag_records").set(lag)
        while memory.given_up:
            reason, events = memory.given_up.popitem()
            meters.counter("segue_detector_events_given_up_total", reason).inc(events)


def record_of(message: Message) -> Record | None:
    """The record of a contact's own partition that a message holds, if rules look at such records.

    What is no valid record is the worker's to say.
    """
    if message.value is None or message.key is None:
        return None
    try:
        if not _glance.decode(message.value).is_of_use():
            return None
        record = decode_record(message.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidRecordError):
        return None
    assert isinstance(record, Track | Correction | Erase), "no other type passes the glance"
    return record if record.contact_id.encode() == message.key else None
