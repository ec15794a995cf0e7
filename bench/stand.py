"""Where measurements happen: a broker and a Redis of their own, and a fresh namespace for each measurement."""

from __future__ import annotations

import io
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import redis
from confluent_kafka import Consumer, TopicPartition

from bench.tables import progress
from bench.traffic import DEFINITIONS
from schemas.topics import Names
from tests.support.brokers import start_broker
from tests.support.processes import Commands, StartedCommand, base_environment
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import Run, RunDirectory
from tests.support.waiting import wait_until

PARTITIONS = 4
START_MS = 1_767_225_600_000  # 2026-01-01
DAY_MS = 86_400_000
_SCANNED = 10_000
_TELL_S = 15.0
_HERTZ = os.sysconf("SC_CLK_TCK")


@dataclass
class Place:
    """A broker, a Redis, and fresh topics on them, with definitions applied."""

    servers: str
    redis_url: str
    commands: Commands
    names: Names
    partitions: int
    directory: Path
    own_redis: bool

    def client(self) -> redis.Redis:
        """A new client of the Redis."""
        return redis.Redis.from_url(self.redis_url)

    def empty_redis(self) -> None:
        """All that is kept there is gone; of a Redis that others use too, what is kept for this place."""
        client = self.client()
        if self.own_redis:
            client.flushall()
        else:
            for key in client.scan_iter(f"{self.names.namespace}:*", count=_SCANNED):
                client.delete(key)
        client.close()

    def offsets(self) -> int:
        """Records folded, over all partitions."""
        client = self.client()
        pipeline = client.pipeline(transaction=False)
        for partition in range(self.partitions):
            pipeline.hget(self.names.key(partition, "meta"), "offset")
        found = pipeline.execute()
        client.close()
        return sum(int(offset or 0) for offset in found)

    def ends(self) -> int:
        """Records in the log, over all partitions."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "bench"})
        ends = [
            consumer.get_watermark_offsets(TopicPartition(self.names.tracking, partition), timeout=30)
            for partition in range(self.partitions)
        ]
        consumer.close()
        return sum(end[1] for end in ends if end is not None)

    def fold_until(self, worker: StartedCommand, records: int, timeout_s: float) -> None:
        """Wait until so many records are folded; `AssertionError` if the worker ends or time runs out before."""

        told_at = time.monotonic()

        def folded() -> bool:
            nonlocal told_at
            assert worker.returncode is None, f"the worker ended early: {worker.tail()}"
            now = self.offsets()
            if time.monotonic() - told_at > _TELL_S:
                told_at = time.monotonic()
                progress(f"{now:,} of {records:,} records folded")
            return now >= records

        wait_until(folded, timeout_s, f"{records:,} records to be folded")

    def start_worker(self, environment: dict[str, str] | None = None) -> StartedCommand:
        """A worker that serves every partition."""
        worker = self.commands.start("worker", environment=environment)
        for partition in range(self.partitions):
            worker.wait_for_output(f"partition {partition}: serving")
        return worker


@dataclass
class Stand:
    """Servers that run for as long as a command measures."""

    run: RunDirectory
    servers: str
    redis_url: str
    own_redis: bool = False

    @contextmanager
    def place(
        self, timestamps: Literal["create", "append"], *, partitions: int = PARTITIONS, definitions: str = DEFINITIONS
    ) -> Iterator[Place]:
        """Fresh topics; `append` has the broker stamp each record, `create` keeps the producers' instants."""
        namespace = f"bench{uuid.uuid4().hex[:8]}"
        environment = base_environment(
            SEGUE_KAFKA_BOOTSTRAP_SERVERS=self.servers, SEGUE_REDIS_URL=self.redis_url, SEGUE_NAMESPACE=namespace
        )
        commands = Commands(self.run, environment)
        place = Place(
            self.servers, self.redis_url, commands, Names(namespace), partitions, self.run.path, self.own_redis
        )
        file = self.run.path / f"{namespace}.yaml"
        file.write_text(definitions)
        at = ["--at", "2026-01-01T00:00:00Z"] if timestamps == "create" else []
        try:
            for arguments in (
                ["topics", "create", "--partitions", str(partitions), "--timestamps", timestamps],
                ["apply", str(file), *at],
            ):
                outcome = commands.run(*arguments)
                assert outcome.returncode == 0, outcome.tail()
            yield place
        finally:
            with redirect_stdout(io.StringIO()):
                commands.end()
            place.empty_redis()


@contextmanager
def stand() -> Iterator[Stand]:
    """A broker and a Redis, which end with the measurement; both may be given as the tests' are."""
    run = Run()
    try:
        servers = os.environ.get("SEGUE_TEST_KAFKA") or start_broker(run.directory, java=()).bootstrap_servers
        given = os.environ.get("SEGUE_TEST_REDIS")
        yield Stand(run.directory, servers, given or _started_redis(run.directory), own_redis=given is None)
    finally:
        run.end()


def _started_redis(run: RunDirectory) -> str:
    server = LocalRedis(run)
    server.start()
    return server.url


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _HERTZ


def memory_bytes(pid: int) -> int:
    """What a process holds in memory now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory")
