"""`segue detect`."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import click

from schemas.metrics import Meters
from schemas.service_manager import Condition, ServiceManager
from schemas.settings import load_settings
from streams.adapters.kafka.share import KafkaShare
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.kafka.writer import KafkaWriter
from streams.bootstrap import WallClock
from streams.detecting.detector import Detector, DetectorParts
from streams.detecting.memory import Memory
from streams.detecting.settings import DetectorSettings
from streams.logs import set_up_log
from streams.ports import LogWriter
from streams.probes import ProbeServer
from streams.sending.log_start import check_topics

_log = logging.getLogger(__name__)
_HANGS_MARGIN_MS = 30_000
Around: TypeAlias = Callable[[LogWriter], LogWriter]
"""Puts something of its own around what corrections are written through."""


@click.command(short_help="Find machines among opens and clicks, and correct what they did.")
def command() -> None:
    """Find machines that open e-mails and follow links, where it shows only afterwards.

    Reads `tracking` along, and writes a correction for each open and click that turns out to be a machine's: one of
    several links of an e-mail followed at once (burst), one within seconds of the delivery (after_delivery), or one
    near a click on a link that no person sees (near_honeypot). What such events did to scores and segments is taken
    back. SEGUE_DETECT_… set from where on something is suspected.

    Runs until it is asked to end (SIGTERM or Ctrl-C). Any number of detectors share the partitions. None keeps
    anything: whoever begins reads the last SEGUE_DETECT_WINDOW_MS again.

    \b
    Exit codes: 0 asked to end; 1 the input is bad, or Kafka does not let us in;
    70 a bug; 75 Kafka is down or the topics are missing: start it again.

    \b
    Examples:
      segue detect
      SEGUE_DETECT_BURST_LINKS=4 SEGUE_METRICS_PORT=9300 segue detect
    """
    run_detector(load_settings(DetectorSettings))


def run_detector(settings: DetectorSettings, around: Around = lambda writer: writer) -> None:
    """Run a detector in this process until it ends. Raises the `SegueError` that ended it, if one did."""
    set_up_log(settings.log_level)
    asyncio.run(_detect(settings, around))


async def _detect(settings: DetectorSettings, around: Around) -> None:
    await asyncio.to_thread(check_topics, KafkaTopics(settings.kafka), settings.names)
    loop, meters, manager = asyncio.get_running_loop(), Meters("detector"), ServiceManager()
    detector = _detector(settings, meters, around)
    probes = ProbeServer(settings.metrics_host, settings.metrics_port, meters.registry, detector.health)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, detector.stop)
    probes.start()
    _log.info("%s/metrics, %s/healthz", probes.url, probes.url)
    telling = asyncio.create_task(manager.watch(lambda: _condition(detector)))
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="detector") as thread:
            await loop.run_in_executor(thread, detector.run)
        _log.info("ending: asked to")
    finally:
        manager.stopping()
        telling.cancel()
        probes.close()


def _detector(settings: DetectorSettings, meters: Meters, around: Around) -> Detector:
    names = settings.names
    share = KafkaShare(
        settings.kafka,
        names.tracking,
        names.group("detector"),
        WallClock(),
        back_ms=settings.detect_window_ms,
        session_timeout_ms=settings.detect_session_timeout_ms,
    )
    writer = KafkaWriter(settings.kafka, names.tracking, settings.detect_publish_timeout_ms)
    memory = Memory(settings.thresholds, window_ms=settings.detect_window_ms, events_max=settings.detect_events_max)
    hangs_after_ms = settings.detect_publish_timeout_ms + _HANGS_MARGIN_MS
    return Detector(DetectorParts(share, around(writer), memory, meters), hangs_after_ms=hangs_after_ms)


def _condition(detector: Detector) -> Condition:
    health = detector.health()
    # Without partitions it serves as well: it stands by for those of others.
    serving = detector.joined and not health.loading
    return Condition(serving, health.well, f"{health.serving} partitions read along, {health.loading} read again")
