"""From accepted records to Kafka: what stands between an HTTP call and the intake."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeAlias

from schemas.errors import UnavailableError
from schemas.metrics import Meters
from streams.collector.payloads import Accepted
from streams.collector.readiness import Readiness
from streams.collector.refusals import Refusal
from streams.ports import Intake, QueueFullError

_log = logging.getLogger(__name__)

Unwritten: TypeAlias = Literal["not_ready", "source_busy", "queue_full", "kafka_away"]


class WriteError(Refusal):
    """Records were not, or not all, written; try again in `retry_after_s`."""

    def __init__(self, reason: Unwritten, message: str, retry_after_s: int) -> None:
        status = 429 if reason == "source_busy" else 503
        super().__init__(status, reason, message, {"Retry-After": str(retry_after_s)})


class Writer:
    """Writes records once the log may be written to, with a share of the queue for each source."""

    def __init__(
        self, intake: Intake, readiness: Readiness, meters: Meters, *, source_records: int, link_wait_ms: int
    ) -> None:
        self._intake = intake
        self._readiness = readiness
        self._meters = meters
        self._source_records = source_records
        self._link_wait_s = link_wait_ms / 1000
        self._waiting: Counter[str] = Counter()
        self._unanswered: set[asyncio.Task[None]] = set()
        meters.gauge("segue_collector_queue_records").set_function(lambda: intake.waiting)

    async def write(self, source: str, records: Sequence[Accepted]) -> None:
        """Returns when Kafka has acknowledged every one. Raises `WriteError`."""
        if not self._readiness.open:
            raise WriteError("not_ready", f"not ready: {self._readiness.problem}", 5)
        if self._waiting[source] + len(records) > self._source_records:
            raise WriteError("source_busy", "too many records of this source are waiting for Kafka", 1)
        self._waiting[source] += len(records)
        try:
            await self._intake.append([record.entry for record in records])
        except QueueFullError:
            raise WriteError("queue_full", "too many records are waiting for Kafka", 1) from None
        except UnavailableError as error:
            _log.warning("a call was not written: %s", error)
            message = "Kafka did not acknowledge; some records may be written: send the same messageIds again"
            raise WriteError("kafka_away", message, 5) from None
        finally:
            self._waiting[source] -= len(records)
        for record_type, count in Counter([record.type for record in records]).items():
            self._meters.counter("segue_collector_records_total", record_type).inc(count)

    async def write_unanswered(self, route: Literal["open", "click"], record: Accepted) -> None:
        """Write what nobody will send again, and wait a moment for the ack.

        Past that moment the record stays in the queue for as long as any other. One that is lost in the end is
        counted and logged, since whoever opened or clicked has long had the answer.
        """
        task = asyncio.create_task(self._write_or_count(route, record))
        self._unanswered.add(task)
        task.add_done_callback(self._unanswered.discard)
        await asyncio.wait([task], timeout=self._link_wait_s)

    async def settle(self) -> None:
        """Returns when every unanswered record is written or lost."""
        while self._unanswered:
            await asyncio.wait(self._unanswered)

    async def _write_or_count(self, route: Literal["open", "click"], record: Accepted) -> None:
        try:
            await self.write(f"link:{route}", [record])
        except WriteError as error:
            self._meters.counter("segue_collector_lost_total", route).inc()
            self._meters.counter("segue_collector_rejected_total", error.reason).inc()
            _log.error("the record of an e-mail's %s was lost: %s", route, error.message)
