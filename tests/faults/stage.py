"""A whole Segue in a namespace of its own: topics, traffic, workers under supervision, and in the end an audit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import redis
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from schemas.records import DefinitionsRecord, encode_record
from streams.definition_files.reading import parse_yaml
from streams.pipeline.ticks import TICK
from streams.segmentation import SEMANTICS_VERSION, Definitions, compile_definitions
from tests.faults.auditing import Verdict, audit
from tests.faults.crew import Crew
from tests.faults.load import CHANGED, DEFINITIONS, Load
from tests.live.workers import Place, metric
from tests.support.processes import Commands
from tests.support.waiting import wait_until

SESSION_S = 2.0
"""Of the group's members, as the crew sets it."""
RECOVERY_S = SESSION_S + 15
"""In which records that come after a fault must be folded."""
_REST_TIMEOUT_S = 90


class Stage:
    """Stamped by the broker, so that time passes by itself. Begin with `begin`, end with `settle`."""

    def __init__(
        self, commands: Commands, servers: str, redis_url: str, namespace: str, directory: Path, *, seed: int = 1
    ) -> None:
        """`redis_url` leads to Redis itself; the workers' is in the environment of `commands`."""
        self.place = Place(commands, servers, redis_url, namespace, directory)
        self.names = self.place.names
        self.partitions = self.place.partitions
        self.servers = servers
        self.redis_url = redis_url
        self.directory = directory
        self.recoveries: list[tuple[str, float]] = []
        self.zombies = False
        self._commands = commands
        self._seed = seed
        self.changes = 0
        self._consumer = Consumer(
            {"bootstrap.servers": servers, "group.id": "stage", "reconnect.backoff.max.ms": 250, "log_level": 0}
        )
        self._begun: list[Load | Crew] = []
        self.load: Load
        self.crew: Crew

    def begin(self, workers: int = 2, environment: Mapping[str, str] | None = None, rate_per_s: int = 80) -> None:
        """Make the topics, start workers and traffic, and wait until all of it is on its way."""
        self.place.prepare("append", DEFINITIONS)
        self.hire(workers, environment)
        self.load = Load(self.servers, self.names.tracking, self.partitions, self._seed, rate_per_s)
        self._begun.append(self.load)
        self.load.start()
        for member in self.crew.members:
            member.process.wait_for_output("serving from offset")
        self.fold_on(60)

    def hire(self, workers: int = 2, environment: Mapping[str, str] | None = None) -> None:
        """Start so many workers, also after the ones before were stopped."""
        self.crew = Crew(self._commands, self.directory, workers, environment)
        self._begun.append(self.crew)

    def change(self) -> None:
        """Append other definitions to every partition, as `segue apply` does."""
        text = CHANGED[self.changes % len(CHANGED)]
        self.changes += 1
        compiled = compile_definitions(parse_yaml(text, "changed"))
        self._produce(definitions_record(compiled, self.changes + 1))

    def change_until(self, reached: Callable[[], object], what: str, timeout_s: float = 60) -> None:
        """Change definitions again and again, each time when the last change is made, until something came of it."""
        until = time.monotonic() + timeout_s
        while not reached():
            ends = self.ends()
            self.change()
            left_s = until - time.monotonic()
            wait_until(partial(self._is_made, reached, ends), left_s, f"{what}, or the next change")

    def _is_made(self, reached: Callable[[], object], ends: Mapping[int, int]) -> bool:
        return bool(reached()) or all(offset > ends[partition] + 1 for partition, offset in self.offsets().items())

    def ends(self) -> dict[int, int]:
        """Where the log of each partition ends."""
        found = {}
        for number in range(self.partitions):
            between = self._consumer.get_watermark_offsets(TopicPartition(self.names.tracking, number), timeout=10)
            assert between is not None, "the broker does not say where its log ends"
            found[number] = between[1]
        return found

    def offsets(self) -> dict[int, int]:
        """The next record of each partition; -1 of all while Redis is away."""
        try:
            return self.place.offsets()
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            return dict.fromkeys(range(self.partitions), -1)

    def fold_on(self, timeout_s: float = RECOVERY_S) -> float:
        """Wait until every partition has folded a record that comes after now; how many seconds that took."""
        began = time.monotonic()
        ends = wait_until(self._ends_if_known, timeout_s, "an answer of the broker") or {}

        def folded() -> bool:
            return all(offset > ends[partition] for partition, offset in self.offsets().items())

        wait_until(folded, timeout_s - (time.monotonic() - began), f"records folded beyond {ends}")
        return time.monotonic() - began

    def recovered(self, fault: str, timeout_s: float = RECOVERY_S) -> None:
        """Wait until the fault, which ends now, is over for every partition, and note how long that took."""
        self.recoveries.append((fault, self.fold_on(timeout_s)))

    def counted(self, name: str) -> float:
        """The sum of a metric over the workers that run; what they counted ends with each."""
        return sum(metric(member.process, name) for member in self.crew.members)

    def settle(self) -> Verdict:
        """Let everything come to rest, end it, and audit all that it left behind."""
        self.load.stop()
        self.crew.resume_all()
        wait_until(self._is_at_rest, _REST_TIMEOUT_S, "everything folded, fired and published")
        self._tick()
        wait_until(self._is_at_rest, _REST_TIMEOUT_S, "the last tick folded")
        while self._is_sending():  # what was sent is known to be only with the next commit
            self._tick()
            wait_until(self._is_at_rest, _REST_TIMEOUT_S, "another tick folded")
        self.crew.stop()
        verdict = audit(
            self.servers, self.redis_url, self.names, self.partitions, self.load.journal, zombies=self.zombies
        )
        verdict.problems += self.crew.problems
        verdict.problems += [f"not acknowledged: {error}" for error in self.load.refused[:3]]
        return verdict

    def close(self) -> None:
        """End what may still run, whatever became of it."""
        for each in self._begun:
            each.abandon()
        self._consumer.close()
        self.place.redis.close()

    def _ends_if_known(self) -> dict[int, int] | None:
        try:
            return self.ends()
        except KafkaException:
            return None

    def _is_at_rest(self) -> bool:
        """All is folded, no timer is left, all is published; the broker counts last, since ticks come by themselves."""
        for partition in range(self.partitions):
            for part in ("timers", "outbox"):
                keys = self.place.redis.scan_iter(match=self.names.key(partition, "*", part), count=1_000)
                if any(self._holds_anything(key, part) for key in keys):
                    return False
            if self.place.redis.hexists(self.names.key(partition, "meta"), "former_generation"):
                return False
        return self.offsets() == self._ends_if_known()

    def _is_sending(self) -> bool:
        """Whether something that contacts send to others may be on its way."""
        metas = [self.names.key(partition, "meta") for partition in range(self.partitions)]
        return any(self.place.redis.hget(meta, "sendings") not in {None, b"[]"} for meta in metas)

    def _holds_anything(self, key: bytes, part: str) -> bool:
        count = self.place.redis.zcard(key) if part == "timers" else self.place.redis.xlen(key)
        return bool(count)

    def _tick(self) -> None:
        self._produce(TICK)

    def _produce(self, value: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.servers, "acks": "all"})
        for partition in range(self.partitions):
            producer.produce(self.names.tracking, value, partition=partition)
        assert producer.flush(30) == 0


def definitions_record(definitions: Definitions, number: int) -> bytes:
    """The value of a record that brings definitions."""
    record = DefinitionsRecord(
        type="definitions",
        definitions=definitions.canonical,
        hash=definitions.hash,
        number=number,
        semantics=SEMANTICS_VERSION,
        tzdata="2024.2",
        silent=number % 3 == 0,
    )
    return encode_record(record)
