"""The loop and its processes."""

from __future__ import annotations

import asyncio

import pytest

from tests.simulation.virtual_loop import StuckError, VirtualLoop


def test_a_year_passes_in_no_time_and_in_order() -> None:
    loop, seen = VirtualLoop(), []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((seconds, asyncio.get_running_loop().time()))

    async def story() -> None:
        await asyncio.gather(sleeper(31_536_000), sleeper(0.001), sleeper(60))

    loop.run(story())
    assert seen == [(0.001, 0.001), (60, 60), (31_536_000, 31_536_000)]


def test_where_nothing_can_ever_happen_again_the_run_ends() -> None:
    loop = VirtualLoop()
    with pytest.raises(StuckError):
        loop.run(asyncio.Event().wait())


def test_a_dead_process_does_not_even_tidy_up() -> None:
    loop, said = VirtualLoop(), []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
            said.append("done")
        finally:
            said.append("tidied up")

    async def story() -> None:
        process = loop.process("one")
        process.start(work())
        await asyncio.sleep(1)
        process.kill()
        await asyncio.sleep(100)
        assert not said

    loop.run(story())


def test_a_process_dies_at_the_very_await_that_was_chosen() -> None:
    def reached(step: int | None) -> int:
        loop, places = VirtualLoop(), [0]

        async def work() -> None:
            for place in range(1, 6):
                await asyncio.sleep(1)
                places.append(place)

        async def story() -> None:
            process = loop.process("one")
            process.dies_at_step = step
            process.start(work())
            await asyncio.sleep(60)

        loop.run(story())
        return places[-1]

    assert reached(None) == 5
    assert {reached(step) for step in range(1, 12)} == {0, 1, 2, 3, 4}


def test_a_paused_process_and_the_tasks_that_it_made_go_on_where_they_were() -> None:
    loop, seen = VirtualLoop(), []

    async def child() -> None:
        while True:
            await asyncio.sleep(1)
            seen.append(asyncio.get_running_loop().time())

    async def parent() -> None:
        await asyncio.create_task(child())

    async def story() -> None:
        process = loop.process("one")
        process.start(parent())
        await asyncio.sleep(2.5)
        process.pause()
        await asyncio.sleep(20)
        assert seen == [1, 2]
        process.resume()
        await asyncio.sleep(1.7)

    loop.run(story())
    assert seen == [1, 2, 22.5, 23.5]
