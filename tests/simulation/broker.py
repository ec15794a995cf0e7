"""Kafka of the simulation: logs with offsets, stamped by the broker's clock, and producers that may be refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from schemas.errors import SegueError, UnavailableError
from schemas.topics import HEADER_EPOCH, HEADER_SEQ, Names
from streams.ports import LogBounds, Message, RawRecord
from tests.simulation.network import Network
from tests.simulation.virtual_loop import SimProcess

PUBLISH_TIMEOUT_S = 20.0
_TRY_AGAIN_S = 0.25


class OffsetGoneError(Exception):
    """The record asked for lies before the beginning of the log, or after its end."""


@dataclass
class SimLog:
    """One partition of a topic. What was cut off at its start is kept for the audit alone."""

    messages: list[Message] = field(default_factory=list)
    start: int = 0

    @property
    def bounds(self) -> LogBounds:
        return LogBounds(self.start, len(self.messages))

    def append(self, message: Message, timestamp_ms: int) -> int:
        """The offset that the message got."""
        offset = len(self.messages)
        self.messages.append(msgspec.structs.replace(message, offset=offset, timestamp_ms=timestamp_ms))
        return offset

    def read(self, offset: int, count: int) -> list[Message]:
        """At most `count` messages from `offset` on. Raises `OffsetGoneError`."""
        if not self.start <= offset <= len(self.messages):
            raise OffsetGoneError
        return self.messages[offset : offset + count]

    def tail(self, count: int) -> list[Message]:
        """The last messages, at most `count`."""
        return self.messages[max(self.start, len(self.messages) - count) :]

    def truncate(self, start: int) -> None:
        """Forget what lies before `start`."""
        self.start = max(self.start, min(start, len(self.messages)))

    def records(self) -> list[RawRecord]:
        """All that was ever appended, as records."""
        return [RawRecord(each.offset, each.timestamp_ms, each.key, each.value) for each in self.messages]


class Broker:
    """All topics of one cluster."""

    def __init__(self, network: Network, names: Names, partitions: int, start_ms: int) -> None:
        self.network = network
        self.names = names
        self.partitions = partitions
        self.ahead_ms = start_ms
        """The broker's clock, beyond virtual time."""
        self._logs: dict[tuple[str, int], SimLog] = {}
        self._tail_read: dict[tuple[str, int], int] = {}  # how far each process has seen each partition of the output
        self.problems: list[str] = []

    def tail_read(self, process: SimProcess, topic: str, partition: int) -> None:
        """A process has read the end of a partition's log."""
        if topic == self.names.transitions:
            self._tail_read[process.name, partition] = len(self.log(topic, partition).messages)

    def published(self, process: SimProcess, message: Message) -> None:
        """A process publishes: nothing that it has read, or should have read, to be there already."""
        if message.topic == self.names.transitions:
            seen = self._tail_read.get((process.name, message.partition), 0)
            stamp = _stamp(message)
            if any(_stamp(known) == stamp for known in self.log(message.topic, message.partition).messages[:seen]):
                self.problems.append(f"partition {message.partition}: {process.name} published {stamp} once more")
            if (process.name, message.partition) not in self._tail_read:
                self.problems.append(f"partition {message.partition}: {process.name} published without a look at it")

    def log(self, topic: str, partition: int) -> SimLog:
        """A partition's log."""
        return self._logs.setdefault((topic, partition), SimLog())

    def now_ms(self) -> int:
        """The broker's clock, the only one that stamps records."""
        return int(self.network.loop.time() * 1000) + self.ahead_ms

    def append(self, message: Message) -> int:
        """Append; returns the offset."""
        return self.log(message.topic, message.partition).append(message, self.now_ms())


def _stamp(message: Message) -> tuple[bytes, bytes]:
    headers = dict(message.headers)
    return headers[HEADER_EPOCH], headers[HEADER_SEQ]


class SimTails:
    """A `TailReader` of one process."""

    def __init__(self, broker: Broker, process: SimProcess) -> None:
        self._broker = broker
        self._process = process

    async def tail(self, topic: str, partition: int, count: int) -> list[Message]:
        def read() -> list[Message]:
            self._broker.tail_read(self._process, topic, partition)
            return self._broker.log(topic, partition).tail(count)

        return await self._broker.network.call(self._process, f"tail/{topic}/{partition}", read)


class SimProducer:
    """An idempotent producer of one process: it tries for as long as it may, and its failure is final.

    What it has sent keeps its order in a partition, also where it tried again; and it may still arrive when its
    sender is dead.
    """

    def __init__(
        self, broker: Broker, process: SimProcess, name: str, on_failure: Callable[[SegueError], None]
    ) -> None:
        self._broker = broker
        self._process = process
        self._name = name
        self._on_failure = on_failure
        self._failure: UnavailableError | None = None
        self.refuse_next = False
        """The broker refuses what is sent next, for good."""

    async def publish(self, messages: Sequence[Message]) -> None:
        if messages:
            await self._send(list(messages))

    async def append(self, message: Message) -> int:
        """Publish one; returns its offset."""
        return (await self._send([message]))[0]

    async def _send(self, messages: list[Message]) -> list[int]:
        if self._failure is not None:
            raise self._failure
        network = self._broker.network
        chance = network.chance(f"{self._process.name}/{self._name}/{messages[0].topic}/{messages[0].partition}")
        acked: asyncio.Future[list[int]] = network.loop.create_future()
        survives = chance.random() < 0.5
        back_s, refused, some = chance.uniform(0.0005, 0.02), self.refuse_next, chance.randint(0, len(messages))
        since = network.loop.time()

        def arrive() -> None:
            if self._process.dead and not survives:
                return
            if network.away:
                if network.loop.time() - since > PUBLISH_TIMEOUT_S:
                    network.loop.later(back_s, lambda: self._fail(acked, "did not take a message in time"))
                else:
                    network.loop.later(_TRY_AGAIN_S, arrive)
                return
            taken = messages[:some] if refused else messages
            for message in taken:
                self._broker.published(self._process, message)
            offsets = [self._broker.append(message) for message in taken]
            if refused:
                network.met["produces refused"] += 1
                network.loop.later(back_s, lambda: self._fail(acked, "refuses a message"))
            else:
                network.loop.later(back_s, lambda: None if acked.done() else acked.set_result(offsets))

        self.refuse_next = False
        slow = chance.random() < network.weather.slow
        network.loop.later(chance.uniform(0.0005, 0.5 if slow else 0.005), arrive)
        return await acked

    def _fail(self, acked: asyncio.Future[list[int]], what: str) -> None:
        if self._failure is None:
            self._failure = UnavailableError(f"the broker {what}")
        if not acked.done():
            acked.set_exception(self._failure)
            acked.exception()  # heard: who asked may be dead
        if not self._process.dead:
            self._on_failure(self._failure)
