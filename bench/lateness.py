"""How late a timer is: from the instant at which it is due by the wall clock to its transition in a consumer's hands.

A crowd of contacts waits with timers that are due in a month, in Redis alone as after a catch-up. Then contacts come at
a steady rate, each of which leaves a segment two seconds after its one event, with nothing else to move the clock.
"""

from __future__ import annotations

import argparse
import time

from bench.load import Plan, StartedLoad
from bench.observer import StartedObserver
from bench.percentiles import percentile
from bench.stand import Place, stand
from bench.tables import Cell, Table, add_json, progress, publish
from bench.traffic import Traffic
from streams.adapters.redis.keys import StateKeys

DEFINITIONS = """
version: 1
segments:
  recent: {when: {performed: {event: page_view, within: 30d}}}
  adding: {when: {performed: {event: cart_add, within: 2s}}}
"""
_LOADING_TIMEOUT_S = 1_800
_PATIENCE_S = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--pending", type=int, default=1_000_000, help="timers that wait meanwhile")
    parser.add_argument("--per-second", type=int, default=200, help="timers that fall due in a second")
    parser.add_argument("--seconds", type=float, default=20)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    with stand() as servers, servers.place("append", definitions=DEFINITIONS) as place:
        _fill(place, arguments.pending)
        waits = _late(place, arguments.per_second, arguments.seconds)
    shares = (0.5, 0.99, 0.999, 1.0)
    row: tuple[Cell, ...] = (f"{arguments.per_second:,} a second", *(percentile(waits, share) for share in shares))
    table = Table(
        f"lateness of timers with {arguments.pending:,} others pending, {len(waits):,} timers",
        ("due", "p50 ms", "p99 ms", "p99.9 ms", "most ms"),
        [row],
    )
    publish("lateness", [table], arguments.json)


def _fill(place: Place, pending: int) -> None:
    """One event of each contact of the crowd, folded by a worker that then ends."""
    progress(f"{pending:,} contacts with a timer each")
    traffic = Traffic(place.servers, place.names.tracking, place.partitions, pending)
    for contact in range(pending):
        traffic.write(time.time_ns() // 1_000_000, stamp=False, contact=contact, event="page_view")
    traffic.flush()
    total = place.ends()
    worker = place.commands.start("worker")
    place.fold_until(worker, total, _LOADING_TIMEOUT_S)
    assert worker.terminate() == 0, worker.tail()
    client = place.client()
    # The first generation of the state: its definitions are those that the topics began with.
    timers = sum(client.zcard(StateKeys(place.names, number, 1).timers) for number in range(place.partitions))
    client.close()
    assert timers >= pending, f"expected {pending:,} timers and found {timers:,}"


def _late(place: Place, per_second: int, seconds: float) -> list[float]:
    """Milliseconds from when each timer was due until its transition was in hand."""
    progress("timers fall due")
    worker = place.start_worker()
    observer = StartedObserver(place, from_end=True)
    plan = Plan(
        "append",
        seconds,
        per_second,
        traffic="newcomers",
        servers=place.servers,
        topic=place.names.tracking,
        partitions=place.partitions,
    )
    StartedLoad(place.commands, plan, place.directory).outcome()
    expected = int(per_second * seconds)
    came = observer.wait_for(2 * expected, _PATIENCE_S)
    waits = [each.at_ms - each.effective_ms for each in observer.seen() if each.type == "segment.exited"]
    assert came, f"expected {expected:,} timers to fire within {_PATIENCE_S} s; {len(waits):,} did"
    assert worker.terminate() == 0, worker.tail()
    return waits
