"""Puts a consumer together and runs it until it is told to stop, or must."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, TypeAlias

import click

from consumers.clock import Clock, SystemClock
from consumers.engine import Engine, Limits
from consumers.kafka_log import CLIENT_LOGGER, Subscription
from consumers.kafka_source import KafkaSource
from consumers.lease import Lease
from consumers.monitor import Monitor
from consumers.progress_store import RedisProgressStore
from consumers.redis_client import AnyRedis, connect_redis
from consumers.settings import ConsumerSettings
from consumers.sink import Sink
from consumers.start import From
from schemas.errors import BugError, InputError, SegueError
from schemas.log_lines import Seldom
from schemas.metrics import Meters
from schemas.service_manager import Condition, ServiceManager

log = logging.getLogger(__name__)

_HANGS_AFTER_S = 60.0
_REPEATED = (CLIENT_LOGGER, "consumers.kafka_log")


class Mode(NamedTuple):
    """How a consumer was started."""

    role: str
    """Its name: of its group, and of its keys in Redis."""
    start: From | None
    accept_gap: bool


class Surroundings(NamedTuple):
    """What a sink is made from."""

    redis: AnyRedis
    meters: Meters
    clock: Clock


MakeSink: TypeAlias = Callable[[Surroundings], AbstractAsyncContextManager[Sink]]


def run_consumer(settings: ConsumerSettings, mode: Mode, make_sink: MakeSink) -> None:
    """Consume until SIGTERM or SIGINT. Raises `SegueError` when it must stop, or stopped a partition at a gap."""
    asyncio.run(_consume(settings, mode, make_sink))


async def _consume(settings: ConsumerSettings, mode: Mode, make_sink: MakeSink) -> None:
    clock, meters = SystemClock(), Meters("consumer")
    async with connect_redis(settings) as client, make_sink(Surroundings(client, meters, clock)) as sink:
        lease = Lease(settings.consumer_session_timeout_ms / 2000, clock)
        store = RedisProgressStore(client, settings.names, mode.role)
        limits = Limits(settings.consumer_window, settings.consumer_drain_ms / 1000)
        engine = Engine(sink, store, lease, meters, clock, limits)
        source = KafkaSource(_subscription(settings, mode), engine, store, lease, meters, clock)

        def problems() -> list[str]:
            return engine.problems() if source.joined else ["not a member of the group yet"]

        def hangs() -> bool:
            return source.idle_s > _HANGS_AFTER_S + limits.drain_s

        with Monitor(settings.consumer_host, settings.consumer_port, meters.registry, problems, hangs) as monitor:
            click.echo(f"listening on {monitor.url} (/metrics, /healthz, /readyz)", err=True)
            manager = ServiceManager()
            telling = asyncio.create_task(manager.watch(lambda: _condition(problems(), hangs())))
            try:
                await _run(source, engine, manager)
            finally:
                telling.cancel()


def _condition(problems: list[str], hangs: bool) -> Condition:
    return Condition(not problems, not hangs, "; ".join(problems) or "consuming")


def _subscription(settings: ConsumerSettings, mode: Mode) -> Subscription:
    return Subscription(
        connection=settings.kafka,
        topic=settings.names.transitions,
        group=settings.names.group(mode.role),
        session_timeout_ms=settings.consumer_session_timeout_ms,
        request_timeout_ms=settings.consumer_kafka_timeout_ms,
        commit_interval_ms=settings.consumer_commit_interval_ms,
        patience_ms=settings.consumer_patience_ms,
        batch_max=settings.consumer_batch_max,
        start=mode.start,
        accept_gap=mode.accept_gap,
    )


async def _run(source: KafkaSource, engine: Engine, manager: ServiceManager) -> None:
    told = _stop_signal()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="kafka") as thread:
        reading = loop.run_in_executor(thread, source.run)
        try:
            await asyncio.wait({reading, told, engine.failure}, return_when=asyncio.FIRST_COMPLETED)
            stopped = engine.stopped()
        finally:
            manager.stopping()
            engine.halt()
            source.stop()
            await asyncio.wait({reading})
            await engine.end()
    _raise_first(engine.failure, reading)
    if stopped:
        raise InputError("; ".join(stopped))


def _raise_first(*outcomes: asyncio.Future[None]) -> None:
    """Raise what the first of `outcomes` failed with; an error that nobody foresaw is a bug."""
    for outcome in outcomes:
        error = outcome.exception() if outcome.done() and not outcome.cancelled() else None
        if isinstance(error, SegueError):
            raise error
        if error is not None:
            raise BugError(f"the consumer stopped itself: {type(error).__name__}: {error}") from error


def _stop_signal() -> asyncio.Future[None]:
    """Done at the first SIGTERM or SIGINT; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop() -> None:
        log.info("stopping: what is under way is finished")
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        if not told.done():
            told.set_result(None)

    for number in numbers:
        loop.add_signal_handler(number, stop)
    return told


def configure_logging(settings: ConsumerSettings) -> None:
    """Log to standard error; standard output belongs to what a command prints."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom(*_REPEATED))
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler]
    )
