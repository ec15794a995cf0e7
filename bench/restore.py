"""How long Segue is behind after Redis was lost: with the whole log to fold again, and with a snapshot to restore."""

from __future__ import annotations

import argparse
import json
import time

from bench.stand import DAY_MS, START_MS, Place, stand
from bench.tables import Table, add_json, progress, publish
from bench.traffic import Traffic
from tests.support.waiting import wait_until

_TIMEOUT_S = 900
_AFTER_SNAPSHOT = 10
"""One record in so many comes after the snapshot."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--contacts", type=int, default=5_000)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    with stand() as servers, servers.place("create") as place:
        table = recovery(place, arguments.events, arguments.contacts)
    publish("restore", [table], arguments.json)


def recovery(place: Place, events: int, contacts: int) -> Table:
    """Both ways back, on the same log."""
    directory = place.directory / "backup"
    step_ms = max(1, 30 * DAY_MS // events)
    traffic = Traffic(place.servers, place.names.tracking, place.partitions, contacts)
    later = events // _AFTER_SNAPSHOT
    progress("writing the log, and a snapshot")
    traffic.write_history(events - later, START_MS, step_ms)
    _fold(place)
    begun = time.monotonic()
    taken = place.commands.run("snapshot", str(directory), "--json", timeout_s=_TIMEOUT_S)
    snapshot_s = time.monotonic() - begun
    assert taken.returncode == 0, taken.tail()
    size = json.loads(taken.stdout)["files"][0]["bytes"]
    traffic.write_history(later, START_MS + (events - later) * step_ms, step_ms)
    _fold(place)

    progress("Redis is lost, the log is folded again")
    place.client().flushall()
    begun = time.monotonic()
    _fold(place)
    replay_s = time.monotonic() - begun

    progress("Redis is lost, the snapshot is restored")
    place.client().flushall()
    begun = time.monotonic()
    restored = place.commands.run("restore", str(directory), timeout_s=_TIMEOUT_S)
    assert restored.returncode == 0, restored.tail()
    restore_s = time.monotonic() - begun
    _fold(place)
    return Table(
        f"Redis lost, {events:,} events of {contacts:,} contacts, a snapshot before the last {later:,}, one worker",
        ("until all is folded again", "s"),
        [("from record 0", replay_s), ("by the snapshot", time.monotonic() - begun)],
        [
            f"segue restore took {restore_s:.1f} s of that",
            f"the snapshot, loaded once to be sure: {snapshot_s:.1f} s, {size / 1e6:,.1f} MB",
        ],
    )


def _fold(place: Place) -> None:
    """Start a worker, and end it when the log is folded."""
    total = place.ends()
    worker = place.commands.start("worker")
    wait_until(lambda: place.offsets() >= total, _TIMEOUT_S, "the end of the log")
    assert worker.terminate() == 0, worker.tail()
