"""A consumer process of the simulation: the consumers' own gate, window, engine and saver, and who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import NamedTuple

from consumers.arrivals import Arrival, RawMessage
from consumers.engine import Engine, Flow, Limits
from consumers.lease import Lease
from consumers.progress_store import Stored
from consumers.sink import Delivery, Outcome
from consumers.start import Found, Start, decide
from consumers.window import Progress
from schemas.errors import UnavailableError
from schemas.metrics import Meters
from tests.simulation.store import SimProgressStore
from tests.simulation.virtual_loop import SimProcess
from tests.simulation.worker import Surroundings

_POLL_S = 0.4
_COMMIT_S = 1.0


class Heard(NamedTuple):
    """A delivery as the target got it."""

    partition: int
    epoch: int
    seq: int
    transition_id: str
    contact_id: str


class LoopClock:
    """Virtual time for the engine."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def now_ms(self) -> int:
        return self._around.broker.now_ms()

    def monotonic(self) -> float:
        return self._around.broker.network.loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Target:
    """Where deliveries go: it takes its time, and sometimes fails after it has listened."""

    concurrency = 4

    def __init__(self, around: Surroundings, process: SimProcess, heard: list[Heard]) -> None:
        self._chance = around.broker.network.chance(f"{process.name}/target")
        self._heard = heard

    def lane(self, arrival: Arrival) -> str:
        assert arrival.transition is not None, "the relay publishes nothing else"
        return arrival.transition.contact_id

    def admission(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def attempt(self, delivery: Delivery) -> Outcome | None:
        await asyncio.sleep(self._chance.choice((0.001, 0.1, 2.0)))
        if self._chance.random() < 0.1:
            return None
        arrival = delivery.arrival
        self._heard.append(Heard(arrival.partition, *arrival.stamp, arrival.transition_id, self.lane(arrival)))
        await asyncio.sleep(self._chance.uniform(0.001, 0.05))
        return None if self._chance.random() < 0.03 else "delivered"


class Consumer:
    """One consumer process that reads every partition."""

    def __init__(
        self,
        around: Surroundings,
        process: SimProcess,
        committed: dict[int, Progress],
        heard: list[Heard],
        on_end: Callable[[Consumer, str], None],
    ) -> None:
        self.process = process
        self._around = around
        self._committed = committed  # by the consumer's group, which outlives the process
        self._heard = heard
        self._on_end = on_end
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()

    def start(self) -> None:
        """Begin."""
        self.process.start(self._work())

    async def _work(self) -> None:
        clock = LoopClock(self._around)
        lease = Lease(3.0, clock)
        store = SimProgressStore(self._around.redis, self.process)
        target = Target(self._around, self.process, self._heard)
        engine = Engine(target, store, lease, Meters("consumer"), clock, Limits(20, 2.0))
        for partition in range(self._around.broker.partitions):
            self._positions[partition] = await self._open(engine, store, partition)
        committing = asyncio.create_task(self._commit(engine, lease))
        while not engine.stopped() and not engine.failure.done():
            await self._turn(engine)
        committing.cancel()
        reasons = engine.stopped() or [repr(engine.failure.exception())]
        self._on_end(self, "; ".join(reasons))

    async def _open(self, engine: Engine, store: SimProgressStore, partition: int) -> int:
        """Begin with a partition, as soon as the store answers; returns the offset to read from."""
        while True:
            try:
                start = self._start(await store.load(partition), partition)
                await engine.open(partition, start, accept_gap=False)
            except UnavailableError:
                await asyncio.sleep(0.5)
            else:
                return start.progress.offset

    def _start(self, stored: Stored, partition: int) -> Start:
        topic = self._around.names.transitions
        low, high = self._around.broker.log(topic, partition).bounds
        committed = self._committed.get(partition)
        start = decide(Found(topic, partition, low, high, stored.progress, committed, stored.ahead), "beginning")
        assert isinstance(start, Start), "the log of transitions is never cut here"
        return start

    async def _turn(self, engine: Engine) -> None:
        try:
            messages = await self._around.broker.network.call(self.process, "read", self._read)
        except UnavailableError:
            return
        for message in messages:
            self._positions[message.partition] = message.offset + 1
        flow: Flow = engine.feed(messages)
        self._paused = (self._paused | set(flow.pause)) - set(flow.resume)
        if not messages:
            await asyncio.sleep(_POLL_S)

    def _read(self) -> list[RawMessage]:
        found = []
        for partition, offset in self._positions.items():
            if partition not in self._paused:
                log = self._around.broker.log(self._around.names.transitions, partition)
                for message in log.read(offset, 10):
                    found.append(RawMessage(partition, message.offset, message.headers, message.value or b""))
        return found

    async def _commit(self, engine: Engine, lease: Lease) -> None:
        while True:
            asked_at = self._around.broker.network.loop.time()
            progress = engine.progress()
            try:
                await self._around.broker.network.call(
                    self.process, "commit", partial(self._committed.update, progress)
                )
            except UnavailableError:
                continue
            lease.renew(asked_at)
            await asyncio.sleep(_COMMIT_S)


def misheard(heard: list[Heard], expected: dict[int, list[tuple[str, str]]]) -> list[str]:
    """What is wrong with all that the target ever heard; `expected` has (transition id, contact) by seq."""
    problems = []
    for partition, wanted in expected.items():
        first: list[Heard] = []
        seen: set[int] = set()
        for one in heard:
            if one.partition != partition:
                continue
            if one.seq > len(wanted) or (one.transition_id, one.contact_id) != wanted[one.seq - 1]:
                problems.append(f"partition {partition}: a consumer heard {one}, which never was")
            if one.seq not in seen:
                seen.add(one.seq)
                first.append(one)
        missing = set(range(1, len(wanted) + 1)) - seen
        if missing:
            problems.append(f"partition {partition}: a consumer never heard of {len(missing)}, such as {min(missing)}")
        by_contact: dict[str, list[int]] = {}
        for one in first:
            by_contact.setdefault(one.contact_id, []).append(one.seq)
        for contact, seqs in by_contact.items():
            if seqs != sorted(seqs):
                problems.append(f"partition {partition}: {contact} was told of in the order {seqs}")
    return problems
