"""An engine on its own: no Kafka, no Redis, a sink that answers when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from consumers.arrivals import Arrival
from consumers.engine import Engine, Flow, Limits
from consumers.lease import Lease
from consumers.progress_store import Stored
from consumers.sink import Delivery, Outcome
from consumers.start import Start
from consumers.window import Progress
from schemas.errors import UnavailableError
from schemas.metrics import Meters
from tests.consumers.fake_clock import FakeClock, settle
from tests.consumers.transitions import Made


class MemoryStore:
    """Progress in memory, with the promises of the one in Redis."""

    def __init__(self) -> None:
        self.progress: dict[int, Progress] = {}
        self.ahead: dict[int, set[int]] = {}
        self.away = False

    def _require(self) -> None:
        if self.away:
            raise UnavailableError("Redis does not answer")

    async def load(self, partition: int) -> Stored:
        self._require()
        return Stored(self.progress.get(partition), frozenset(self.ahead.get(partition, ())))

    async def save(self, partition: int, progress: Progress, ahead: Sequence[int]) -> Progress:
        self._require()
        stored = max(self.progress.get(partition, progress), progress)
        self.progress[partition] = stored
        known = self.ahead.get(partition, set()) | set(ahead)
        self.ahead[partition] = {offset for offset in known if offset >= stored.offset}
        return stored

    async def reset(self, partition: int, progress: Progress) -> None:
        self._require()
        self.progress[partition], self.ahead[partition] = progress, set()


class HeldSink:
    """Holds every attempt until the test settles it."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.under_way: dict[int, asyncio.Future[Outcome | None]] = {}
        self.begun: list[int] = []

    def lane(self, arrival: Arrival) -> str:
        return arrival.transition_id if arrival.transition is None else arrival.transition.contact_id

    def admission(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def attempt(self, delivery: Delivery) -> Outcome | None:
        seq = delivery.arrival.stamp.seq
        self.begun.append(seq)
        self.under_way[seq] = asyncio.get_running_loop().create_future()
        try:
            return await self.under_way[seq]
        finally:
            del self.under_way[seq]

    async def settle(self, seq: int, outcome: Outcome | None = "delivered") -> None:
        self.under_way[seq].set_result(outcome)
        await settle()

    async def fail(self, seq: int, error: Exception) -> None:
        self.under_way[seq].set_exception(error)
        await settle()


class Bench:
    """The engine, and all that it works with."""

    def __init__(self, *, concurrency: int = 8, window: int = 100) -> None:
        self.clock = FakeClock()
        self.sink = HeldSink(concurrency)
        self.store = MemoryStore()
        self.meters = Meters("consumer")
        self.lease = Lease(5.0, self.clock)
        self.lease.renew(0.0)
        limits = Limits(window, drain_s=1.0)
        self.engine = Engine(self.sink, self.store, self.lease, self.meters, self.clock, limits)

    async def open(self, start: Start | None = None, *, accept_gap: bool = False) -> None:
        await self.engine.open(0, start or Start(Progress(1, 0, 0)), accept_gap=accept_gap)

    async def feed(self, made: Iterable[Made], first_offset: int = 0) -> Flow:
        flow = self.engine.feed([each.message(offset) for offset, each in enumerate(made, start=first_offset)])
        await settle()
        return flow

    @property
    def progress(self) -> Progress:
        return self.engine.progress()[0]

    def metric(self, name: str, **labels: str) -> float:
        value = self.meters.registry.get_sample_value(name, labels)
        assert value is not None
        return value


def on_bench(story: Callable[[Bench], Awaitable[None]], *, concurrency: int = 8, window: int = 100) -> None:
    """Run `story` with a bench of its own, and leave nothing behind."""

    async def run() -> None:
        bench = Bench(concurrency=concurrency, window=window)
        try:
            await story(bench)
        finally:
            bench.engine.abandon([0])
            await bench.engine.end()

    asyncio.run(run())
