"""How soon a transition can be read: from the broker's time stamp of the event that caused it."""

from __future__ import annotations

import argparse
import time

from confluent_kafka import Consumer, TopicPartition

from bench.percentiles import percentile
from bench.stand import Place, stand
from bench.tables import Table, add_json, progress, publish
from bench.traffic import Traffic, paced
from schemas.transitions import decode_transition

_WARM_UP_S = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--seconds", type=float, default=20)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    rows: list[tuple[str | float, ...]] = []
    with stand() as servers:
        for per_second in (200, 2_000):
            progress(f"{per_second} events/s")
            with servers.place("append") as place:
                waits = from_append(place, per_second, arguments.seconds)
            rows.append((f"{per_second:,} events/s", *(percentile(waits, share) for share in (0.5, 0.99, 0.999))))
    table = Table("append to visible transition", ("rate", "p50 ms", "p99 ms", "p99.9 ms"), rows)
    publish("latency", [table], arguments.json)


def from_append(place: Place, per_second: int, seconds: float) -> list[float]:
    """Milliseconds from an event's time stamp until its transition was read."""
    traffic = Traffic(place.servers, place.names.tracking, place.partitions, int(per_second * (seconds + 5)) + 1)
    worker = place.start_worker()
    observer = Consumer({"bootstrap.servers": place.servers, "group.id": "bench", "fetch.wait.max.ms": 5})
    observer.assign([TopicPartition(place.names.transitions, partition, 0) for partition in range(place.partitions)])
    waits: list[float] = []
    for number in paced(per_second, seconds + _WARM_UP_S):
        # One event in ten is the first of a new contact, and causes a transition.
        new = number % 10 == 0
        traffic.write(
            time.time_ns() // 1_000_000,
            stamp=False,
            contact=number if new else number // 10 * 10,
            event="page_view" if new else "product_view",
        )
        traffic.poll()
        _observe(observer, waits if number > per_second * _WARM_UP_S else [])
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        _observe(observer, waits)
    traffic.flush()
    observer.close()
    assert worker.terminate() == 0, worker.tail()
    return waits


def _observe(observer: Consumer, waits: list[float]) -> None:
    while (message := observer.poll(0)) is not None:
        if message.error() is None:
            now_ms = time.time() * 1000
            value = message.value()
            assert isinstance(value, bytes)
            waits.append(now_ms - decode_transition(value).detected_at)
