"""What the webhook sink does about answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from consumers.arrivals import read_arrival, read_stamp
from consumers.sink import Delivery, Outcome
from consumers.webhook.breaker import Breaker
from consumers.webhook.dead_letters import DeadLetter, DeadLetters
from consumers.webhook.endpoint_state import EndpointState
from consumers.webhook.policy import Answer, Pauses, classify
from consumers.webhook.sender import Sender
from consumers.webhook.sink import WebhookSink
from schemas.errors import InputError, UnavailableError
from schemas.metrics import Meters
from tests.consumers.fake_clock import FakeClock, settle
from tests.consumers.transitions import make

PAUSES = Pauses((5, 300), max_s=600, jitter_ratio=0, retry_after_min_s=1, retry_after_max_s=3600)


class ScriptedSender:
    """Answers with a status, or with an answer, each time the next."""

    origin = "https://hooks.example"

    def __init__(self, *script: int | Answer) -> None:
        self.script = list(script)
        self.sent: list[str] = []

    async def post(self, webhook_id: str, _body: bytes) -> Answer:
        self.sent.append(webhook_id)
        step = self.script.pop(0)
        return step if isinstance(step, Answer) else Answer(classify(step), step, "says c1@example.com")


class ListedLetters:
    """A dead-letter list in memory."""

    def __init__(self, most: int = 100) -> None:
        self.letters: dict[str, DeadLetter] = {}
        self.most = most
        self.away = False

    async def push(self, letter: DeadLetter) -> int:
        if self.away:
            raise UnavailableError("Redis does not answer")
        if len(self.letters) >= self.most:
            raise InputError("the dead-letter list is full")
        self.letters[letter.transition_id] = letter
        return len(self.letters)


class NotedState:
    """Remembers when the endpoint was disabled."""

    def __init__(self) -> None:
        self.moment: str | None = None

    async def disable(self, moment: str) -> None:
        self.moment = moment


class SinkBench:
    """A sink whose endpoint follows a script."""

    def __init__(self, *script: int | Answer, most: int = 100) -> None:
        self.clock = FakeClock()
        self.sender = ScriptedSender(*script)
        self.letters = ListedLetters(most)
        self.state = NotedState()
        self.meters = Meters("consumer")
        self.breaker = Breaker(PAUSES, self.clock, lambda _paused: None, lambda: 0.0)
        self.sink = WebhookSink(
            cast(Sender, self.sender),
            self.breaker,
            cast(DeadLetters, self.letters),
            cast(EndpointState, self.state),
            self.meters,
            self.clock,
            concurrency=4,
            attempts_max=3,
        )
        self.deliveries: dict[int, Delivery] = {}

    async def attempt(self, seq: int, value: bytes | None = None) -> Outcome | None:
        if seq not in self.deliveries:
            message = make(seq).message(seq + 10)
            if value is not None:
                message = message._replace(value=value)
            stamp = read_stamp(message)
            assert stamp is not None
            self.deliveries[seq] = Delivery(read_arrival(message, stamp))
        return await self.sink.attempt(self.deliveries[seq])


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def started() -> None:
        await story()

    asyncio.run(started())


def test_an_acknowledged_delivery_is_delivered_and_timed() -> None:
    async def story() -> None:
        bench = SinkBench(204)
        assert await bench.attempt(1) == "delivered"
        assert bench.sender.sent == ["p0e1s1"]
        assert bench.meters.registry.get_sample_value("segue_webhook_attempts_total", {"answer": "2xx"}) == 1
        assert bench.meters.registry.get_sample_value("segue_webhook_delivery_seconds_count") == 1

    run(story)


def test_a_rejected_delivery_is_dead_lettered_at_once_with_all_that_a_replay_needs() -> None:
    async def story() -> None:
        bench = SinkBench(422)
        assert await bench.attempt(1) == "dead_lettered"
        letter = bench.letters.letters["p0e1s1"]
        assert (letter.reason, letter.status, letter.seq, letter.offset) == ("rejected", 422, 1, 11)
        assert letter.value == make(1).value
        assert not bench.breaker.paused

    run(story)


def test_the_endpoints_trouble_pauses_it_and_keeps_the_delivery() -> None:
    async def story() -> None:
        for trouble in (500, 429, 408, 302, Answer("timeout"), Answer("connection"), Answer("refused")):
            bench = SinkBench(trouble)
            assert await bench.attempt(1) is None
            assert bench.breaker.paused
            assert bench.letters.letters == {}

    run(story)


def test_a_long_outage_dead_letters_nothing() -> None:
    async def story() -> None:
        bench = SinkBench(200, *[503] * 40, 200)
        await bench.attempt(1)
        for _ in range(20):
            assert await bench.attempt(2) is None
            assert await bench.attempt(3) is None
        assert await bench.attempt(2) == "delivered"

    # Two deliveries fail in turn: it is the endpoint, neither of them.
    run(story)


def test_a_delivery_that_fails_alone_while_others_are_taken_is_dead_lettered_in_the_end() -> None:
    async def story() -> None:
        bench = SinkBench(200, 500, 200, 500, 200, 500)
        await bench.attempt(1)
        assert await bench.attempt(2) is None
        await bench.attempt(3)
        assert await bench.attempt(2) is None
        await bench.attempt(4)
        assert await bench.attempt(2) == "dead_lettered"
        assert bench.letters.letters["p0e1s2"].reason == "attempts"

    run(story)


def test_an_outage_at_the_start_dead_letters_nothing() -> None:
    async def story() -> None:
        bench = SinkBench(*[500] * 30)
        for _ in range(30):
            assert await bench.attempt(1) is None

    run(story)


def test_gone_disables_the_endpoint_and_stops() -> None:
    async def story() -> None:
        bench = SinkBench(410)
        with pytest.raises(InputError, match=r"410 Gone.*--enable"):
            await bench.attempt(1)
        assert bench.state.moment is not None
        assert bench.letters.letters == {}

    run(story)


def test_a_full_dead_letter_list_stops_instead_of_dropping() -> None:
    async def story() -> None:
        bench = SinkBench(400, 400, most=1)
        await bench.attempt(1)
        with pytest.raises(InputError, match="full"):
            await bench.attempt(2)
        assert list(bench.letters.letters) == ["p0e1s1"]

    run(story)


def test_a_dead_letter_waits_for_redis() -> None:
    async def story() -> None:
        bench = SinkBench(400)
        bench.letters.away = True
        attempt = asyncio.create_task(bench.attempt(1))
        await bench.clock.advance(10)
        assert not attempt.done()
        bench.letters.away = False
        await bench.clock.advance(1)
        assert await attempt == "dead_lettered"
        assert bench.sender.sent == ["p0e1s1"]

    run(story)


def test_what_is_no_transition_is_dead_lettered_unsent() -> None:
    async def story() -> None:
        bench = SinkBench()
        assert await bench.attempt(1, b"\xff") == "dead_lettered"
        letter = bench.letters.letters["p0e1s1"]
        assert (letter.reason, letter.value, letter.status) == ("invalid", b"\xff", None)
        assert bench.sender.sent == []

    run(story)


def test_no_contact_and_no_word_of_the_receiver_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        bench = SinkBench(500, 422, 410)
        with caplog.at_level(logging.INFO):
            await bench.attempt(1)
            await bench.attempt(1)
            with pytest.raises(InputError):
                await bench.attempt(2)
        await settle()
        assert "answered 500" in caplog.text
        assert "c1" not in caplog.text

    run(story)
