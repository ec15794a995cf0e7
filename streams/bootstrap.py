"""Puts a worker together out of its parts: settings in, a process that folds the log out."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from schemas.errors import SegueError
from schemas.metrics import Meters
from streams.adapters.kafka.history import KafkaHistory
from streams.adapters.kafka.publisher import KafkaPublisher
from streams.adapters.kafka.records import KafkaRecordReader
from streams.adapters.kafka.tail import KafkaTailReader
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.redis.builds import RedisBuildStore
from streams.adapters.redis.connection import RedisConnection
from streams.adapters.redis.generation_store import RedisGenerationStore
from streams.adapters.redis.state import RedisStateStore
from streams.agents.ending import Ending
from streams.agents.lane import LaneBounds
from streams.agents.lanes import Lanes
from streams.app import build_app
from streams.garbage import spare_garbage_collection
from streams.generations import BuildStore, GenerationStore, History, RecordReader
from streams.logs import set_up_log
from streams.pipeline.pipeline import PartitionPipeline, PipelineBounds, PipelinePorts
from streams.pipeline.ticks import Drift, TickAppender, Ticker
from streams.ports import LogBounds, LogIdentity, Publisher, StateStore, TailReader, TimestampType
from streams.segmentation import is_compiled
from streams.sending.log_start import check_log_begun, check_topics
from streams.settings import WorkerSettings
from streams.worker import Parts, Worker

log = logging.getLogger("segue.worker")

_SWITCH_INTERVAL_S = 0.0005  # aiokafka's and librdkafka's threads wait for the interpreter: by default 5 ms each time


class WallClock:
    """The system's clock."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class TrackingLog:
    """What the broker says of `tracking`."""

    identity: LogIdentity
    partitions: int
    timestamp_type: TimestampType


@dataclass(frozen=True, slots=True)
class Outside:
    """All through which a worker's folding reaches Redis and Kafka."""

    store: StateStore
    builds: BuildStore
    generations: GenerationStore
    history: History
    records: RecordReader
    publisher: Publisher  # of transitions and dead letters
    tails: TailReader
    ticks: TickAppender


Around: TypeAlias = Callable[[Outside], Outside]
"""Puts something of its own around the ports, or in their place."""


def run_worker(settings: WorkerSettings, around: Around = lambda outside: outside) -> None:
    """Run a worker in this process until it ends. Raises the `SegueError` that ended it, if one did."""
    set_up_log(settings.log_level)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    spare_garbage_collection()
    asyncio.run(_work(settings, around))


def inspect_log(topics: KafkaTopics, settings: WorkerSettings) -> TrackingLog:
    """Check the topics and how the log begins.

    Raises `UnavailableError` for what may still come (a missing topic, no definitions), `InputError` otherwise.
    """
    names = settings.names
    partitions = check_topics(topics, names)
    check_log_begun(topics, names.tracking)
    cluster_id, topic_id, _ = topics.log_identity(names.tracking)
    identity = LogIdentity(cluster_id, topic_id, partitions)
    return TrackingLog(identity, partitions, topics.timestamp_type(names.tracking))


async def _work(settings: WorkerSettings, around: Around) -> None:
    redis = RedisConnection(settings.redis)
    topics = KafkaTopics(settings.kafka)
    try:
        await redis.check()
        tracking = await asyncio.to_thread(inspect_log, topics, settings)
        log.info(
            "worker of %s: %d partitions, timestamps %s, %s core",
            settings.names.tracking,
            tracking.partitions,
            tracking.timestamp_type,
            "compiled" if is_compiled() else "interpreted",
        )
        reason = await _run(settings, topics, tracking, redis, around)
    finally:
        await redis.close()
    if reason is not None:
        raise reason


async def _run(
    settings: WorkerSettings, topics: KafkaTopics, tracking: TrackingLog, redis: RedisConnection, around: Around
) -> SegueError | None:
    names, ending, meters = settings.names, Ending(), Meters("worker")
    store = RedisStateStore(redis, names)
    await store.check_rights(tracking.partitions)
    relay_publisher, tick_publisher = _publisher(settings, ending), _publisher(settings, ending)
    tails = KafkaTailReader(settings.kafka, timeout_ms=settings.request_timeout_ms)
    records = KafkaRecordReader(settings.kafka, names.tracking, timeout_ms=settings.request_timeout_ms)
    outside = around(
        Outside(
            store=store,
            builds=RedisBuildStore(redis, names),
            generations=RedisGenerationStore(redis, names, store),
            history=KafkaHistory(settings.kafka, names.tracking, timeout_ms=settings.request_timeout_ms),
            records=records,
            publisher=relay_publisher,
            tails=tails,
            ticks=tick_publisher,
        )
    )
    ports = PipelinePorts(
        names=names,
        log=tracking.identity,
        partitions=tracking.partitions,
        timestamp_type=tracking.timestamp_type,
        store=outside.store,
        builds=outside.builds,
        generations=outside.generations,
        history=outside.history,
        records=outside.records,
        publisher=outside.publisher,
        tails=outside.tails,
        clock=WallClock(),
        meters=meters,
        on_failure=ending.fail,
    )
    drift = Drift(settings.tick_drift_window_ms)
    lanes = _lanes(settings, ports, ending, drift)

    async def log_bounds() -> Mapping[int, LogBounds]:
        return await asyncio.to_thread(topics.log_bounds, names.tracking)

    worker = Worker(
        Parts(
            settings=settings,
            meters=meters,
            ending=ending,
            lanes=lanes,
            app=build_app(settings, lanes, log_bounds),
            ticker=_ticker(settings, tracking, lanes, outside.ticks, drift, ports, ending),
            log_bounds=log_bounds,
            publishers=(relay_publisher, tick_publisher),
        )
    )
    try:
        return await worker.run()
    finally:
        await records.close()
        await tails.close()


def _lanes(settings: WorkerSettings, ports: PipelinePorts, ending: Ending, drift: Drift) -> Lanes:
    return Lanes(
        lambda partition: PartitionPipeline(partition, ports, _pipeline_bounds(settings)),
        _lane_bounds(settings),
        settings.batches_in_flight_max,
        ending,
        ports.meters,
        on_fresh=lambda timestamp_ms: drift.observe(timestamp_ms, ports.clock.now_ms()),
    )


def _publisher(settings: WorkerSettings, ending: Ending) -> KafkaPublisher:
    return KafkaPublisher(
        settings.kafka,
        publish_timeout_ms=settings.publish_timeout_ms,
        queue_messages_max=settings.publish_queue_messages_max,
        on_failure=ending.fail,
    )


def _ticker(
    settings: WorkerSettings,
    tracking: TrackingLog,
    lanes: Lanes,
    appender: TickAppender,
    drift: Drift,
    ports: PipelinePorts,
    ending: Ending,
) -> Ticker | None:
    """The ticker, with a producer of its own: a tick never waits behind transitions. None where ticks are off."""
    stamped_by_broker = tracking.timestamp_type == "append"
    if settings.ticks == "off" or (settings.ticks == "auto" and not stamped_by_broker):
        return None
    return Ticker(
        settings.names.tracking,
        lanes.serving,
        appender,
        ports.clock,
        drift=drift if stamped_by_broker else None,
        interval_ms=settings.tick_interval_ms,
        meters=ports.meters,
        on_failure=ending.fail,
    )


def _lane_bounds(settings: WorkerSettings) -> LaneBounds:
    return LaneBounds(
        batch_records_max=settings.batch_records_max,
        retry_first_ms=settings.retry_first_ms,
        retry_most_ms=settings.retry_most_ms,
        fence_patience_ms=2 * settings.session_timeout_ms,
        idle_check_ms=settings.idle_check_interval_ms,
    )


def _pipeline_bounds(settings: WorkerSettings) -> PipelineBounds:
    return PipelineBounds(
        timers_per_commit_max=settings.timers_per_commit_max,
        transitions_per_commit_max=settings.transitions_per_commit_max,
        contacts_cached_max=settings.contacts_cached_max,
        outbox_entries_max=settings.outbox_entries_max,
        dead_letter_ratio_max=settings.dead_letter_ratio_max,
        dead_letter_window_records=settings.dead_letter_window_records,
    )
