"""The engine between the gate and the sink."""

from __future__ import annotations

import asyncio
import logging

import pytest

from consumers.arrivals import RawMessage
from consumers.start import Start
from consumers.window import Progress
from schemas.errors import InputError
from tests.consumers.bench import Bench, on_bench
from tests.consumers.fake_clock import settle
from tests.consumers.transitions import make


def test_contacts_overlap_and_each_ones_transitions_wait_for_each_other() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(1, "a"), make(2, "a"), make(3, "b"), make(4, "a")])
        assert bench.sink.begun == [1, 3]
        await bench.sink.settle(1)
        assert bench.sink.begun == [1, 3, 2]
        await bench.sink.settle(2)
        assert bench.sink.begun == [1, 3, 2, 4]

    on_bench(story)


def test_no_more_attempts_than_the_sink_allows_are_under_way() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(seq, f"c{seq}") for seq in range(1, 8)])
        assert sorted(bench.sink.under_way) == [1, 2, 3]
        await bench.sink.settle(2)
        assert sorted(bench.sink.under_way) == [1, 3, 4]

    on_bench(story, concurrency=3)


def test_progress_passes_no_delivery_that_is_still_under_way() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(seq, f"c{seq}") for seq in range(1, 5)])
        for seq in (2, 4):
            await bench.sink.settle(seq)
        assert bench.progress == Progress(1, 0, 0)
        assert bench.store.ahead[0] == {1, 3}
        await bench.sink.settle(1)
        assert bench.progress == bench.store.progress[0] == Progress(1, 2, 2)
        assert bench.store.ahead[0] == {3}
        await bench.sink.settle(3)
        assert bench.store.progress[0] == Progress(1, 4, 4)

    on_bench(story)


def test_what_an_earlier_owner_had_delivered_is_not_delivered_again() -> None:
    async def story(bench: Bench) -> None:
        await bench.open(Start(Progress(1, 1, 1), frozenset({2, 4})))
        await bench.feed([make(seq, f"c{seq}") for seq in range(1, 7)])
        assert bench.sink.begun == [2, 4, 6]
        assert bench.metric("segue_consumer_transitions_total", outcome="skipped_seen") == 3

    on_bench(story)


def test_a_delivery_that_is_to_be_tried_again_keeps_its_contacts_order() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(1, "a"), make(2, "a")])
        await bench.sink.settle(1, None)
        assert bench.sink.begun == [1, 1]
        await bench.sink.settle(1, "dead_lettered")
        assert bench.sink.begun == [1, 1, 2]
        assert bench.metric("segue_consumer_transitions_total", outcome="dead_lettered") == 1

    on_bench(story)


def test_a_gap_stops_the_partition_loudly_and_finishes_what_came_before(caplog: pytest.LogCaptureFixture) -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        with caplog.at_level(logging.ERROR):
            flow = await bench.feed([make(1), make(3), make(4)])
        assert flow.pause == [0]
        await bench.sink.settle(1)
        assert bench.sink.begun == [1]
        assert bench.store.progress[0] == Progress(1, 1, 1)
        assert bench.metric("segue_consumer_gaps_total") == 1
        assert bench.metric("segue_consumer_partitions_stopped") == 1
        assert bench.engine.problems() == bench.engine.stopped()
        assert "expected transition 2 of epoch 1, found 3" in caplog.text
        assert "--accept-gap" in caplog.text
        flow = await bench.feed([make(2)], 9)
        assert flow == ([], [])
        assert bench.sink.begun == [1]

    on_bench(story)


def test_an_accepted_gap_goes_on_and_the_next_one_stops() -> None:
    async def story(bench: Bench) -> None:
        await bench.open(accept_gap=True)
        await bench.feed([make(3, "a"), make(4, "b"), make(6, "c")])
        assert bench.sink.begun == [3, 4]
        assert len(bench.engine.stopped()) == 1

    on_bench(story)


def test_a_raised_epoch_starts_again_at_one_and_older_ones_are_dropped() -> None:
    async def story(bench: Bench) -> None:
        await bench.open(Start(Progress(1, 7, 0)))
        await bench.feed([make(8, "a"), make(1, "b", epoch=2), make(9, "c"), make(2, "d", epoch=2)])
        assert bench.sink.begun == [8, 1, 2]
        for seq in (8, 1, 2):
            await bench.sink.settle(seq)
        assert bench.store.progress[0] == Progress(2, 2, 4)

    on_bench(story)


def test_a_message_that_is_no_transition_is_counted_and_passed_over() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        good = make(1).headers
        bad = [
            [],
            [(name, value) for name, value in good if name != "seq"],
            [(name, b"0" if name == "seq" else value) for name, value in good],
            [(name, b"1" if name == "partition" else value) for name, value in good],
            [(name, b"9" * 400 if name == "seq" else value) for name, value in good],
        ]
        bench.engine.feed([RawMessage(0, offset, headers, b"x") for offset, headers in enumerate(bad)])
        await bench.feed([make(1)], len(bad))
        await bench.sink.settle(1)
        assert bench.metric("segue_consumer_transitions_total", outcome="unreadable") == len(bad)
        assert bench.store.progress[0] == Progress(1, 1, len(bad) + 1)

    on_bench(story)


def test_a_value_that_is_no_transition_reaches_the_sink_as_such() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        values = [b"\xff", b"{}", b"[" * 100_000, make(9).value]
        made = [make(seq) for seq in range(1, 5)]
        messages = [
            each.message(offset)._replace(value=value)
            for offset, (each, value) in enumerate(zip(made, values, strict=True))
        ]
        bench.engine.feed(messages)
        await settle()
        # Each has a lane of its own: whose transition it is cannot be known.
        assert bench.sink.begun == [1, 2, 3, 4]

    on_bench(story)


def test_a_full_window_pauses_reading_until_half_of_it_is_settled() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        flow = await bench.feed([make(seq, f"c{seq}") for seq in range(1, 5)])
        assert flow == ([0], [])
        await bench.sink.settle(1)
        assert await bench.feed([]) == ([], [])
        await bench.sink.settle(2)
        assert await bench.feed([]) == ([], [0])

    on_bench(story, window=4)


def test_closing_finishes_what_is_under_way_and_begins_nothing() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(1, "a"), make(2, "b"), make(3, "a"), make(4, "c")])
        closing = asyncio.create_task(bench.engine.close([0]))
        await settle()
        assert not closing.done()
        await bench.sink.settle(1)
        await bench.sink.settle(2)
        assert await closing == {0: Progress(1, 2, 2)}
        assert bench.sink.begun == [1, 2]
        assert bench.store.progress[0] == Progress(1, 2, 2)

    on_bench(story, concurrency=2)


def test_closing_gives_up_on_attempts_that_do_not_end() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(1)])
        assert await bench.engine.close([0]) == {0: Progress(1, 0, 0)}
        assert not bench.sink.under_way

    on_bench(story)


def test_an_abandoned_partition_is_dropped_at_once() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(1)])
        bench.engine.abandon([0])
        await settle()
        assert not bench.sink.under_way
        assert bench.engine.progress() == {}

    on_bench(story)


def test_no_attempt_begins_on_a_lease_that_ran_out() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.clock.advance(5)
        await bench.feed([make(1, "a"), make(2, "b")])
        assert bench.sink.begun == []
        assert bench.engine.problems() == ["Kafka does not confirm the membership in the group"]
        bench.lease.renew(bench.clock.monotonic() - 5)
        await settle()
        assert bench.sink.begun == []
        bench.lease.renew(bench.clock.monotonic() - 4.9)
        await settle()
        assert bench.sink.begun == [1, 2]
        assert bench.engine.problems() == []

    on_bench(story)


def test_progress_is_saved_late_where_redis_was_away() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await settle()
        bench.store.away = True
        await bench.feed([make(1)])
        await bench.sink.settle(1)
        assert bench.progress == Progress(1, 1, 1)
        assert bench.engine.problems() == ["Redis does not answer"]
        await bench.clock.advance(2)
        assert bench.store.progress[0] == Progress(1, 0, 0)
        bench.store.away = False
        bench.lease.renew(bench.clock.monotonic())
        await bench.clock.advance(5)
        bench.lease.renew(bench.clock.monotonic())
        assert bench.store.progress[0] == Progress(1, 1, 1)
        assert bench.engine.problems() == []

    on_bench(story)


def test_a_consumer_that_was_overtaken_begins_nothing_more_and_moves_nothing_back() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(1, "a"), make(2, "a"), make(3, "a")])
        bench.store.progress[0] = Progress(1, 40, 40)
        await bench.sink.settle(1)
        assert bench.sink.begun == [1, 2]
        await bench.sink.settle(2)
        assert bench.sink.begun == [1, 2]
        assert bench.store.progress[0] == Progress(1, 40, 40)
        assert bench.engine.progress() == {}
        assert "another consumer of this name" in bench.engine.stopped()[0]
        assert await bench.engine.close([0]) == {}

    on_bench(story)


def test_a_sink_that_must_stop_ends_every_attempt_that_has_not_begun() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(1, "a"), make(2, "b"), make(3, "c")])
        await bench.sink.fail(1, InputError("410 Gone"))
        assert isinstance(bench.engine.failure.exception(), InputError)
        assert bench.sink.begun == [1, 2]
        await bench.sink.settle(2)
        assert bench.sink.begun == [1, 2]
        assert await bench.engine.close([0]) == {0: Progress(1, 0, 0)}
        assert bench.store.ahead[0] == {1}

    on_bench(story, concurrency=2)


def test_a_bug_in_a_sink_is_not_lost() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        await bench.feed([make(1)])
        await bench.sink.fail(1, ZeroDivisionError())
        assert isinstance(bench.engine.failure.exception(), ZeroDivisionError)

    on_bench(story)


def test_a_transition_whose_id_is_not_its_headers_is_no_transition() -> None:
    async def story(bench: Bench) -> None:
        await bench.open()
        message = make(1, "a").message(0)
        headers = [(name, b"another" if name == "transition_id" else value) for name, value in message.headers]
        bench.engine.feed([message._replace(headers=headers), make(2, "a").message(1)])
        await settle()
        # In lanes of their own: the first one is not known to be of contact a.
        assert bench.sink.begun == [1, 2]

    on_bench(story)


def test_starting_anew_forgets_progress_of_another_log() -> None:
    async def story(bench: Bench) -> None:
        bench.store.progress[0] = Progress(3, 900, 900)
        bench.store.ahead[0] = {901}
        await bench.open(Start(Progress(0, 0, 0), anew=True))
        assert bench.store.progress[0] == Progress(0, 0, 0)
        assert bench.store.ahead[0] == set()

    on_bench(story)
