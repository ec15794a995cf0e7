"""How fast one detector reads the log along, and what it holds in memory.

It reads events that were written before it started: once opens, clicks and deliveries, each of which it remembers, and
once page views, which it only passes over.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

from confluent_kafka import Producer

from bench.stand import Place, cpu_s, memory_bytes, stand
from bench.tables import Cell, Table, add_json, progress, publish
from schemas.instants import format_instant
from schemas.topics import partition_of
from tests.live.workers import metric
from tests.support.waiting import wait_until

_TIMEOUT_S = 600
_MAILS = ("email_delivered", "email_open", "email_click")
_APART_MS = 60_000
"""Between the events of a contact: nobody is suspected."""

Events = Callable[[int], Iterator[tuple[str, str]]]
"""So many events: contact and record each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--events", type=int, default=240_000)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    rows: list[tuple[Cell, ...]] = []
    with stand() as servers:
        for name, events in {"opens, clicks, deliveries": _mails, "page views": _views}.items():
            progress(name)
            with servers.place("append") as place:
                rows.append((name, *_read_along(place, events, arguments.events)))
    columns = ("what", "records/s", "records per CPU second", "bytes of memory a record")
    publish("detect", [Table(f"one detector, {arguments.events:,} records", columns, rows)], arguments.json)


def _mails(events: int) -> Iterator[tuple[str, str]]:
    now_ms = time.time_ns() // 1_000_000
    for number in range(events):
        place, step = divmod(number, len(_MAILS))
        occurred_at = format_instant(now_ms - (len(_MAILS) - 1 - step) * _APART_MS)
        yield (
            f"c{place}",
            (
                f'{{"type":"track","event_id":"e{number}","contact_id":"c{place}","event":"{_MAILS[step]}",'
                f'"occurred_at":"{occurred_at}","properties":{{"campaign_id":"welcome","link_url":"https://shop.example/"}}}}'
            ),
        )


def _views(events: int) -> Iterator[tuple[str, str]]:
    now = format_instant(time.time_ns() // 1_000_000)
    for number in range(events):
        contact = f"c{number // len(_MAILS)}"
        yield (
            contact,
            (
                f'{{"type":"track","event_id":"e{number}","contact_id":"{contact}","event":"page_view",'
                f'"occurred_at":"{now}","properties":{{"page":"/shoes/42"}}}}'
            ),
        )


def _read_along(place: Place, events: Events, count: int) -> tuple[float, float, float]:
    producer = Producer({"bootstrap.servers": place.servers, "queue.buffering.max.messages": count + 1})
    for contact, record in events(count):
        key = contact.encode()
        producer.produce(place.names.tracking, record, key, partition_of(contact, place.partitions))
    assert producer.flush(120) == 0
    detector = place.commands.start("detect", environment={"SEGUE_DETECT_EVENTS_MAX": str(count)})

    def read() -> float:
        return metric(detector, "segue_detector_records_total")

    wait_until(lambda: metric(detector, "segue_detector_partitions") >= place.partitions, 60, "the detector to begin")
    begun, before, cpu, memory = time.monotonic(), read(), cpu_s(detector.pid), memory_bytes(detector.pid)
    wait_until(lambda: read() >= count, _TIMEOUT_S, f"{count:,} records to be read")
    took, used = time.monotonic() - begun, cpu_s(detector.pid) - cpu
    grown, done = memory_bytes(detector.pid) - memory, read() - before
    assert detector.terminate() == 0, detector.tail()
    return done / took, done / used, max(0.0, grown / done)
