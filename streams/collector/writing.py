"""From accepted records to Kafka: what stands between an HTTP call and the intake."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

from schemas.errors import UnavailableError
from schemas.metrics import Meters
from streams.collector.calls.payloads import Accepted
from streams.collector.http.refusals import Refusal
from streams.collector.readiness import Readiness
from streams.ports import Intake, QueueFullError
from streams.spool.spool import SpoolFailedError, SpoolFullError

_log = logging.getLogger(__name__)

Unanswered: TypeAlias = Literal["open", "click", "pixel"]
"""Ways in whose callers get their answer whatever becomes of the record."""
Unwritten: TypeAlias = Literal["not_ready", "source_busy", "queue_full", "kafka_away", "spool_full", "spool_failed"]


class WriteError(Refusal):
    """Records were not, or not all, written; try again in `retry_after_s`."""

    def __init__(self, reason: Unwritten, message: str, retry_after_s: int) -> None:
        status = 429 if reason == "source_busy" else 503
        super().__init__(status, reason, message, {"Retry-After": str(retry_after_s)})


class Writer:
    """Writes records once the log may be written to, with a share of the queue for each source.

    `spools` says that the intake takes records also where it is not known whether the log may be written to.
    """

    def __init__(
        self,
        intake: Intake,
        readiness: Readiness,
        meters: Meters,
        *,
        source_records: int,
        link_wait_ms: int,
        spools: bool = False,
    ) -> None:
        self._intake = intake
        self._spools = spools
        self._readiness = readiness
        self._meters = meters
        self._source_records = source_records
        self._link_wait_s = link_wait_ms / 1000
        self._waiting: Counter[str] = Counter()
        # Looking a meter up by its labels takes longer than counting does.
        self._written = lru_cache(lambda record_type: meters.counter("segue_collector_records_total", record_type))
        self._unanswered: set[asyncio.Task[None]] = set()
        meters.gauge("segue_collector_queue_records").set_function(lambda: intake.waiting)

    async def write(self, source: str, records: Sequence[Accepted], *, sent_again: bool = False) -> None:
        """Returns when Kafka, or the spool, has every one. Raises `WriteError`.

        `sent_again` says that the caller keeps them and tries again: then they leave the last of the spool to others.
        """
        if not self._readiness.open and not (self._spools and self._readiness.away):
            raise WriteError("not_ready", f"not ready: {self._readiness.problem}", 5)
        if self._waiting[source] + len(records) > self._source_records:
            raise WriteError("source_busy", "too many records of this source are waiting for Kafka", 1)
        self._waiting[source] += len(records)
        try:
            await self._intake.append([record.entry for record in records], sent_again=sent_again)
        except QueueFullError:
            raise WriteError("queue_full", "too many records are waiting for Kafka", 1) from None
        except (SpoolFullError, SpoolFailedError) as error:
            raise _unspooled(error) from None
        except UnavailableError as error:
            _log.warning("a call was not written: %s", error)
            message = "Kafka did not acknowledge; some records may be written: send the same messageIds again"
            raise WriteError("kafka_away", message, 5) from None
        finally:
            self._waiting[source] -= len(records)
        self._count(records)

    async def write_unanswered(self, route: Unanswered, record: Accepted, source: str | None = None) -> None:
        """Write what nobody will send again, and wait a moment for the ack. Without a source it has its way's share.

        Past that moment the record stays in the queue for as long as any other. One that is lost in the end is
        counted and logged, since whoever opened or clicked has long had the answer.
        """
        task = asyncio.create_task(self._write_or_count(route, record, source or f"link:{route}"))
        self._unanswered.add(task)
        task.add_done_callback(self._unanswered.discard)
        await asyncio.wait([task], timeout=self._link_wait_s)

    async def settle(self) -> None:
        """Returns when every unanswered record is written or lost."""
        while self._unanswered:
            await asyncio.wait(self._unanswered)

    def _count(self, records: Sequence[Accepted]) -> None:
        if len(records) == 1:
            self._written(records[0].type).inc()
            return
        for record_type, count in Counter([record.type for record in records]).items():
            self._written(record_type).inc(count)

    async def _write_or_count(self, route: Unanswered, record: Accepted, source: str) -> None:
        try:
            await self.write(source, [record])
        except WriteError as error:
            self._meters.counter("segue_collector_lost_total", route).inc()
            self._meters.counter("segue_collector_rejected_total", error.reason).inc()
            _log.error("the record of a call to %s was lost: %s", route, error.message)


def _unspooled(error: SpoolFullError | SpoolFailedError) -> WriteError:
    if isinstance(error, SpoolFullError):
        message = "Kafka is away and the spool is full; some records may be written: send the same messageIds again"
        return WriteError("spool_full", message, 5)
    _log.warning("a call was not written: %s", error)
    message = "Kafka is away and the spool does not take records; some may be written: send the same messageIds again"
    return WriteError("spool_failed", message, 5)
