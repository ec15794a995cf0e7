"""Detectors as processes beside a worker, what contacts do, and what comes of it in the log and in `clickers`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from schemas.kafka_connection import KafkaConnection
from schemas.record_models import Correction
from schemas.records import Track, decode_record, encode_record
from streams.adapters.kafka.writer import KafkaWriter
from tests.live.workers import Place, metric, published
from tests.support.processes import StartedCommand
from tests.support.waiting import wait_until

DEFINITIONS = """
version: 1
segments:
  clickers:
    when: {performed: {event: email_click, within: 30d}}
"""
QUICK = {"SEGUE_DETECT_SESSION_TIMEOUT_MS": "2000"}


class Mailing:
    """One e-mail to many contacts, by default in topics that the broker stamps, with a worker that folds them."""

    def __init__(self, place: Place, timestamps: str = "append", definitions: str = DEFINITIONS) -> None:
        self.place = place
        place.prepare(timestamps, definitions)
        self._writer = KafkaWriter(KafkaConnection(place.servers), place.names.tracking)
        self._began_ms = time.time_ns() // 1_000_000
        self.worker = place.worker()
        self.worker.wait_for_output("serving from offset")

    def detector(self, **environment: str) -> StartedCommand:
        """Start one, and wait until it serves something."""
        detector = self.place.commands.start("detect", environment=QUICK | environment)
        wait_until(lambda: metric(detector, "segue_detector_partitions") > 0, 60, "partitions of the detector")
        return detector

    def track(self, contact: str, event: str, at_ms: int = 0, link: str | None = None, **more: Any) -> None:
        """A contact did something, `at_ms` after the mailing began; acknowledged on return."""
        properties = {"campaign_id": "welcome"} | ({} if link is None else {"link_url": link})
        occurred_ms = self._began_ms + at_ms
        body = Track(f"{contact}-{event}-{link}", contact, event, occurred_ms, properties, **more)
        # The broker stamps it anew where it stamps at all.
        self._writer.append(
            encode_record(body), contact_id=contact, timestamp_ms=min(occurred_ms, time.time_ns() // 10**6)
        )
        self._writer.flush()

    def click(self, contact: str, *links: str, at_ms: int = 0) -> None:
        """A contact followed links, all at one instant."""
        for link in links:
            self.track(contact, "email_click", at_ms, link)

    def corrections(self) -> list[Correction]:
        """Those in the log, partition by partition."""
        values = [message.value() for number in range(self.place.partitions) for message in self.place.messages(number)]
        records = [decode_record(value) for value in values]
        return [record for record in records if isinstance(record, Correction)]

    def wait_for_corrections(self, count: int) -> list[Correction]:
        """Wait until so many events are corrected."""
        wait_until(lambda: len({one.corrects for one in self.corrections()}) >= count, 60, f"{count} events corrected")
        return self.corrections()

    def moves(self) -> dict[str, list[tuple[str, str]]]:
        """By contact, what became of it: type and cause of each transition."""
        self.place.wait_until_folded()
        found: dict[str, list[tuple[str, str]]] = {}
        for one in published(self.place.output()):
            move = (one["type"].removeprefix("segment."), one["cause"]["kind"])
            found.setdefault(one["contact_id"], []).append(move)
        return found


def repeated(corrections: Iterable[Correction]) -> int:
    """How often an event was corrected again."""
    return sum(count - 1 for count in Counter(one.corrects for one in corrections).values())


IN, OUT = ("entered", "event"), ("exited", "correction")
"""What contacts are by their first click, and not any more by a correction."""
