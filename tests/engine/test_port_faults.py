"""A fifth of all calls fail at every port, and now and then there is a bug: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from schemas.errors import EXIT_BUG, BugError, UnavailableError
from schemas.metrics import Meters
from schemas.topics import DEAD_LETTER_OFFSET
from streams.agents.ending import Ending
from streams.agents.lane import Batch, LaneBounds
from streams.agents.lanes import Lanes
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import CursorMismatchError, Fence, LogBounds, RawRecord
from tests.audit import PartitionLog, audit_partition, dead_letters_expected
from tests.engine.port_faults import (
    FailingBuilds,
    FailingGenerations,
    FailingHistory,
    FailingLogs,
    FailingStore,
    Fault,
    Faults,
    PlantedBug,
)
from tests.engine.stories import busy_log, changing_log, story
from tests.engine.test_relay import seqs
from tests.engine.world import World, world_in_memory

BOUNDS = PipelineBounds(timers_per_commit_max=10, contacts_cached_max=10, dead_letter_ratio_max=1)
EVERY_PORT = {"take", "load", "commit", "outbox", "tail", "publish"}
PORTS_OF_A_CHANGE = {
    *("begin", "build load", "build commit", "history"),
    *("states", "members", "built keys", "settle", "switch", "drop"),
}


def _failing(world: World, logs: FailingLogs) -> World:
    """What a process sees of a world of which every port may fail."""
    faults = logs.faults
    return replace(
        world,
        store=FailingStore(world.store, faults),
        builds=FailingBuilds(world.builds, faults),
        generations=FailingGenerations(world.generations, faults),
        past=FailingHistory(world.history, faults),
        publisher=logs,
        tails=logs,
        failures=[],
    )


async def _one_process(world: World, records: Sequence[RawRecord], faults: Faults, fence: Fence) -> bool:
    """Work as the worker does until all is published, or something ends the process; whether all is."""
    logs = FailingLogs(world.logs, faults)
    process = _failing(world, logs)
    pipeline = process.pipeline()
    next_offset = -1
    try:
        while not process.failures and not logs.dead:
            try:
                if next_offset < 0:
                    next_offset = await pipeline.load(fence)
                elif next_offset < len(records):
                    batch = records[next_offset : next_offset + faults.chance.randint(1, 40)]
                    await pipeline.apply(batch)
                    next_offset += len(batch)
                elif not pipeline.outbox_waiting and not pipeline.is_tidying:
                    return True
                else:
                    await asyncio.sleep(0)
            except (UnavailableError, CursorMismatchError):
                next_offset = -1
                await asyncio.sleep(0)
    except PlantedBug:
        return False
    finally:
        await pipeline.close()
    return False


@pytest.mark.parametrize("bugs", [0.0, 0.02])
@pytest.mark.parametrize("seed", range(6))
@story
async def test_faults_at_every_port_change_nothing_that_comes_out(seed: int, bugs: float) -> None:
    assert (await _met_by(busy_log(seed, records=400), seed, bugs)).keys() >= EVERY_PORT


@pytest.mark.parametrize("bugs", [0.0, 0.02])
@story
async def test_faults_at_every_port_change_nothing_where_definitions_change(bugs: float) -> None:
    met: Counter[str] = Counter()
    for seed in range(5):
        met += await _met_by(changing_log(seed, records=150), seed, bugs)
    assert met.keys() >= EVERY_PORT | PORTS_OF_A_CHANGE


async def _met_by(records: Sequence[RawRecord], seed: int, bugs: float) -> Counter[str]:
    """Fold a log through faults, and audit what comes out; how often each port failed."""
    faults = Faults(random.Random(seed), rate=0.2, bugs=bugs)
    processes = 1
    async with world_in_memory() as world:
        world.bounds, world.history.logs[0] = BOUNDS, records
        async with asyncio.timeout(60):
            while not await _one_process(world, records, faults, Fence(processes, f"member-{processes}")):
                processes += 1
        log = PartitionLog(0, 1, records)
        assert audit_partition(log, world.published(), world.contents()["0"]) == []
        assert seqs(world.published()) == list(range(1, len(world.published()) + 1)), (
            "and no consumer has anything to pass over"
        )
        origins = [int(dict(letter.headers)[DEAD_LETTER_OFFSET]) for letter in world.dead_letters()]
        assert origins == dead_letters_expected(log), "each once, in order"
    assert processes > 1, "some died"
    assert bool(bugs) == any("bug" in what for what in faults.met)
    return Counter(what.partition(":")[0] for what in faults.met)


class _Log:
    """A log that delivers nothing by itself."""

    async def start_at(self, partition: int, offset: int) -> None:
        """Nothing follows."""

    async def bounds(self, partition: int) -> LogBounds:  # noqa: ARG002 - one log
        return LogBounds(0, 1_000)

    async def committed(self, partition: int) -> int | None:  # noqa: ARG002 - one log
        return None

    async def confirmed(self, partition: int) -> bool:  # noqa: ARG002 - one log
        return True


@pytest.mark.parametrize("at_call", range(1, 12))
@story
async def test_a_bug_at_any_call_ends_the_process_with_code_70_and_the_next_one_loses_nothing(at_call: int) -> None:
    await _bug_at(at_call, busy_log(at_call, records=60))


@pytest.mark.parametrize("at_call", range(12, 132, 5))
@story
async def test_a_bug_at_any_call_of_a_change_ends_the_process_with_code_70_too(at_call: int) -> None:
    await _bug_at(at_call, changing_log(at_call, records=60))


async def _bug_at(at_call: int, records: Sequence[RawRecord]) -> None:
    async with world_in_memory() as world:
        world.bounds, world.history.logs[0] = BOUNDS, records
        ending = Ending()
        logs = FailingLogs(world.logs, _BugAt(at_call))
        process = _failing(world, logs)
        lanes = Lanes(
            process.pipeline, LaneBounds(20, 1, 10, 1_000, idle_check_ms=60_000), 16, ending, Meters("worker")
        )
        process.failures = _Told(ending)
        lanes.assign([0], Fence(1, "first"), _Log())
        feeding = asyncio.create_task(_feed(lanes, records))
        async with asyncio.timeout(30):
            reason = await ending.reason()
        feeding.cancel()
        await asyncio.wait([feeding])
        await lanes.close(1)
        assert isinstance(reason, BugError)
        assert reason.exit_code == EXIT_BUG
        assert await _one_process(world, records, Faults(random.Random(0), rate=0), Fence(2, "second"))
        assert audit_partition(PartitionLog(0, 1, records), world.published(), world.contents()["0"]) == []


class _BugAt(Faults):
    """Plants one bug, at the n-th call of all ports."""

    def __init__(self, at_call: int) -> None:
        super().__init__(random.Random(at_call), rate=0)
        self._left = at_call

    def draw(self, what: str) -> Fault:
        self._left -= 1
        return "bug" if self._left == 0 else super().draw(what)


class _Told(list[BaseException]):
    """What fails ends the process."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self._ending = ending

    def append(self, error: BaseException) -> None:
        self._ending.fail(error)


async def _feed(lanes: Lanes, records: Sequence[RawRecord]) -> None:
    """Deliver the log in small batches, whenever the lane serves."""
    start = 0
    while start < len(records):
        await asyncio.sleep(0)
        if lanes.serving():
            batch = records[start : start + 7]
            lanes.accept(Batch(0, list(batch), lanes.placements()[0], len(records), lambda: None))
            start += 7
    await asyncio.Event().wait()
