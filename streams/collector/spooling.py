"""Where records go while Kafka is away: to a spool on disk, and from there to Kafka, in order.

While anything is in the spool, all that comes in goes through it. So an event that was sent after the answer to another
one never lies before it in the log: the other is in the log already, or before it in the spool.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from schemas.errors import UnavailableError
from schemas.metrics import Meters
from streams.collector.readiness import Readiness
from streams.ports import Clock, Entry, Intake, RecordRefusedError
from streams.spool.frames import Frame
from streams.spool.spool import DiskSpool

CHUNK_RECORDS = 500
"""Sent at a time, and acknowledged together."""
SHARE_OF_WHAT_IS_SENT_AGAIN = 0.5
_STOP_S = 1.0
_log = logging.getLogger(__name__)


class SpoolingIntake:
    """An intake that falls back to the spool, and empties it again (`run`).

    `replay` must never give a record up by itself, or one could overtake another. A record that Kafka has not
    acknowledged after `after_ms` is spooled although it may be written yet: the log may then hold it twice, with the
    same bytes, and whoever folds the log drops the second.
    """

    def __init__(
        self,
        intake: Intake,
        replay: Intake,
        spool: DiskSpool,
        readiness: Readiness,
        clock: Clock,
        meters: Meters,
        *,
        after_ms: int,
        retry_ms: int = 1_000,
    ) -> None:
        self._intake = intake
        self._replay = replay
        self._spool = spool
        self._readiness = readiness
        self._clock = clock
        self._after_s = after_ms / 1000
        self._retry_s = retry_ms / 1000
        self._hold: asyncio.Event | None = None
        self._stopping = False
        self._spooled = meters.counter("segue_collector_spooled_total")
        self._replayed = meters.counter("segue_collector_spool_replayed_total")
        self._refused = meters.counter("segue_collector_spool_refused_total")
        meters.gauge("segue_collector_spool_bytes").set_function(lambda: spool.bytes)
        meters.gauge("segue_collector_spool_records").set_function(lambda: spool.records)
        meters.gauge("segue_collector_spool_oldest_timestamp_seconds").set_function(lambda: spool.oldest_ms / 1000)

    @property
    def waiting(self) -> int:
        """Records taken that are neither acknowledged by the broker nor on disk."""
        return self._intake.waiting

    async def append(self, entries: Sequence[Entry], *, sent_again: bool = False) -> None:
        """Returns when Kafka or the disk has all of them. Raises as an `Intake` does, and what a spool raises."""
        if self._hold is not None:
            await self._hold.wait()
        if self._spool.empty and self._readiness.open:
            try:
                async with asyncio.timeout(self._after_s):
                    await self._intake.append(entries)
                    return
            except RecordRefusedError:
                raise
            except (UnavailableError, TimeoutError) as error:
                reason = str(error) or f"no acknowledgement within {self._after_s:g} s"
                _log.log(logging.WARNING if self._spool.empty else logging.DEBUG, "records go to the spool: %s", reason)
        share = SHARE_OF_WHAT_IS_SENT_AGAIN if sent_again else 1.0
        await self._spool.append(entries, self._clock.now_ms(), share)
        self._spooled.inc(len(entries))

    async def run(self) -> None:
        """Send what is in the spool, whenever there is something; ends after `stop`, or by cancellation."""
        known = ""
        while not self._stopping:
            await self._spool.wait()
            try:
                if self._readiness.open:
                    await self._send_some()
                    continue
            except UnavailableError as error:
                if str(error) != known:
                    known = str(error)
                    _log.warning("the spool is not being emptied: %s", error)
            finally:
                self._let_go()
            await asyncio.sleep(self._retry_s)

    async def stop(self, running: asyncio.Task[None]) -> None:
        """End `run` after the records under way, or at once where Kafka does not take them; then close the spool."""
        self._stopping = True
        await asyncio.wait([running], timeout=_STOP_S if self._spool.records else 0)
        running.cancel()
        await asyncio.wait([running])
        await self._spool.close()

    async def _send_some(self) -> None:
        """Send the oldest records; the last ones while nobody else may write, so that there is an end."""
        if self._spool.records <= CHUNK_RECORDS:
            self._hold = asyncio.Event()
            asyncio.get_running_loop().call_later(self._after_s, self._release, self._hold)
            await self._spool.settle()
        while frames := await self._spool.oldest(CHUNK_RECORDS):
            await self._send(frames)
            await self._spool.acknowledge(len(frames))
            if self._spool.empty:
                _log.info("the spool is empty: records go to Kafka")
            if self._hold is None or self._stopping:
                break

    async def _send(self, frames: list[Frame]) -> None:
        """Returns when Kafka has all of them, or has refused them for good and they were set aside."""
        try:
            await self._replay.append([frame.entry for frame in frames])
        except RecordRefusedError as error:
            if len(frames) > 1:
                for frame in frames:
                    await self._send([frame])
                return
            await self._spool.set_aside(frames[0])
            self._refused.inc()
            _log.error("a record of the spool was set aside: %s", error)
        else:
            self._replayed.inc(len(frames))

    def _release(self, hold: asyncio.Event) -> None:
        """Nobody waits for Kafka longer than for an acknowledgement: the rest goes to the spool."""
        if self._hold is hold:
            self._let_go()

    def _let_go(self) -> None:
        if self._hold is not None:
            self._hold.set()
            self._hold = None
