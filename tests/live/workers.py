"""Workers as processes on the shared Kafka and Redis, and what they leave behind."""

from __future__ import annotations

import json
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.topics import HEADER_EPOCH, HEADER_SEQ, HEADER_TRANSITION_ID, Names
from tests.live import history
from tests.support.processes import Commands, StartedCommand
from tests.support.redis_cluster import client_of
from tests.support.waiting import wait_until

PARTITIONS = 4
QUICK_GROUP = {"SEGUE_SESSION_TIMEOUT_MS": "2000", "SEGUE_HEARTBEAT_INTERVAL_MS": "300"}
"""Lets the group notice a death sooner than it does by default."""


@dataclass(frozen=True, slots=True)
class Output:
    """A message of `transitions`."""

    partition: int
    epoch: int
    seq: int
    transition_id: str
    headers: tuple[tuple[str, bytes], ...]
    key: bytes
    value: bytes


class Place:
    """Topics, definitions, a log and its state, in one namespace."""

    def __init__(
        self,
        commands: Commands,
        servers: str,
        redis_url: str,
        namespace: str,
        directory: Path,
        partitions: int = PARTITIONS,
    ) -> None:
        self.partitions = partitions
        self.commands = commands
        self.names = Names(namespace)
        self.servers = servers
        self.directory = directory
        self.redis = client_of(redis_url)
        self.definitions = directory / "definitions.yaml"

    def prepare(self, timestamps: str, definitions: str = history.DEFINITIONS) -> None:
        """Create the topics and apply definitions."""
        self.definitions.write_text(definitions)
        self.command("topics", "create", "--partitions", str(self.partitions), "--timestamps", timestamps)
        at = ["--at", history.DEFINITIONS_AT] if timestamps == "create" else []
        self.command("apply", str(self.definitions), *at)

    def command(self, *arguments: str) -> StartedCommand:
        """Run a command that must succeed."""
        outcome = self.commands.run(*arguments, timeout_s=120)
        assert outcome.returncode == 0, outcome.tail()
        return outcome

    def load_history(self, events: Path) -> None:
        """Load a history with the time stamps of the simulator, up to its last instant."""
        self.command("load", str(events), "--timestamps", "received", "--until", history.UNTIL)

    def simulated(self, events: Path) -> list[dict[str, Any]]:
        """What `segue simulate` says of a history."""
        out = self.directory / "simulated.jsonl"
        self.command("simulate", str(self.definitions), str(events), "--until", history.UNTIL, "--out", str(out))
        return [json.loads(line) for line in out.read_text().splitlines()]

    def worker(self, **environment: str) -> StartedCommand:
        """Start a worker."""
        return self.commands.start("worker", environment=QUICK_GROUP | environment)

    def pair(self, **environment: str) -> tuple[StartedCommand, StartedCommand]:
        """Start two workers and wait until each has half of the partitions."""
        one, two = self.worker(**environment), self.worker(**environment)

        def shared() -> bool:
            return all(metric(worker, "segue_partitions_owned") == self.partitions / 2 for worker in (one, two))

        wait_until(shared, 60, "the partitions shared")
        return one, two

    def offsets(self) -> dict[int, int]:
        """The next record of each partition, as Redis has it."""
        found = {p: self.redis.hget(self.names.key(p, "meta"), "offset") for p in range(self.partitions)}
        return {partition: int(offset or 0) for partition, offset in found.items()}

    def folded(self) -> int:
        """Records folded, over all partitions."""
        return sum(self.offsets().values())

    def log_ends(self) -> dict[int, int]:
        """Where the log of each partition ends."""
        return self._ends(self.names.tracking)

    def wait_until_folded(self, timeout_s: float = 60) -> None:
        """Wait until the whole log is folded and the broker has every transition."""
        ends = self.log_ends()
        wait_until(lambda: self.offsets() == ends, timeout_s, f"the whole log folded, up to {ends}")
        outboxes = self.names.key(0, "*", "outbox").replace("{tracking-0}", "{tracking-*}")
        wait_until(
            lambda: all(self.redis.xlen(key) == 0 for key in self.redis.scan_iter(match=outboxes)),
            timeout_s,
            "every outbox empty",
        )

    def output(self) -> list[Output]:
        """Every message of `transitions`, in order of each partition."""
        return [_output(message) for message in self._read(self.names.transitions)]

    def dead_letters(self) -> list[Any]:
        """Every message of `tracking.dead_letter`."""
        return self._read(self.names.dead_letter)

    def messages(self, partition: int) -> list[Any]:
        """Every message of a partition of `tracking`."""
        return [message for message in self._read(self.names.tracking) if message.partition() == partition]

    def state(self) -> dict[str, Any]:
        """All that Redis holds of the partitions' contents: every key but for the fence, byte for byte."""
        found: dict[str, Any] = {}
        for key in self.redis.scan_iter(match=f"{self.names.namespace}:*", count=1000):
            name = key.decode()
            if name.endswith(":meta"):
                fields: dict[Any, Any] = self.redis.hgetall(key)
                found[name] = {field: value for field, value in fields.items() if b"fence" not in field}
            elif not name.endswith(":outbox"):
                found[name] = self._content(key)
        return found

    def forget_state(self) -> None:
        """Empty Redis, as far as it is ours."""
        for key in self.redis.scan_iter(match=f"{self.names.namespace}:*", count=1000):
            self.redis.delete(key)

    def forget_output(self) -> None:
        """Delete all that was published."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        topic = self.names.transitions
        ends = [TopicPartition(topic, partition, end) for partition, end in self._ends(topic).items()]
        for deleted in admin.delete_records(ends).values():
            deleted.result(30)

    def _content(self, key: bytes) -> Any:
        kind = self.redis.type(key)
        if kind == b"string":
            return self.redis.get(key)
        if kind == b"zset":
            return self.redis.zrange(key, 0, -1, withscores=True)
        assert kind == b"hash", f"{key!r} is a {kind!r}"
        return self.redis.hgetall(key)

    def _ends(self, topic: str) -> dict[int, int]:
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "test"})
        ends = {partition: bounds[1] for partition, bounds in self._bounds(consumer, topic).items()}
        consumer.close()
        return ends

    def _bounds(self, consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
        bounds = {}
        for partition in range(self.partitions):
            found = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
            assert found is not None
            bounds[partition] = found
        return bounds

    def _read(self, topic: str) -> list[Any]:
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "test", "auto.offset.reset": "earliest"})
        bounds = self._bounds(consumer, topic)
        wanted = sum(end - start for start, end in bounds.values())
        consumer.assign([TopicPartition(topic, partition, start) for partition, (start, _) in bounds.items()])
        messages: list[Any] = []
        while len(messages) < wanted:
            message = consumer.poll(30)
            assert message is not None, f"{topic} ends early"
            assert message.error() is None
            messages.append(message)
        consumer.close()
        return messages


def past_the_gate(output: list[Output]) -> dict[int, list[Output]]:
    """What a consumer's gate lets pass of each partition: seq after seq; `AssertionError` for a gap, or for another
    transition under a seq that was seen."""
    passed: dict[int, list[Output]] = {}
    for message in output:
        lane = passed.setdefault(message.partition, [])
        assert message.seq <= len(lane) + 1, f"a gap in partition {message.partition} before {message.seq}"
        if message.seq == len(lane) + 1:
            lane.append(message)
        else:
            assert lane[message.seq - 1].transition_id == message.transition_id
    return passed


def comparable(transitions: list[dict[str, Any]]) -> list[str]:
    """Transitions in a fixed order, without what differs between the live pipeline and the simulator."""
    kept = []
    for transition in transitions:
        cause = {name: value for name, value in transition["cause"].items() if name != "position"}
        kept.append(json.dumps(transition | {"cause": cause, "detected_at": None}, sort_keys=True))
    return sorted(kept)


def published(output: list[Output]) -> list[dict[str, Any]]:
    """The transitions past the gate."""
    return [json.loads(message.value) for lane in past_the_gate(output).values() for message in lane]


def metric(worker: StartedCommand, name: str) -> float:
    """The sum of a worker's metric over its labels."""
    url = worker.wait_for_output(r"(http://[\d.:]+)/metrics").group(1)
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        text = response.read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if re.match(rf"{name}(\{{|\s)", line))


def _output(message: Any) -> Output:
    headers = dict(message.headers())
    return Output(
        message.partition(),
        int(headers[HEADER_EPOCH]),
        int(headers[HEADER_SEQ]),
        headers[HEADER_TRANSITION_ID].decode(),
        tuple(message.headers()),
        message.key(),
        message.value(),
    )
