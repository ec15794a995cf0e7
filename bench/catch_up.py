"""How fast one worker folds a log that is there already, beside the rate of the core alone."""

from __future__ import annotations

import argparse
import time

import yaml

from bench.stand import DAY_MS, START_MS, Place, cpu_s, stand
from bench.tables import Table, add_json, progress, publish
from bench.traffic import DEFINITIONS, Traffic, Visitors
from schemas.records import Track, decode_record
from streams.segmentation import Core, Fold, compile_definitions, contact_key
from tests.support.waiting import wait_until

_TIMEOUT_S = 900


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--contacts", type=int, default=5_000)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    progress("the core alone")
    core_rate, transitions = core_alone(arguments.events // 4, max(1, arguments.contacts // 4))
    with stand() as servers, servers.place("create") as place:
        rate, cpu_rate = catch_up(place, arguments.events, arguments.contacts)
    rows = [("the core alone", None, core_rate, 1.0), ("one worker", rate, cpu_rate, cpu_rate / core_rate)]
    table = Table(
        f"catching up, {arguments.events:,} events of {arguments.contacts:,} contacts, ten segments",
        ("what", "events/s", "events per CPU second", "of the core alone"),
        rows,
        [f"{transitions:.2f} transitions an event; the worker from a tenth of the log on"],
    )
    publish("catch-up", [table], arguments.json)


def core_alone(events: int, contacts: int) -> tuple[float, float]:
    """Events per CPU second of the core without Kafka and Redis, on the same events; transitions an event."""
    visitors, step_ms = Visitors(contacts), max(1, 30 * DAY_MS // events)
    drawn = [(START_MS + number * step_ms, visitors.event(START_MS + number * step_ms)[1]) for number in range(events)]
    core = Core(compile_definitions(yaml.safe_load(DEFINITIONS)))
    fold = Fold(core, partition=0, clock_ms=0)
    begun, transitions = time.process_time(), 0
    for offset, (instant_ms, value) in enumerate(drawn):
        record = decode_record(value)
        assert isinstance(record, Track)
        key = contact_key(record.contact_id)
        if key not in fold.contacts:
            fold.contacts[key] = core.new(record.contact_id)
        fold.fire(instant_ms, offset)
        fold.apply(record, offset, instant_ms, key)
        transitions += len(fold.emitted)
        fold.emitted.clear()
    return events / (time.process_time() - begun), transitions / events


def catch_up(place: Place, events: int, contacts: int) -> tuple[float, float]:
    """Events a second, and events per CPU second of the worker, between a tenth and the end of a month's log."""
    progress("writing the log")
    traffic = Traffic(place.servers, place.names.tracking, place.partitions, contacts)
    traffic.write_history(events, START_MS, max(1, 30 * DAY_MS // events))
    total = place.ends()
    progress("one worker folds it")
    worker = place.commands.start("worker")
    wait_until(lambda: place.offsets() > total // 10, 120, "a tenth of the log")
    begun, folded, cpu = time.monotonic(), place.offsets(), cpu_s(worker.pid)
    wait_until(lambda: place.offsets() >= total, _TIMEOUT_S, "the end of the log")
    took, used, done = time.monotonic() - begun, cpu_s(worker.pid) - cpu, total - folded
    assert worker.terminate() == 0, worker.tail()
    return done / took, done / used
