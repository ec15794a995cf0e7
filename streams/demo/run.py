"""One run of the demo: start, open the shop, close it, see that nothing was lost, end everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from signal import SIGINT
from signal import Signals as SignalNumber
from typing import Any, NamedTuple

import httpx
from pydantic import SecretStr

from schemas.errors import SegueError, UnavailableError
from streams.definition_files.reading import load_definition_file
from streams.demo.observer import Observer, Seen
from streams.demo.receiver import Delivery, Receiver
from streams.demo.scrape import scrape
from streams.demo.show import Screen, Show
from streams.demo.signals import Signals
from streams.demo.stack import DEFINITIONS, NAMES, Keys, Stack, Starter, new_keys
from streams.demo.storefront import Storefront
from streams.demo.supervision import Supervisor
from streams.demo.tally import Tally
from streams.demo.traffic import CONNECTIONS_MAX, Traffic
from streams.demo.verdict import Stage, judge, judge_ending
from streams.demo.why import Phrases
from streams.embedded.kafka_broker import PARTITIONS
from streams.links import LinkSigner

SETTLE_TIMEOUT_S = 20.0
"""How long what is under way may take at the end."""
_SETTLE_TIMEOUT_INTERRUPTED_S = 3.0
_CALM_TIMEOUT_S = 5.0
_REFRESH_S = 0.25
_PAUSE_S = 0.05
_TRANSITIONS_WAIT_MS = 10
"""Part of every latency that is shown."""
_LOG_WAIT_MS = 50


class InterruptedDemoError(Exception):
    """A signal came when there was nothing to judge: before the shop was open, or while it was closing."""

    def __init__(self, number: SignalNumber) -> None:
        super().__init__(f"ended by {number.name}")
        self.number = number


class Options(NamedTuple):
    """What a person may choose."""

    seconds: int | None
    visitors: int
    seed: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    show: Show
    stages: list[Stage]
    interrupted_by: SignalNumber | None
    kept_logs: str | None

    @property
    def passed(self) -> bool:
        """Every stage is as it must be."""
        return all(stage.passed for stage in self.stages)


async def run_demo(options: Options, screen: Screen) -> Outcome:
    """Run it to its end. Raises `SegueError` when a program fails, and `InterruptedDemoError`."""
    supervisor = Supervisor()
    with Signals(supervisor.kill) as signals:
        try:
            async with supervisor, httpx.AsyncClient(trust_env=False) as client:
                return await _Run(options, screen, supervisor, client, signals).run()
        except asyncio.CancelledError:
            if signals.number is None or not signals.answered():
                raise
            raise InterruptedDemoError(signals.number) from None
        except SegueError:
            if supervisor.kept_logs is not None:
                screen.say(f"the logs of all programs are kept in {supervisor.kept_logs}")
            raise


class _Run:
    def __init__(
        self, options: Options, screen: Screen, supervisor: Supervisor, client: httpx.AsyncClient, signals: Signals
    ) -> None:
        self._options = options
        self._screen = screen
        self._supervisor = supervisor
        self._client = client
        self._signals = signals
        self._definitions: dict[str, Any] = load_definition_file(DEFINITIONS)
        self._tally = Tally(NAMES, self._definitions["segments"], time.monotonic)
        self._phrases = Phrases(self._definitions)
        self._storefront: Storefront | None = None
        self._reading_failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> Outcome:
        keys = new_keys()
        with Receiver(keys.webhook_secret, self._on_loop(self._delivered)) as receiver:
            stack = await Starter(self._supervisor, self._client, keys, self._screen.say).start(receiver.url)
            limits = httpx.Limits(max_connections=CONNECTIONS_MAX)
            async with httpx.AsyncClient(base_url=stack.collector_url, limits=limits, trust_env=False) as visitors:
                log = self._observer(stack, (NAMES.tracking, NAMES.dead_letter), _LOG_WAIT_MS)
                transitions = self._observer(stack, (NAMES.transitions,), _TRANSITIONS_WAIT_MS)
                with log, transitions, Storefront(stack.collector_url, keys.write_key) as self._storefront:
                    show, stages = await self._open_and_judge(stack, keys, visitors)
            return await self._end(show, stages)  # the receiver takes what comes until the last program has ended

    def _observer(self, stack: Stack, topics: Sequence[str], fetch_wait_ms: int) -> Observer:
        seen, failed = self._on_loop(self._seen), self._on_loop(self._failed)
        return Observer(stack.bootstrap_servers, topics, PARTITIONS, fetch_wait_ms, seen, failed)

    def _on_loop(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        """`take`, to be called on other threads."""
        loop = asyncio.get_running_loop()

        def call(value: Any) -> None:
            loop.call_soon_threadsafe(take, value)

        return call

    def _seen(self, batch: list[Seen]) -> None:
        try:
            self._tally.see(batch)
        except (ValueError, SegueError) as error:
            self._failed(f"what lies in Kafka cannot be read: {error}")
        if self._storefront is not None:
            self._storefront.tell(self._tally.guests, self._phrases)

    def _delivered(self, delivery: Delivery) -> None:
        self._tally.deliver(delivery)

    def _failed(self, reason: str) -> None:
        if not self._reading_failed.done():
            self._reading_failed.set_exception(UnavailableError(reason))
            self._reading_failed.exception()  # asked for here, since nobody may ask once the end has begun

    async def _open_and_judge(self, stack: Stack, keys: Keys, visitors: httpx.AsyncClient) -> tuple[Show, list[Stage]]:
        chance = Random(self._options.seed)  # noqa: S311 - a shop's visitors, not a secret
        signer = LinkSigner({"demo": SecretStr(keys.link_secret)})
        traffic = Traffic(visitors, keys.write_key, signer, chance, self._options.visitors)
        tiers = tuple(name for name, one in self._definitions["segments"].items() if "tier" in one.get("tags", ()))
        show = Show(self._tally, traffic, self._phrases, self._options.visitors, self._options.seconds, tiers)
        assert self._storefront is not None, "it is open for as long as the shop"
        show.storefront, show.shell = self._storefront.url, stack.shell
        self._screen.open(show)
        ticking = asyncio.create_task(self._tick(show, stack))
        try:
            await self._keep_open(traffic, ticking)
            show.closing = True
            missing = await self._settle(show, stack)
            stages = judge(show, missing)
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError, SegueError):
                await ticking
            self._screen.close()
        return show, stages

    async def _end(self, show: Show, stages: list[Stage]) -> Outcome:
        self._screen.say("ending every program")
        await self._supervisor.close(keep_logs=not all(stage.passed for stage in stages) and not self._signals.number)
        stages.append(judge_ending(self._supervisor.exit_codes))
        kept = self._supervisor.kept_logs
        return Outcome(show, stages, self._signals.number, None if kept is None else str(kept))

    async def _keep_open(self, traffic: Traffic, ticking: asyncio.Task[None]) -> None:
        """Until the time is over, a signal comes, or something fails."""
        visiting = asyncio.create_task(traffic.run())
        try:
            done, _ = await asyncio.wait(
                {visiting, ticking, self._reading_failed},
                timeout=self._options.seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in done:
                one.result()
        except asyncio.CancelledError:
            if not self._signals.answered():
                raise
        except UnavailableError:
            # Whoever does not answer has often ended, and then its last words say more.
            await asyncio.sleep(_REFRESH_S)
            self._check()
            raise
        finally:
            traffic.stop()
            await asyncio.wait({visiting})
            failure = visiting.exception()  # asked for on every way out
        if failure is not None:
            raise failure

    async def _tick(self, show: Show, stack: Stack) -> None:
        """Keep the screen and the programs' metrics current, and see that every program still runs."""
        opened_s = time.monotonic()
        while True:
            self._check()
            show.elapsed_s = time.monotonic() - opened_s
            await self._measure(show, stack)
            self._screen.refresh(show)
            await asyncio.sleep(_REFRESH_S)

    def _check(self) -> None:
        """Raises `UnavailableError` if a program has ended or Kafka cannot be read; after a signal they may."""
        if self._signals.number is None:
            self._supervisor.check()
            if self._reading_failed.done():
                self._reading_failed.result()

    async def _measure(self, show: Show, stack: Stack) -> None:
        show.worker = await scrape(self._client, stack.worker_url) or show.worker
        show.consumer = await scrape(self._client, stack.consumer_url) or show.consumer

    async def _settle(self, show: Show, stack: Stack) -> int:
        """Wait for what is under way; returns how many webhooks did not come.

        Time goes on and moves contacts, so there is no end of transitions: those count that were there when the last
        event had been folded, and in the end there is one instant at which nothing is behind.
        """
        tally, traffic = self._tally, show.traffic
        timeout_s = SETTLE_TIMEOUT_S if self._signals.number is None else _SETTLE_TIMEOUT_INTERRUPTED_S
        deadline = time.monotonic() + timeout_s

        async def until(condition: Callable[[], bool]) -> None:
            while not condition() and time.monotonic() < deadline and not self._signals.hurried:
                self._check()
                await asyncio.sleep(_PAUSE_S)
                await self._measure(show, stack)

        def caught_up() -> bool:
            folded = show.worker.total("segue_records_total") == tally.log_records
            logged = tally.contact_records >= sum(traffic.accepted.values())
            return folded and logged and tally.recomputation.waiting == 0

        await until(caught_up)
        promised = frozenset(tally.webhooks.undelivered)
        await until(lambda: not promised & tally.webhooks.undelivered)
        # Better still, and seldom long to wait for: an instant at which no later one is under way either.
        deadline = min(deadline, time.monotonic() + _CALM_TIMEOUT_S)
        await until(lambda: caught_up() and not tally.webhooks.undelivered)
        await until(caught_up)
        return len(promised & tally.webhooks.undelivered)


def exit_code(outcome: Outcome) -> int:
    """0 when all went well; 1 when a stage saw nothing or a gap; 128 and the signal when one came too early."""
    number = outcome.interrupted_by
    if number is None:
        return 0 if outcome.passed else 1
    if number == SIGINT and outcome.show.seconds is None:
        return 0  # the way to end a demo without an end
    return 128 + number
