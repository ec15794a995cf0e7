"""The endpoint's pauses, with a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from consumers.webhook.breaker import Breaker
from consumers.webhook.policy import Pauses
from tests.consumers.fake_clock import FakeClock, settle

PAUSES = Pauses((5, 300), max_s=600, jitter_ratio=0, retry_after_min_s=1, retry_after_max_s=3600)


class Bench:
    """A breaker, its clock, and attempts that wait to be admitted."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.shown: list[bool] = []
        self.breaker = Breaker(PAUSES, self.clock, self.shown.append, lambda: 0.0)
        self.admitted: list[str] = []
        self.answers: dict[str, asyncio.Future[bool]] = {}

    def attempt(self, name: str) -> asyncio.Task[None]:
        self.answers[name] = asyncio.get_running_loop().create_future()
        return asyncio.create_task(self._attempt(name))

    async def _attempt(self, name: str) -> None:
        async with self.breaker.admission():
            self.admitted.append(name)
            attempt_round = self.breaker.round
            if await self.answers[name]:
                self.breaker.well(attempt_round)
            else:
                self.breaker.trouble(attempt_round, None)

    async def answer(self, name: str, *, well: bool) -> None:
        self.answers[name].set_result(well)
        await settle()


def on_bench(story: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        await story(Bench())
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(run())


def test_attempts_overlap_while_the_endpoint_is_well() -> None:
    async def story(bench: Bench) -> None:
        for name in "abc":
            bench.attempt(name)
        await settle()
        assert bench.admitted == ["a", "b", "c"]
        assert not bench.breaker.paused

    on_bench(story)


def test_after_a_failure_nothing_is_tried_until_the_pause_is_over_and_then_one_alone() -> None:
    async def story(bench: Bench) -> None:
        bench.attempt("a")
        await settle()
        await bench.answer("a", well=False)
        assert bench.breaker.paused
        bench.attempt("b")
        bench.attempt("c")
        await bench.clock.advance(4.99)
        assert bench.admitted == ["a"]
        await bench.clock.advance(0.01)
        assert bench.admitted == ["a", "b"]
        await bench.answer("b", well=True)
        assert bench.admitted == ["a", "b", "c"]
        assert not bench.breaker.paused
        assert bench.shown == [True, False]

    on_bench(story)


def test_a_failed_probe_pauses_for_longer_and_lets_another_delivery_be_the_next_probe() -> None:
    async def story(bench: Bench) -> None:
        bench.attempt("a")
        await settle()
        await bench.answer("a", well=False)
        bench.attempt("b")
        bench.attempt("c")
        await bench.clock.advance(5)
        await bench.answer("b", well=False)
        await bench.clock.advance(299)
        assert bench.admitted == ["a", "b"]
        await bench.clock.advance(1)
        assert bench.admitted == ["a", "b", "c"]

    on_bench(story)


def test_failures_of_attempts_that_were_under_way_together_count_as_one() -> None:
    async def story(bench: Bench) -> None:
        for name in "abc":
            bench.attempt(name)
        await settle()
        for name in "abc":
            await bench.answer(name, well=False)
        bench.attempt("d")
        await bench.clock.advance(5)
        assert bench.admitted == ["a", "b", "c", "d"]

    on_bench(story)


def test_a_late_success_of_before_the_pause_does_not_end_it() -> None:
    async def story(bench: Bench) -> None:
        bench.attempt("a")
        bench.attempt("b")
        await settle()
        await bench.answer("a", well=False)
        await bench.answer("b", well=True)
        assert bench.breaker.paused

    on_bench(story)


def test_a_late_retry_after_of_before_the_pause_prolongs_it() -> None:
    async def story(bench: Bench) -> None:
        assert bench.breaker.trouble(0, None) == 5
        assert bench.breaker.trouble(0, 60.0) == 60
        assert bench.breaker.trouble(0, 2.0) == 60

    on_bench(story)


def test_a_cancelled_probe_makes_way_for_the_next() -> None:
    async def story(bench: Bench) -> None:
        bench.breaker.trouble(0, None)
        probe = bench.attempt("a")
        await bench.clock.advance(5)
        bench.attempt("b")
        await settle()
        assert bench.admitted == ["a"]
        probe.cancel()
        await settle()
        assert bench.admitted == ["a", "b"]

    on_bench(story)
