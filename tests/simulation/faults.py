"""What befalls a run: each fault is a name and what it does to the cast, at an instant that the seed draws."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from tests.simulation.cast import Cast

Fault = Callable[[Cast, random.Random], Awaitable[None]]


async def kill_a_worker(cast: Cast, chance: random.Random) -> None:
    """`kill -9`, now."""
    for worker in chance.sample(cast.running(), min(1, len(cast.running()))):
        worker.process.kill()


async def kill_a_worker_at_an_await(cast: Cast, chance: random.Random) -> None:
    """`kill -9` at one of its next awaits."""
    for worker in chance.sample(cast.running(), min(1, len(cast.running()))):
        worker.process.dies_at_step = worker.process.steps + chance.randint(1, 150)


async def pause_a_worker(cast: Cast, chance: random.Random) -> None:
    """SIGSTOP, past the session time-out or not; then SIGCONT: a zombie."""
    for worker in chance.sample(cast.running(), min(1, len(cast.running()))):
        worker.process.pause()
        await asyncio.sleep(chance.choice((0.5, 3.0, 8.0, 14.0)))
        worker.process.resume()


async def stop_a_worker(cast: Cast, chance: random.Random) -> None:
    """SIGTERM; another one is started."""
    for worker in chance.sample(cast.running(), min(1, len(cast.running()))):
        worker.stops.set()


async def add_a_worker(cast: Cast, chance: random.Random) -> None:
    """One more for a while."""
    worker = cast.start_worker()
    await asyncio.sleep(chance.uniform(1, 20))
    worker.stops.set()


async def rebalance(cast: Cast, chance: random.Random) -> None:
    """The group joins anew, several times in a row."""
    for _ in range(chance.randint(1, 4)):
        cast.group.shuffle()
        await asyncio.sleep(chance.uniform(0.1, 2))


async def redis_away(cast: Cast, chance: random.Random) -> None:
    """Redis answers nobody for a while."""
    cast.redis.network.away = True
    await asyncio.sleep(chance.choice((0.2, 2.0, 10.0)))
    cast.redis.network.away = False


async def redis_set_back(cast: Cast, chance: random.Random) -> None:
    """Redis is what it was at some earlier instant."""
    if cast.redis.snapshots:
        last = len(cast.redis.snapshots) - 1
        cast.redis.set_back(cast.redis.snapshots[last - min(last, int(chance.expovariate(0.3)))])


async def redis_emptied(cast: Cast, _chance: random.Random) -> None:
    """FLUSHALL."""
    cast.redis.empty()


async def bad_weather(cast: Cast, chance: random.Random) -> None:
    """Requests and replies get lost, or come late."""
    servers = (cast.redis.network, cast.broker.network)
    for network in servers:
        network.weather.trouble, network.weather.slow = chance.choice((0.02, 0.15, 0.4)), chance.choice((0.01, 0.3))
    await asyncio.sleep(chance.uniform(1, 15))
    for network in servers:
        network.weather.trouble, network.weather.slow = 0.0, 0.01


async def broker_away(cast: Cast, chance: random.Random) -> None:
    """The broker answers nobody for a while, longer than a producer bears or not."""
    cast.broker.network.away = True
    await asyncio.sleep(chance.choice((0.3, 3.0, 12.0, 25.0)))
    cast.broker.network.away = False


async def broker_refuses(cast: Cast, chance: random.Random) -> None:
    """The broker takes some of what a relay publishes next, and refuses the rest for good."""
    for worker in chance.sample(cast.running(), min(1, len(cast.running()))):
        if worker.relay_producer is not None:
            worker.relay_producer.refuse_next = True


async def clock_jumps(cast: Cast, chance: random.Random) -> None:
    """The broker's clock is set, back or forth."""
    cast.broker.ahead_ms += chance.choice((-120_000, -3_000, 1_000, 60_000, 400_000))


async def group_deleted(cast: Cast, _chance: random.Random) -> None:
    """The workers' group is deleted: its generations begin again, and an operator must help."""
    cast.group.forget()


async def log_cut(cast: Cast, chance: random.Random) -> None:
    """The log loses its start, up to where the state is; a careful operator has just taken a snapshot.

    Not where definitions change: they need the log's whole history.
    """
    if cast.load.changes:
        return
    cast.redis.take_snapshot()
    kept = cast.redis.snapshots[-1]
    for partition in range(cast.broker.partitions):
        log = cast.broker.log(cast.names.tracking, partition)
        log.truncate(chance.randint(log.start, max(log.start, kept.offset(partition))))


async def consumer_killed(cast: Cast, chance: random.Random) -> None:
    """`kill -9` of the consumer at one of its next awaits."""
    cast.consumer.process.dies_at_step = cast.consumer.process.steps + chance.randint(1, 60)


FAULTS: tuple[tuple[int, Fault], ...] = (
    (5, kill_a_worker),
    (10, kill_a_worker_at_an_await),
    (6, pause_a_worker),
    (3, stop_a_worker),
    (3, add_a_worker),
    (3, rebalance),
    (3, redis_away),
    (5, redis_set_back),
    (3, redis_emptied),
    (5, bad_weather),
    (3, broker_away),
    (3, broker_refuses),
    (2, clock_jumps),
    (1, group_deleted),
    (1, log_cut),
    (4, consumer_killed),
)
"""Each with its weight."""


async def befall(cast: Cast, chance: random.Random, count: int) -> list[asyncio.Task[None]]:
    """Begin `count` faults at drawn distances of time; some go on when this returns."""
    begun = []
    for _ in range(count):
        await asyncio.sleep(chance.expovariate(1 / 5))
        (fault,) = chance.choices([fault for _, fault in FAULTS], [weight for weight, _ in FAULTS])
        cast.note(f"fault: {fault.__name__}")
        cast.faults[fault.__name__] += 1
        begun.append(asyncio.create_task(_run(fault, cast, chance)))
    return begun


async def take_snapshots(cast: Cast) -> None:
    """Keep what Redis holds every now and then, until cancelled."""
    while True:
        cast.redis.take_snapshot()
        await asyncio.sleep(1.7)


async def _run(fault: Fault, cast: Cast, chance: random.Random) -> None:
    await fault(cast, random.Random(chance.random()))
