"""The forwarder: carries what a partition's contacts send to others into the log, in order.

What is to be sent is stored with the commit that caused it, as offsets of the records that move; the records are read
from the log when their turn comes. A former owner may have sent some of it already: whoever takes it knows what it has
taken, and passes over the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import UnavailableError
from schemas.forwards import Sending
from schemas.records import encode_forward
from schemas.topics import partition_of
from streams.pipeline.ports import PipelinePorts
from streams.ports import Message, RawRecord
from streams.segmentation.identity import forward_of

FORWARD_BYTES_MAX = 900_000
"""Bytes of records in one forward; a history that takes more goes in several. A topic takes messages up to 1 MiB."""
_AT_ONCE = 50
_PAUSE_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    sending: Sending
    clock_ms: int  # of the partition when it was committed


class Forwarder:
    """What one partition has to send, on its way."""

    def __init__(self, partition: int, ports: PipelinePorts, *, waiting_max: int) -> None:
        """`waiting_max` bounds what waits for the broker's ack before `room` makes wait."""
        self._partition = partition
        self._ports = ports
        self._waiting_max = waiting_max
        self._queue: deque[_Waiting] = deque()
        self._work, self._acked = asyncio.Event(), asyncio.Event()
        self._pausing = True
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._lost = ports.meters.counter("segue_forward_records_lost_total")
        self._gauge = ports.meters.gauge("segue_forwards_waiting", str(partition))

    @property
    def waiting(self) -> tuple[Sending, ...]:
        """What the broker has not acknowledged yet, oldest first."""
        return tuple(each.sending for each in self._queue)

    def resume(self, committed: Sequence[Sending], clock_ms: int) -> None:
        """Send what was committed, and all that is offered from here on."""
        self._queue.clear()
        self._pausing, self._failure = False, None
        self.offer(committed, clock_ms)
        self._task = asyncio.create_task(self._send(), name=f"forwarder-{self._partition}")
        self._task.add_done_callback(self._ended)

    def offer(self, sendings: Sequence[Sending], clock_ms: int) -> None:
        """Send what was just committed, at this clock of the partition."""
        self._queue.extend(_Waiting(each, clock_ms) for each in sendings)
        self._gauge.set(len(self._queue))
        self._work.set()

    async def room(self) -> None:
        """Wait while too much waits for its ack. Raises what ended the forwarder, if it ended."""
        while self._failure is None and len(self._queue) >= self._waiting_max:
            self._acked.clear()
            await self._acked.wait()
        if self._failure is not None:
            raise self._failure

    async def pause(self) -> None:
        """Wait for the acks of what is in the producer's hands; hand it nothing more."""
        self._pausing = True
        self._work.set()
        if self._task is not None:
            await asyncio.wait([self._task])
            self._task = None

    async def _send(self) -> None:
        while not self._pausing:
            if not self._queue:
                self._work.clear()
                await self._work.wait()
                continue
            taken = [self._queue[place] for place in range(min(len(self._queue), _AT_ONCE))]
            wanted = sorted({offset for each in taken for offset in each.sending.records})
            try:
                found = await self._ports.records.read(self._partition, wanted)
            except UnavailableError:  # nothing is lost: it waits in the state, too
                await asyncio.sleep(_PAUSE_S)
                continue
            await self._ports.publisher.publish([message for each in taken for message in self._messages(each, found)])
            for _ in taken:
                self._queue.popleft()
            self._gauge.set(len(self._queue))
            self._acked.set()

    def _messages(self, waiting: _Waiting, found: Mapping[int, RawRecord]) -> Iterator[Message]:
        """The forwards that carry a sending: one, where its records fit."""
        sending, names = waiting.sending, self._ports.names
        values = [self._value(found.get(offset)) for offset in sending.records]
        for first, end in _portions([len(value) for value in values]):
            forward = forward_of(sending._replace(first=sending.first + first), self._partition, [])
            yield Message(
                names.tracking,
                partition_of(sending.to, self._ports.partitions),
                sending.to.encode(),
                encode_forward(forward, values[first:end]),
                timestamp_ms=0 if self._ports.timestamp_type == "append" else waiting.clock_ms,
            )

    def _value(self, record: RawRecord | None) -> bytes:
        if record is not None and record.value is not None and len(record.value) <= FORWARD_BYTES_MAX:
            return record.value
        self._lost.inc()
        _log.error("partition %d: a record of a linked contact cannot be moved: %s", self._partition,
                   "the log does not hold it any more" if record is None else "it is too large")  # fmt: skip
        return b"null"

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error
            self._acked.set()
            self._ports.on_failure(error)


def _portions(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """From which record to which a forward goes; there is one of nothing too."""
    start = total = 0
    for place, size in enumerate(sizes):
        if place > start and total + size > FORWARD_BYTES_MAX:
            yield start, place
            start, total = place, 0
        total += size
    yield start, len(sizes)
