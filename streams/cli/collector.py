"""`segue collector`: the HTTP front door."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import click
import uvloop

from schemas.errors import BugError, SegueError
from schemas.metrics import Meters
from schemas.service_manager import Condition, ServiceManager
from schemas.settings import load_settings
from streams.adapters.http_fetcher import HttpFetcher
from streams.adapters.kafka.compacted_feed import KafkaCompactedFeed
from streams.adapters.kafka.intake import KafkaIntake
from streams.adapters.kafka.topics import KafkaTopics
from streams.collector.app import Spool, create_app
from streams.collector.guarding.kept_keys import KeptKeys
from streams.collector.guarding.key_watch import KeyWatch
from streams.collector.http.server import CollectorServer, listen
from streams.collector.readiness import Readiness
from streams.collector.settings import CollectorSettings
from streams.garbage import spare_garbage_collection
from streams.logs import set_up_log
from streams.spool.segments import SegmentFiles
from streams.spool.spool import DiskSpool
from streams.spool.survey import TRANSIENT_FILESYSTEMS, filesystem_of

_log = logging.getLogger(__name__)
_TOPICS_TIMEOUT_MS = 5_000
_NEVER = 0
_SEGMENT_BYTES_MAX = 8 * 1024**2
_SEGMENTS_LEAST = 8
"""Room comes back a segment at a time."""


class _WallClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


@click.command(short_help="Take events in over HTTP and write them to Kafka.")
@click.option("--host", help="Address to listen on [default: SEGUE_COLLECTOR_HOST].")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Port; 0 takes a free one [default: SEGUE_COLLECTOR_PORT]."
)
def command(host: str | None, port: int | None) -> None:
    """Take events in over HTTP and write them to the topic `tracking`.

    POST /v1/track, /v1/identify and /v1/batch take the JSON of tracking SDKs, with a key of `segue keys` or of
    SEGUE_WRITE_KEYS as the user name of Basic authentication, and POST /v1/form/FORM the HTML forms of SEGUE_FORMS. GET
    /o/TOKEN.gif is the open pixel, GET /c/TOKEN the click link and /u/TOKEN the unsubscribe of `segue link`, made with
    SEGUE_LINK_KEYS; /f/TOKEN is where double opt-in is confirmed. POST /hooks/PROVIDER/NAME takes what SendGrid,
    Mailgun, Postmark, Amazon SES and Brevo tell of e-mails, by the hooks in SEGUE_HOOKS. GET /healthz, /readyz and
    /metrics are for operations. An API call is answered 200 when Kafka has acknowledged its records. While Kafka is
    away it is answered 503 with Retry-After, or, where SEGUE_COLLECTOR_SPOOL_DIR is set, 200 once its records are on
    disk; they go to Kafka when it is back.

    \b
    Examples:
      export SEGUE_WRITE_KEYS='{"website": "a-secret-write-key"}'
      export SEGUE_LINK_KEYS='{"k1": "a-long-signing-secret"}'
      segue collector --port 8080
      curl -u a-secret-write-key: http://127.0.0.1:8080/v1/track \\
        -d '{"userId": "c1", "event": "Product Added", "properties": {"price": 50}}'
    """
    settings = load_settings(CollectorSettings)
    set_up_log(settings.log_level)
    spare_garbage_collection()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, host or settings.collector_host, settings.collector_port if port is None else port))


async def _serve(settings: CollectorSettings, host: str, port: int) -> None:
    ended_by: list[SegueError] = []

    def end(error: SegueError) -> None:
        ended_by.append(error)
        server.stop()

    def end_watch(error: BaseException) -> None:
        if isinstance(error, SegueError):
            end(error)
            return
        _log.error("a bug stops the collector", exc_info=error)
        end(BugError(f"{type(error).__name__}: {error}"))

    with listen(host, port) as bound:
        intake = _intake(settings, settings.collector_delivery_timeout_ms, end)
        intakes, meters = [intake], Meters("collector")
        spool = await asyncio.to_thread(_spool, settings, meters)
        if spool is not None:
            intakes.append(_intake(settings, _NEVER, end))
        reader = KafkaTopics(settings.kafka, _TOPICS_TIMEOUT_MS)
        spools = None if spool is None else Spool(spool, intakes[-1], _kept_keys(settings))
        keys = KafkaCompactedFeed(settings.kafka, settings.names.keys)
        fetcher = HttpFetcher(settings.collector_hook_fetch_timeout_ms)
        app = create_app(settings, intake, reader, _WallClock(), meters, end_watch, fetcher, keys, spools)
        manager = ServiceManager()
        server = CollectorServer(
            app, settings.collector_connections, manager.stopping, head_timeout_ms=settings.collector_head_timeout_ms
        )
        if not settings.link_keys:
            _log.warning("SEGUE_LINK_KEYS is not set: no open and no click can be counted")
        click.echo(f"collector listens on http://{_address(host)}:{bound.getsockname()[1]}")
        for each in intakes:
            each.start()
        state = app.state
        telling = asyncio.create_task(manager.watch(lambda: _condition(server.started, state.readiness, state.keys)))
        try:
            await server.serve(sockets=[bound])
        finally:
            telling.cancel()
            for each in intakes:
                await each.close()
    if ended_by:
        raise ended_by[0]


def _intake(settings: CollectorSettings, delivery_timeout_ms: int, end: Callable[[SegueError], None]) -> KafkaIntake:
    return KafkaIntake(
        settings.kafka,
        settings.names.tracking,
        queue_records=settings.collector_queue_records,
        queue_bytes=settings.collector_queue_bytes,
        delivery_timeout_ms=delivery_timeout_ms,
        on_fatal=end,
    )


def _spool(settings: CollectorSettings, meters: Meters) -> DiskSpool | None:
    """The spool, where there is to be one, with what an earlier process left in it.

    Raises `InputError`; `UnavailableError` where what was left cannot be read now.
    """
    if settings.collector_spool_dir is None:
        return None
    bytes_max = settings.collector_spool_bytes
    files = SegmentFiles(settings.collector_spool_dir, min(_SEGMENT_BYTES_MAX, bytes_max // _SEGMENTS_LEAST))
    filesystem = filesystem_of(settings.collector_spool_dir)
    if filesystem in TRANSIENT_FILESYSTEMS:
        _log.warning("the spool lies on %s: it goes with the machine, or with its container", filesystem)
    meters.gauge("segue_collector_spool_limit_bytes").set(bytes_max)
    return DiskSpool(files, bytes_max, meters.counter("segue_collector_spool_damaged_total").inc)


def _kept_keys(settings: CollectorSettings) -> KeptKeys:
    assert settings.collector_spool_dir is not None
    return KeptKeys(settings.collector_spool_dir, settings.names.keys, time.monotonic)


def _condition(started: bool, readiness: Readiness, keys: KeyWatch) -> Condition:
    """Calls are answered from the start on, with 503 while they cannot be written; only then it serves."""
    problem = keys.problem or readiness.problem
    serves = readiness.serves and keys.serves
    state = "ready" if readiness.problem is None else "spooling"
    told = "ready" if problem is None else f"{state if serves else 'not ready'}: {problem}"
    return Condition(started and serves, True, told)


def _address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
