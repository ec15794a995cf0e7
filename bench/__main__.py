"""`make bench`: how fast a worker catches up, how soon a transition is visible, and what a simulation takes.

Prints rates and ratios of this machine: the broker, Redis, the load and the observer run beside the worker.
Takes about five minutes.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import redis
import yaml
from confluent_kafka import Consumer, TopicPartition

from bench.restoring import recovery
from bench.simulation import RECORDS, simulation
from bench.traffic import DEFINITIONS, Traffic, Visitors, paced
from schemas.records import Track, decode_record
from schemas.topics import Names
from schemas.transitions import decode_transition
from streams.segmentation import Core, Fold, compile_definitions, contact_key
from tests.support.brokers import start_broker
from tests.support.processes import Commands, StartedCommand, base_environment
from tests.support.redis_servers import start_shared_redis
from tests.support.run_directory import Run
from tests.support.waiting import wait_until

PARTITIONS = 4
_DAY_MS = 86_400_000
_START_MS = 1_767_225_600_000  # 2026-01-01
_HERTZ = os.sysconf("SC_CLK_TCK")


@dataclass
class Place:
    """A broker, a Redis, and fresh topics on them."""

    servers: str
    redis_url: str
    commands: Commands
    names: Names

    def offsets(self) -> int:
        """Records folded, over all partitions."""
        client = redis.Redis.from_url(self.redis_url)
        found = [client.hget(self.names.key(partition, "meta"), "offset") for partition in range(PARTITIONS)]
        client.close()
        return sum(int(offset or 0) for offset in found)

    def ends(self) -> int:
        """Records in the log, over all partitions."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "bench"})
        ends = [
            consumer.get_watermark_offsets(TopicPartition(self.names.tracking, partition), timeout=30)
            for partition in range(PARTITIONS)
        ]
        consumer.close()
        return sum(end[1] for end in ends if end is not None)


@contextmanager
def _place(run: Run, servers: str, redis_url: str, timestamps: str) -> Iterator[Place]:
    namespace = f"bench{uuid.uuid4().hex[:8]}"
    environment = base_environment(
        SEGUE_KAFKA_BOOTSTRAP_SERVERS=servers, SEGUE_REDIS_URL=redis_url, SEGUE_NAMESPACE=namespace
    )
    commands = Commands(run.directory, environment)
    definitions = Path(run.directory.path) / f"{namespace}.yaml"
    definitions.write_text(DEFINITIONS)
    at = ["--at", "2026-01-01T00:00:00Z"] if timestamps == "create" else []
    try:
        for arguments in (
            ["topics", "create", "--partitions", str(PARTITIONS), "--timestamps", timestamps],
            ["apply", str(definitions), *at],
        ):
            outcome = commands.run(*arguments)
            assert outcome.returncode == 0, outcome.tail()
        yield Place(servers, redis_url, commands, Names(namespace))
    finally:
        with redirect_stdout(io.StringIO()):
            commands.end()


def _cpu_s(command: StartedCommand) -> float:
    fields = Path(f"/proc/{command.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _HERTZ


def core_alone(events: int, contacts: int) -> float:
    """CPU seconds of the core alone, without Kafka and Redis, on the same events; prints the rate."""
    visitors, step_ms = Visitors(contacts), max(1, 30 * _DAY_MS // events)
    drawn = [
        (_START_MS + number * step_ms, visitors.event(_START_MS + number * step_ms)[1]) for number in range(events)
    ]
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
    used = time.process_time() - begun
    _print(
        f"the core alone, {events:,} events of {contacts:,} contacts, {transitions / events:.2f} transitions an event"
    )
    _print(f"  {events / used:10,.0f} events per CPU second")
    return events / used


def catch_up(place: Place, events: int, contacts: int, core_rate: float) -> None:
    """One worker folds a log that is there already."""
    traffic = Traffic(place.servers, place.names.tracking, PARTITIONS, contacts)
    traffic.write_history(events, _START_MS, max(1, 30 * _DAY_MS // events))
    total = place.ends()
    worker = place.commands.start("worker")
    wait_until(lambda: place.offsets() > total // 10, 120, "a tenth of the log")
    begun, folded, cpu = time.monotonic(), place.offsets(), _cpu_s(worker)
    wait_until(lambda: place.offsets() >= total, 600, "the end of the log")
    took, done = time.monotonic() - begun, total - folded
    used = _cpu_s(worker) - cpu
    _print(f"catching up, {events:,} events of {contacts:,} contacts, 10 segments, one worker")
    _print(f"  {done / took:10,.0f} events/s")
    _print(
        f"  {done / used:10,.0f} events per CPU second of the worker, {done / used / core_rate:.2f} of the core alone"
    )
    assert worker.terminate() == 0, worker.tail()


def latency(place: Place, per_second: int, seconds: float) -> None:
    """From the broker's time stamp of an event to the moment at which its transition can be read."""
    fresh = range(10**9)
    traffic = Traffic(place.servers, place.names.tracking, PARTITIONS, int(per_second * (seconds + 5)) + 1)
    worker = place.commands.start("worker")
    worker.wait_for_output("partition 3: serving")
    observer = Consumer({"bootstrap.servers": place.servers, "group.id": "bench", "fetch.wait.max.ms": 5})
    observer.assign([TopicPartition(place.names.transitions, partition, 0) for partition in range(PARTITIONS)])
    waits: list[float] = []
    warm_up = per_second * 3
    for number, contact in zip(paced(per_second, seconds + 3), fresh, strict=False):
        # One event in ten is the first of a new contact, and causes a transition.
        new = number % 10 == 0
        traffic.write(
            time.time_ns() // 1_000_000,
            stamp=False,
            contact=contact if new else contact // 10 * 10,
            event="page_view" if new else "product_view",
        )
        traffic.poll()
        _observe(observer, waits if number > warm_up else [])
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        _observe(observer, waits)
    traffic.flush()
    observer.close()
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    _print(f"append to visible transition at {per_second:,} events/s, {len(waits):,} transitions")
    _print(f"  p50 {cuts[49]:.0f} ms   p90 {cuts[89]:.0f} ms   p99 {cuts[98]:.0f} ms   max {max(waits):.0f} ms")
    assert worker.terminate() == 0, worker.tail()


def _observe(observer: Consumer, waits: list[float]) -> None:
    while (message := observer.poll(0)) is not None:
        if message.error() is None:
            now_ms = time.time() * 1000
            value = message.value()
            assert isinstance(value, bytes)
            waits.append(now_ms - decode_transition(value).detected_at)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--contacts", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", choices=["catch-up", "latency", "restore", "simulate"])
    parser.add_argument("--records", type=int, default=RECORDS, help="of a simulation")
    chosen = parser.parse_args()
    if chosen.only in (None, "simulate"):
        simulation(chosen.records, max(1, chosen.records // 10))
    if chosen.only == "simulate":
        return
    run = Run()
    try:
        servers = os.environ.get("SEGUE_TEST_KAFKA") or start_broker(run.directory).bootstrap_servers
        redis_url = os.environ.get("SEGUE_TEST_REDIS") or start_shared_redis(run.directory)
        if chosen.only in (None, "restore"):
            with _place(run, servers, redis_url, "create") as place:
                recovery(place, run.directory.path / "backup", chosen.events, chosen.contacts, PARTITIONS)
        if chosen.only in (None, "catch-up"):
            with _place(run, servers, redis_url, "create") as place:
                catch_up(place, chosen.events, chosen.contacts, core_alone(chosen.events // 4, chosen.contacts // 4))
        if chosen.only in (None, "latency"):
            for per_second in (200, 2_000):
                with _place(run, servers, redis_url, "append") as place:
                    latency(place, per_second, chosen.seconds)
    finally:
        run.end()


if __name__ == "__main__":
    main()
