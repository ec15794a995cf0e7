"""How long Segue is behind after Redis was lost: with the whole log to fold again, and with a snapshot to restore."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from bench.traffic import Traffic
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from bench.__main__ import Place

_TIMEOUT_S = 900
_START_MS = 1_767_225_600_000  # 2026-01-01
_MONTH_MS = 30 * 86_400_000
_AFTER_SNAPSHOT = 10
"""One record in so many comes after the snapshot."""


def recovery(place: Place, directory: Path, events: int, contacts: int, partitions: int) -> None:
    """Prints both."""
    step_ms = max(1, _MONTH_MS // events)
    traffic = Traffic(place.servers, place.names.tracking, partitions, contacts)
    later = events // _AFTER_SNAPSHOT
    traffic.write_history(events - later, _START_MS, step_ms)
    _fold(place)
    begun = time.monotonic()
    taken = place.commands.run("snapshot", str(directory), "--json", timeout_s=_TIMEOUT_S)
    snapshot_s = time.monotonic() - begun
    assert taken.returncode == 0, taken.tail()
    size = json.loads(taken.stdout)["files"][0]["bytes"]
    traffic.write_history(later, _START_MS + (events - later) * step_ms, step_ms)
    _fold(place)

    _lose(place)
    begun = time.monotonic()
    _fold(place)
    replay_s = time.monotonic() - begun

    _lose(place)
    begun = time.monotonic()
    restored = place.commands.run("restore", str(directory), timeout_s=_TIMEOUT_S)
    assert restored.returncode == 0, restored.tail()
    restore_s = time.monotonic() - begun
    _fold(place)
    whole_s = time.monotonic() - begun
    _print(f"Redis lost, {events:,} events of {contacts:,} contacts, a snapshot before the last {later:,}, one worker")
    _print(f"  {snapshot_s:10.1f} s for the snapshot of {size / 1e6:,.1f} MB, loaded once to be sure")
    _print(f"  {replay_s:10.1f} s until all is folded again, from record 0")
    _print(f"  {whole_s:10.1f} s until all is folded again, by the snapshot ({restore_s:.1f} s of it segue restore)")


def _fold(place: Place) -> None:
    """Start a worker, and end it when the log is folded."""
    total = place.ends()
    worker = place.commands.start("worker")
    wait_until(lambda: place.offsets() >= total, _TIMEOUT_S, "the end of the log")
    assert worker.terminate() == 0, worker.tail()


def _lose(place: Place) -> None:
    client = redis.Redis.from_url(place.redis_url)
    client.flushall()
    client.close()


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
