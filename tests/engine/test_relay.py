"""The output: every transition once and in order, whatever the owner before has done."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from schemas.errors import BugError, InputError, UnavailableError
from streams.adapters.memory import MemoryLogs, MemoryStateStore
from streams.pipeline.pipeline import PipelineBounds
from streams.pipeline.relay import PUBLISHED_AT_ONCE, TAIL_MESSAGES, Gate, Published, last_published
from streams.ports import Fence, Message, OutboxEntry, RawRecord
from tests.engine.faults import FaultyStore
from tests.engine.stories import HOUR, LogWriter, busy_log, definitions_value, story
from tests.engine.test_batches import seen
from tests.engine.world import FENCE, StoreOpener, drained, world_in_memory
from tests.support.waiting import wait_until_async


class HeldLogs(MemoryLogs):
    """A broker that keeps what it is given to itself until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.given: list[int] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        self.given.append(len(messages))
        await self.let_go.wait()
        await super().publish(messages)


class BrokenLogs(MemoryLogs):
    """A broker that takes nothing."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def publish(self, messages: Sequence[Message]) -> None:  # noqa: ARG002 - the port's signature
        raise self.error


def entries(first: int, last: int, epoch: int = 1) -> list[OutboxEntry]:
    return [OutboxEntry(n, 10 * n, 0, epoch, f"id-{n}", "c", b"{}") for n in range(first, last + 1)]


def moving_log(moves: int) -> LogWriter:
    """A log in which `moves` contacts enter a segment."""
    writer = LogWriter()
    for number in range(moves):
        writer.track("email_open", f"c{number}")
        writer.track("email_open", f"c{number}", after_ms=1)
    return writer


def seqs(messages: Sequence[Message]) -> list[int]:
    return [int(dict(message.headers)["seq"]) for message in messages]


def test_the_gate_passes_over_what_was_published_and_lets_what_follows_pass() -> None:
    gate = Gate(0, 1, Published(1, 3, (30, 0), "id-3"))
    assert [gate.admits(entry) for entry in entries(1, 6)] == [False, False, False, True, True, True]
    assert [gate.admits(entry) for entry in entries(4, 7)] == [False, False, False, True]


def test_the_gate_stops_where_the_same_place_holds_another_transition() -> None:
    for other in (
        replace(entries(3, 3)[0], transition_id="id-x"),
        replace(entries(3, 3)[0], seq=4),
    ):
        with pytest.raises(InputError, match="segue epoch raise --partition 5"):
            Gate(5, 1, Published(1, 3, (30, 0), "id-3")).admits(other)


def test_the_gate_stops_at_a_hole_in_the_numbers() -> None:
    gate = Gate(0, 1, Published(1, 3, (30, 0), "id-3"))
    with pytest.raises(InputError, match="transition 5"):
        gate.admits(entries(5, 5)[0])


def test_what_was_published_in_an_older_epoch_holds_nothing_back() -> None:
    assert Gate(0, 2, Published(1, 900, (9_000, 0), "x")).admits(entries(1, 1, epoch=2)[0])


def test_late_messages_of_a_former_owner_do_not_hide_how_far_the_output_came() -> None:
    def message(seq: int, epoch: int) -> Message:
        headers = {"seq": seq, "epoch": epoch, "position": f"{seq}.0", "transition_id": f"id-{seq}"}
        return Message("t", 0, None, b"", tuple((name, str(text).encode()) for name, text in headers.items()))

    log = [message(6, 1), message(7, 1), message(8, 1), message(5, 1), message(6, 1), Message("t", 0, None, b"")]
    assert last_published(log) == Published(1, 8, (8, 0), "id-8")
    assert last_published([*log, message(1, 2)]) == Published(2, 1, (1, 0), "id-1")
    assert last_published([]) is None


@story
async def test_what_is_acknowledged_leaves_the_outbox(worlds: StoreOpener) -> None:
    async with worlds() as world:
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        await pipeline.apply(moving_log(30).records)

        async with asyncio.timeout(10):
            while await world.store.outbox(0, 0, 10):
                await asyncio.sleep(0)
        assert seqs(world.published()) == list(range(1, 31))
        await pipeline.close()


@story
async def test_what_a_dead_owner_had_committed_and_not_published_is_published_by_the_next(worlds: StoreOpener) -> None:
    records = moving_log(2_300).records
    async with worlds() as world:
        held = HeldLogs()
        world.publisher = held
        dying = world.pipeline()
        await dying.load(Fence(1, "a"))
        for start in range(0, len(records), 500):
            await dying.apply(records[start : start + 500])
        await wait_until_async(lambda: held.given, 10, "output under way")
        assert len(held.given) == 1  # what is in the producer's hands waits for its ack before more is
        assert held.given[0] <= PUBLISHED_AT_ONCE
        assert dying.outbox_waiting == 2_300
        dead = [task for task in asyncio.all_tasks() if task.get_name().startswith(("relay", "forwarder"))]
        for task in dead:
            task.cancel()
        await asyncio.wait(dead)
        world.publisher = None
        await world.fold([], Fence(2, "b"))
        assert seqs(world.published()) == list(range(1, 2_301))


@story
async def test_what_a_dead_owner_had_published_and_not_trimmed_is_not_published_again() -> None:
    records = moving_log(40).records
    async with world_in_memory() as world:
        assert isinstance(world.store, MemoryStateStore)
        await world.fold([records[:41]])
        published = list(world.published())
        world.logs.logs[world.names.transitions, 0].clear()
        async with world_in_memory() as again:
            held = HeldLogs()
            again.publisher, again.tails = held, again.logs
            pipeline = again.pipeline()
            await pipeline.load(FENCE)
            await pipeline.apply(records[:41])
            again.logs.logs[again.names.transitions, 0] += published[:13]
            held.let_go.set()
            await pipeline.close()
            again.publisher = None
            again.failures.clear()
            await again.fold([records[41:]], Fence(2, "b"))
            assert seqs(again.published()) == list(range(1, 41))


@story
async def test_what_a_former_owner_publishes_while_the_next_one_loads_is_no_hole(worlds: StoreOpener) -> None:
    """It gets acknowledgements and trims, at the worst moment, what it had handed to its producer before."""
    records = moving_log(30).records
    async with worlds() as world:
        held = HeldLogs()
        world.publisher = held
        former = world.pipeline()
        await former.load(Fence(1, "a"))
        held.let_go.set()
        await former.apply(records[:21])
        await drained(former)
        world.logs.logs.update(held.logs)
        held.let_go.clear()
        held.given.clear()
        await former.apply(records[21:])
        await wait_until_async(lambda: held.given, 10, "output under way")

        class LateStore(FaultyStore):
            async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
                held.logs = world.logs.logs
                held.let_go.set()
                await former.close()
                await self.store.trim(partition, 30)  # as the former owner's relay would have done in a moment
                return await super().outbox(partition, after_seq, limit)

        world.store, world.publisher = LateStore(world.store, random.Random(0), rate=0), None
        more = LogWriter()
        more.records, more.now_ms = list(records), records[-1].timestamp_ms
        more.track("email_open", "c-new")
        more.track("email_open", "c-new")
        await world.fold([more.records], Fence(2, "b"))
        assert seqs(world.published()) == list(range(1, 32))


@story
async def test_an_emptied_store_computes_everything_again_and_publishes_nothing_twice(worlds: StoreOpener) -> None:
    records = busy_log(5, 400)
    async with worlds() as world:
        world.bounds = PipelineBounds(dead_letter_ratio_max=1)
        await world.fold([records[:300]])
        before = list(world.published())
        async with world_in_memory() as emptied:
            emptied.names, emptied.logs, emptied.bounds = world.names, world.logs, world.bounds
            await emptied.fold([records[:150], records[150:]])
            await world.fold([records[300:]], Fence(2, "b"))
            assert emptied.contents() == world.contents()
        assert seen(world.published()[: len(before)]) == seen(before)
        assert seqs(world.published()) == list(range(1, len(world.published()) + 1))


@story
async def test_a_log_that_was_replaced_stops_the_output_until_the_epoch_is_raised(worlds: StoreOpener) -> None:
    first, second = moving_log(20).records, LogWriter()
    for number in range(20):
        second.track("email_open", f"other-{number}")
        second.track("email_open", f"other-{number}", after_ms=3)
    async with worlds() as world:
        await world.fold([first])
        async with world_in_memory() as emptied:
            emptied.names, emptied.logs = world.names, world.logs
            pipeline = emptied.pipeline()
            await pipeline.load(FENCE)
            with pytest.raises(InputError, match="segue epoch raise"):
                await pipeline.apply(second.records)
            await pipeline.close()
            assert len(world.published()) == 20
            await emptied.store.start_over(0, FENCE, 2)
            await emptied.fold([second.records])
            assert seqs(world.published()) == [*range(1, 21), *range(1, 21)]
            assert {dict(message.headers)["epoch"] for message in world.published()[20:]} == {b"2"}


@story
async def test_a_store_that_forgot_the_epoch_learns_it_from_the_output(worlds: StoreOpener) -> None:
    records = moving_log(20).records
    async with worlds() as world:
        await world.store.take(0, FENCE, world.log)
        await world.store.start_over(0, FENCE, 3)
        await world.fold([records[:21]])
        async with world_in_memory() as emptied:
            emptied.names, emptied.logs = world.names, world.logs
            await emptied.fold([records[:31], records[31:]])
            assert seqs(world.published()) == list(range(1, 21))
            assert {dict(message.headers)["epoch"] for message in world.published()} == {b"3"}
            assert (await emptied.store.take(0, FENCE, world.log)).epoch == 3


@story
async def test_folding_waits_while_too_much_output_is_unacknowledged() -> None:
    records = moving_log(200).records
    async with world_in_memory() as world:
        held = HeldLogs()
        world.publisher, world.bounds = held, PipelineBounds(outbox_entries_max=50)
        pipeline = world.pipeline()
        await pipeline.load(FENCE)

        async def apply_all() -> None:
            for start in range(0, len(records), 20):
                await pipeline.apply(records[start : start + 20])

        applying = asyncio.create_task(apply_all())
        await wait_until_async(lambda: pipeline.outbox_waiting >= 50, 10, "a full outbox")
        await asyncio.wait([applying], timeout=0.05)
        assert not applying.done()
        assert pipeline.outbox_waiting <= 60
        held.let_go.set()
        await applying
        await drained(pipeline)
        await pipeline.close()
        assert seqs(held.logs[world.names.transitions, 0]) == list(range(1, 201))


@pytest.mark.parametrize("error", [UnavailableError("the broker is gone for good"), BugError("a bug")])
@story
async def test_a_delivery_that_failed_for_good_is_told_and_stops_the_folding(error: Exception) -> None:
    async with world_in_memory() as world:
        world.publisher = BrokenLogs(error)
        pipeline = world.pipeline()
        await pipeline.load(FENCE)
        await pipeline.apply(moving_log(3).records)
        await wait_until_async(lambda: world.failures, 10, "the failure")
        assert world.failures == [error]
        with pytest.raises(type(error)):
            await pipeline.apply([RawRecord(pipeline.cursor.offset, HOUR, None, definitions_value())])
        await pipeline.close()


@story
async def test_time_from_record_to_acknowledged_transition_is_measured() -> None:
    writer = moving_log(4)
    async with world_in_memory() as world:
        world.clock.ms = writer.now_ms + 20
        await world.fold([writer.records])
        buckets = world.meters.histogram("segue_end_to_end_seconds")
        assert buckets._sum.get() == pytest.approx(0.02 * 4, abs=0.005)


def test_the_tail_is_longer_than_what_a_former_owner_can_add_to_it() -> None:
    assert TAIL_MESSAGES > 2 * PUBLISHED_AT_ONCE
