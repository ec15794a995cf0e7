"""Time that passes while nothing happens, on topics that the broker stamps and on topics that producers stamp."""

from __future__ import annotations

import json
import time

import pytest
from confluent_kafka import Producer

from schemas.instants import format_instant, parse_instant
from schemas.topics import partition_of
from tests.live.workers import PARTITIONS, Place, metric, published
from tests.support.processes import StartedCommand
from tests.support.waiting import wait_until

DEFINITIONS = """
version: 1
segments:
  active: {when: {performed: {event: page_view, within: 2s}}}
  lapsed: {when: {all: [{performed: {event: page_view}}, {not_performed: {event: page_view, within: 3s}}]}}
"""


def _one_event(place: Place) -> int:
    """Append one event that occurs now; returns the instant."""
    producer = Producer({"bootstrap.servers": place.servers, "acks": "all"})
    producer.list_topics(place.names.tracking, timeout=30)  # connected, so that "now" is still now as it is appended
    now_ms = time.time_ns() // 1_000_000
    record = {"type": "track", "event_id": f"e{now_ms}", "contact_id": "c1", "event": "page_view"}
    value = json.dumps(record | {"occurred_at": format_instant(now_ms)})
    producer.produce(place.names.tracking, value, key="c1", partition=partition_of("c1", PARTITIONS), timestamp=now_ms)
    assert producer.flush(30) == 0
    return now_ms


def _worker(place: Place, **environment: str) -> StartedCommand:
    worker = place.worker(**environment)
    worker.wait_for_output("partition 3: serving")
    return worker


@pytest.mark.parametrize(("timestamps", "ticks"), [("append", "auto"), ("create", "on")])
def test_timers_fire_at_their_exact_instants_on_an_idle_partition(place: Place, timestamps: str, ticks: str) -> None:
    place.prepare(timestamps, DEFINITIONS)
    worker = _worker(place, SEGUE_TICKS=ticks)
    occurred_ms = _one_event(place)
    wait_until(lambda: len(place.output()) == 3, 30, "entered, exited and lapsed")
    entered, exited, lapsed = sorted(published(place.output()), key=lambda transition: str(transition["effective_at"]))
    assert (entered["type"], entered["segment"], entered["cause"]["kind"]) == ("segment.entered", "active", "event")
    assert (exited["type"], exited["segment"], exited["cause"]["kind"]) == ("segment.exited", "active", "timer")
    assert (lapsed["type"], lapsed["segment"], lapsed["cause"]["kind"]) == ("segment.entered", "lapsed", "timer")
    assert parse_instant(exited["effective_at"]) == occurred_ms + 2_000
    assert parse_instant(lapsed["effective_at"]) == occurred_ms + 3_000
    for transition in (exited, lapsed):
        lateness_ms = parse_instant(transition["detected_at"]) - parse_instant(transition["effective_at"])
        assert 0 <= lateness_ms < 2_000
    assert 2 <= metric(worker, "segue_ticks_total") <= 20, "a tick for each due instant, and hardly any more"
    assert worker.terminate() == 0


def test_without_ticks_time_stands_still_on_an_idle_partition(place: Place) -> None:
    place.prepare("append", DEFINITIONS)
    worker = _worker(place, SEGUE_TICKS="off")
    first_ms = _one_event(place)
    wait_until(lambda: len(place.output()) == 1, 30, "entered")
    wait_until(lambda: time.time() * 1000 > first_ms + 4_000, 30, "both instants passed")
    assert len(place.output()) == 1
    _one_event(place)
    wait_until(lambda: len(place.output()) == 5, 30, "what was due before the next record, and what it causes")
    assert [one["cause"]["kind"] for one in published(place.output())] == ["event", "timer", "timer", "event", "event"]
    assert metric(worker, "segue_ticks_total") == 0
    assert worker.terminate() == 0
