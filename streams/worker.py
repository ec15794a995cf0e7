"""A worker that runs: what it does besides folding, how it notices that it must end, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from schemas.errors import EXIT_UNAVAILABLE, SegueError, UnavailableError
from schemas.metrics import Meters
from schemas.service_manager import Condition, ServiceManager
from streams.adapters.kafka.publisher import KafkaPublisher
from streams.agents.ending import Ending
from streams.agents.faust_hooks import WorkerApp
from streams.agents.lanes import Lanes
from streams.pipeline.ticks import Ticker
from streams.pipeline.watchdog import Sign, Watchdog
from streams.ports import LogBounds
from streams.probes import Health, ProbeServer
from streams.settings import WorkerSettings

log = logging.getLogger("segue.worker")

_HEARTBEAT_S = 0.5
_HEARTBEAT_OLD_S = 5.0
_GROUP_CHECK_S = 1.0
_LAST_RESORT_S = 10.0
_CLOSE_TIMEOUT_S = 2.0
_OF_A_PARTITION = (
    "segue_lag_records",
    "segue_timer_overdue_seconds",
    "segue_clock_timestamp_seconds",
    "segue_outbox_entries",
)
"""Gauges that speak of a partition that is owned."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker is made of; `publishers` are started and closed with it."""

    settings: WorkerSettings
    meters: Meters
    ending: Ending
    lanes: Lanes
    app: WorkerApp
    ticker: Ticker | None
    log_bounds: Callable[[], Awaitable[Mapping[int, LogBounds]]]
    publishers: Sequence[KafkaPublisher]


class Worker:
    """Runs once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._heartbeat = time.monotonic()
        self._kafka_answers = True
        self._shown: set[int] = set()  # partitions that the gauges speak of
        self._manager = ServiceManager()
        self._loop = asyncio.get_running_loop()
        self._consumer = parts.app.consumer  # Faust makes it when it is first asked for: not on another thread
        settings = parts.settings
        self._watchdog = Watchdog(settings.stall_timeout_ms, self._signs, self._on_stall)
        self._probes = ProbeServer(settings.metrics_host, settings.metrics_port, parts.meters.registry, self._health)

    async def run(self) -> SegueError | None:
        """Work until asked to end (SIGTERM, SIGINT: None) or forced to; returns the reason."""
        ending = self._parts.ending
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, ending.stop)
        for publisher in self._parts.publishers:
            publisher.start()
        self._probes.start()
        url, ticks = self._probes.url, "on" if self._parts.ticker is not None else "off"
        log.info("%s/metrics, %s/healthz, ticks %s", url, url, ticks)
        chores = [self._beat(), self._look_at_log(), self._ask_group(), self._tell_group(), self._run_app()]
        chores.append(self._manager.watch(self._condition))
        if self._parts.ticker is not None:
            chores.append(self._parts.ticker.run())
        tasks = [ending.watch(asyncio.create_task(chore)) for chore in chores]
        self._watchdog.start()
        reason = await ending.reason()
        log.info("ending: %s", "asked to" if reason is None else reason)
        last_resort = self._last_resort(reason.exit_code if reason is not None else 0)
        await self._stop(tasks)
        self._probes.close()
        last_resort.cancel()
        return reason

    async def _stop(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        parts = self._parts
        self._watchdog.stop()
        self._manager.stopping()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        folded = self._folded()
        await parts.lanes.close(parts.settings.stop_timeout_ms / 1000)
        if folded and self._consumer.joined is not None:
            await parts.app.source.commit_hint(folded)
        await parts.app.stop()
        for publisher in parts.publishers:
            await publisher.close(_CLOSE_TIMEOUT_S)

    async def _run_app(self) -> None:
        """Run Faust's app until it stops; what stopped it is raised."""
        app = self._parts.app
        try:
            await app.start()
            await app.wait_until_stopped()
            reason = app.crash_reason
        except KafkaError as error:
            reason = error
        if isinstance(reason, KafkaError):
            raise UnavailableError(f"Kafka at {self._parts.settings.kafka.bootstrap_servers}: {reason}") from reason
        if reason is not None:
            raise reason

    def _health(self) -> Health:
        """Called on the probes' threads."""
        lanes = list(self._parts.lanes.lanes.values())
        serving = sum(lane.serving for lane in lanes)
        return Health(time.monotonic() - self._heartbeat < _HEARTBEAT_OLD_S, serving, len(lanes) - serving)

    def _condition(self) -> Condition:
        health = self._health()
        # Without partitions it serves as well: it stands by for those of others.
        serving = self._consumer.joined is not None and not health.loading
        return Condition(serving, health.well, f"{health.serving} partitions served, {health.loading} loading")

    async def _beat(self) -> None:
        while True:
            self._heartbeat = time.monotonic()
            await asyncio.sleep(_HEARTBEAT_S)

    async def _look_at_log(self) -> None:
        """Where the log ends, asked for on another way than the one that may have stalled."""
        while True:
            await asyncio.sleep(self._parts.settings.lag_interval_ms / 1000)
            try:
                bounds = await self._parts.log_bounds()
            except UnavailableError as error:
                log.warning("%s", error)
                self._kafka_answers = False
                continue
            self._kafka_answers = True
            for partition, lane in self._parts.lanes.lanes.items():
                if partition in bounds:
                    lane.log_end = max(lane.log_end, bounds[partition].end)
            self._show_lanes(time.time_ns() // 1_000_000)

    def _show_lanes(self, now_ms: int) -> None:
        lanes, meters = self._parts.lanes.lanes, self._parts.meters
        for partition, lane in lanes.items():
            due_ms = lane.earliest_due_ms if lane.serving and self._parts.ticker is not None else None
            overdue_ms = 0 if due_ms is None else max(0, now_ms - due_ms)
            meters.gauge("segue_lag_records", str(partition)).set(lane.lag)
            meters.gauge("segue_timer_overdue_seconds", str(partition)).set(overdue_ms / 1000)
        for lost in self._shown - lanes.keys():
            for name in _OF_A_PARTITION:
                meters.gauge(name).remove(str(lost))  # another worker shows it now
        self._shown = set(lanes)

    async def _ask_group(self) -> None:
        while True:
            await asyncio.sleep(_GROUP_CHECK_S)
            if self._parts.app.started:
                await self._parts.app.source.check_group()

    async def _tell_group(self) -> None:
        while True:
            await asyncio.sleep(self._parts.settings.group_commit_interval_ms / 1000)
            folded = self._folded()
            if folded:
                await self._parts.app.source.commit_hint(folded)

    def _folded(self) -> dict[int, int]:
        return {lane.partition: lane.next_offset for lane in self._parts.lanes.serving()}

    def _signs(self) -> Mapping[str, Sign]:
        """Called on the watchdog's thread. While Kafka is away there is nothing to do: that is no stall."""
        app, here = self._parts.app, self._kafka_answers
        signs = {
            f"partition {lane.partition}": Sign(
                here and (not lane.serving or lane.lag > 0), (lane.fence, lane.pipeline.progress)
            )
            for lane in list(self._parts.lanes.lanes.values())
        }
        signs["the group"] = Sign(here and (app.rebalancing or self._consumer.joined is None), None)
        signs["the event loop"] = Sign(True, self._heartbeat)
        return signs

    def _on_stall(self, name: str) -> None:
        """Called on the watchdog's thread."""
        self._parts.meters.counter("segue_watchdog_stops_total").inc()
        seconds = self._parts.settings.stall_timeout_ms // 1000
        error = UnavailableError(f"{name} was behind and made no progress for {seconds} s: stopped, to be started anew")
        self._last_resort(EXIT_UNAVAILABLE)
        self._loop.call_soon_threadsafe(self._parts.ending.fail, error)

    def _last_resort(self, exit_code: int) -> threading.Timer:
        """End the process hard if it has not ended in order by then."""
        timer = threading.Timer(self._parts.settings.stop_timeout_ms / 1000 + _LAST_RESORT_S, _end_hard, (exit_code,))
        timer.daemon = True
        timer.start()
        return timer


def _end_hard(exit_code: int) -> None:
    log.error("the worker did not end in order within its time")
    logging.shutdown()
    os._exit(exit_code)
