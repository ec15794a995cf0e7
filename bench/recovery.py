"""How fast Segue is back: after Redis was lost, and after a worker was killed.

Replay: the log is folded by a worker that finds nothing in Redis, first with transitions still to be published, then,
after all of Redis was lost, with all of them lying in their topic already. Rates are from a tenth of the log on.
Take-over: of two workers under steady traffic one is killed (SIGKILL). From then until a partition of its is
committed to by the other, and until all of them are. The group notices by its session time-out alone.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import NamedTuple

from bench.load import Plan, StartedLoad
from bench.stand import DAY_MS, START_MS, Place, cpu_s, stand
from bench.tables import Cell, Table, add_json, progress, publish
from bench.traffic import Traffic
from tests.support.waiting import wait_until

_TIMEOUT_S = 900
_TAKE_OVER_TIMEOUT_S = 90
_PER_SECOND = 500
_LOAD_S = 60.0
_GROUPS: dict[str, dict[str, str]] = {
    "session time-out 6 s, the default": {},
    "session time-out 2 s": {"SEGUE_SESSION_TIMEOUT_MS": "2000", "SEGUE_HEARTBEAT_INTERVAL_MS": "300"},
}


class _Owned(NamedTuple):
    """Who committed to a partition last, and how far."""

    member: bytes
    offset: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--events", type=int, default=300_000, help="to replay")
    parser.add_argument("--contacts", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3, help="workers killed under each session time-out; 0: none")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    tables = []
    with stand() as servers:
        if arguments.events:
            with servers.place("create") as place:
                tables.append(_replayed(place, arguments.events, arguments.contacts))
        rows = []
        for name, environment in _GROUPS.items():
            took = []
            for number in range(arguments.rounds):
                progress(f"a worker is killed, {name}, {number + 1} of {arguments.rounds}")
                with servers.place("append") as place:
                    took.append(_taken_over(place, environment))
            if took:
                rows.append((name, *_spread([first for first, _ in took]), *_spread([last for _, last in took])))
        if rows:
            columns = ("group", "first commit s", "least", "most", "all partitions s", "least", "most")
            note = "medians with least and most over the rounds"
            tables.append(Table("from the death of a worker to its successor's commits", columns, rows, [note]))
    publish("recovery", tables, arguments.json)


def _spread(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


def _replayed(place: Place, events: int, contacts: int) -> Table:
    progress("writing the log")
    traffic = Traffic(place.servers, place.names.tracking, place.partitions, contacts)
    traffic.write_history(events, START_MS, max(1, 30 * DAY_MS // events))
    progress("the log is folded for the first time")
    live = _folded(place)
    progress("Redis is lost, and the log folded again")
    place.empty_redis()
    again = _folded(place)
    rows: list[tuple[Cell, ...]] = [
        ("catching up", *live, 1.0),
        ("replay from record 0", *again, again[0] / live[0]),
    ]
    columns = ("what", "events/s", "events per CPU second", "of catching up")
    return Table(f"replay, {events:,} events of {contacts:,} contacts, one worker", columns, rows)


def _folded(place: Place) -> tuple[float, float]:
    """Events a second and per CPU second of the worker, which ends with the log."""
    total = place.ends()
    worker = place.commands.start("worker")
    place.fold_until(worker, total // 10, _TIMEOUT_S)
    begun, folded, cpu = time.monotonic(), place.offsets(), cpu_s(worker.pid)
    place.fold_until(worker, total, _TIMEOUT_S)
    took, used = time.monotonic() - begun, cpu_s(worker.pid) - cpu
    assert worker.terminate() == 0, worker.tail()
    return (total - folded) / took, (total - folded) / used


def _taken_over(place: Place, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds from the death of one of two workers until the other has committed to one of its partitions; to all."""
    first = place.start_worker(environment)
    (member,) = {owned.member for owned in _owners(place).values()}
    place.commands.start("worker", environment=environment)
    plan = Plan(
        "append",
        _LOAD_S,
        _PER_SECOND,
        servers=place.servers,
        topic=place.names.tracking,
        partitions=place.partitions,
        traffic="newcomers",
    )
    load = StartedLoad(place.commands, plan, place.directory)
    wait_until(lambda: len({each.member for each in _owners(place).values()}) > 1, _TIMEOUT_S, "two owners")
    settled = _owners(place)
    wait_until(lambda: _all_moved(place, settled), _TIMEOUT_S, "commits of both workers")
    begun = time.monotonic()
    first.kill()
    left = {number: owned for number, owned in _owners(place).items() if owned.member == member}
    assert left, "expected the first worker to own a partition"
    wait_until(lambda: _taken(place, left) >= 1, _TAKE_OVER_TIMEOUT_S, "a commit of the successor")
    one = time.monotonic() - begun
    wait_until(lambda: _taken(place, left) == len(left), _TAKE_OVER_TIMEOUT_S, "commits to all partitions")
    every = time.monotonic() - begun
    load.process.end()
    return one, every


def _all_moved(place: Place, before: dict[int, _Owned]) -> bool:
    return all(owned.offset > before[number].offset for number, owned in _owners(place).items())


def _taken(place: Place, left: dict[int, _Owned]) -> int:
    """Partitions that have another owner who committed to them."""
    now = _owners(place)
    return sum(now[number].member != owned.member and now[number].offset > owned.offset
               for number, owned in left.items())  # fmt: skip


def _owners(place: Place) -> dict[int, _Owned]:
    client = place.client()
    pipeline = client.pipeline(transaction=False)
    for partition in range(place.partitions):
        pipeline.hmget(place.names.key(partition, "meta"), "fence_member", "offset")
    found = {number: _Owned(member, int(offset or 0)) for number, (member, offset) in enumerate(pipeline.execute())}
    client.close()
    return found
