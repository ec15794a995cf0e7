"""The relay: carries committed transitions to Kafka, in order, each once as far as a reader can tell.

It publishes from memory what was just committed. Redis' outbox is read only when a partition is loaded, and
compared with what the topic already holds: a former owner may have published more than it could trim, and a
Redis that was set back commits again what was published long ago.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.errors import InputError, UnavailableError
from schemas.topics import HEADER_EPOCH, HEADER_PARTITION, HEADER_POSITION, HEADER_SEQ, HEADER_TRANSITION_ID
from streams.pipeline.ports import PipelinePorts
from streams.ports import Message, OutboxEntry

TAIL_MESSAGES = 2_000
"""Messages read at a take-over: more than a former owner may still append after the new one has begun."""
PUBLISHED_AT_ONCE = 500
"""Most transitions of a partition in the producer's hands, waiting for the broker's ack."""
_OUTBOX_PAGE = 1_000
_TRIM_PAUSE_S = 1.0


class Published(NamedTuple):
    """The last transition that the topic holds of a partition."""

    epoch: int
    seq: int
    position: tuple[int, int]
    transition_id: str


def last_published(messages: Iterable[Message]) -> Published | None:
    """The one of the largest epoch and seq; a former owner's late messages may lie after it."""
    found = [_published(dict(message.headers)) for message in messages]
    return max((one for one in found if one is not None), default=None)


def _published(headers: dict[str, bytes]) -> Published | None:
    if HEADER_SEQ not in headers or HEADER_EPOCH not in headers:
        return None  # not one of ours
    offset, _, index = headers[HEADER_POSITION].decode().partition(".")
    return Published(
        int(headers[HEADER_EPOCH]),
        int(headers[HEADER_SEQ]),
        (int(offset), int(index)),
        headers[HEADER_TRANSITION_ID].decode(),
    )


class Gate:
    """Lets each transition pass once, in order, and none that does not follow the last one."""

    def __init__(self, partition: int, epoch: int, last: Published | None) -> None:
        self._partition = partition
        self._last = last if last is not None and last.epoch == epoch else None

    def admits(self, entry: OutboxEntry) -> bool:
        """Whether it is to be published; False where it was before.

        Raises `InputError` when it contradicts what was published.
        """
        last = self._last
        position = (entry.offset, entry.index)
        if last is not None:
            if position < last.position:
                return False
            if position == last.position:
                if (entry.seq, entry.transition_id) != (last.seq, last.transition_id):
                    raise self._contradiction(entry, last)
                return False
            if entry.seq != last.seq + 1:
                raise self._contradiction(entry, last)
        self._last = Published(entry.epoch, entry.seq, position, entry.transition_id)
        return True

    def _contradiction(self, entry: OutboxEntry, last: Published) -> InputError:
        return InputError(
            f"partition {self._partition}: transition {entry.seq} at position {entry.offset}.{entry.index} does not "
            f"follow what was published last, transition {last.seq} at {last.position[0]}.{last.position[1]}: the log "
            "was cut or replaced, or this version of Segue computes other transitions than the one before. Nothing "
            "more is published; to fold the log from its start and publish it anew in the next epoch, run "
            f"`segue epoch raise --partition {self._partition}`"
        )


class Relay:
    """The outbox of one partition, on its way."""

    def __init__(self, partition: int, ports: PipelinePorts, *, entries_max: int) -> None:
        """`entries_max` bounds the transitions that wait for the broker's ack before `room` makes wait."""
        self._partition = partition
        self._ports = ports
        self._topic = ports.names.transitions
        self._partition_header = (HEADER_PARTITION, b"%d" % partition)
        self._entries_max = entries_max
        self._gate = Gate(partition, 0, None)
        self._queue: deque[tuple[OutboxEntry, int | None]] = deque()  # with the clock at which it arose, if known
        self._pausing = True
        self._work = asyncio.Event()
        self._acked = asyncio.Event()
        self._acked_seq = 0
        self._trim_wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None
        self._gauge = ports.meters.gauge("segue_outbox_entries", str(partition))
        self._latency = ports.meters.histogram("segue_end_to_end_seconds")

    @property
    def waiting(self) -> int:
        """Transitions committed that the broker has not acknowledged yet."""
        return len(self._queue)

    async def read_outbox(self) -> list[OutboxEntry]:
        """What Redis' outbox holds. Read it before the tail: a former owner trims what was acknowledged before.

        The other way round, what it publishes and trims in between would be in neither.
        """
        found: list[OutboxEntry] = []
        while page := await self._ports.store.outbox(self._partition, found[-1].seq if found else 0, _OUTBOX_PAGE):
            found += page
        return found

    async def read_tail(self) -> Published | None:
        """What the topic holds last. What was in our producer's hands must have been acknowledged: `pause`."""
        return last_published(await self._ports.tails.tail(self._topic, self._partition, TAIL_MESSAGES))

    def resume(self, epoch: int, last: Published | None, committed: Sequence[OutboxEntry]) -> None:
        """Go on after `last`: queue what was committed beyond it, and begin to publish.

        Raises `InputError` where what was committed contradicts what was published.
        """
        self._gate = Gate(self._partition, epoch, last)
        self._queue.clear()
        self._acked_seq = 0
        self._enqueue(committed, None)
        self._pausing = False
        self._failure = None
        for work in (self._publish(), self._trim()):
            task = asyncio.create_task(work, name=f"relay-{self._partition}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def offer(self, entries: Sequence[OutboxEntry], caused_at_ms: int) -> None:
        """Publish what was just committed at the clock `caused_at_ms`. Raises `InputError` on a contradiction."""
        if entries:
            self._enqueue(entries, caused_at_ms)

    async def room(self) -> None:
        """Wait while too many transitions wait for their ack. Raises what ended the relay, if it ended."""
        while self._failure is None and len(self._queue) >= self._entries_max:
            self._acked.clear()
            await self._acked.wait()
        if self._failure is not None:
            raise self._failure

    async def pause(self) -> None:
        """Wait for the acks of what is in the producer's hands; hand it nothing more."""
        self._pausing = True
        self._work.set()
        if self._tasks:
            publishing, trimming = self._tasks
            await asyncio.wait([publishing])
            trimming.cancel()
            await asyncio.wait([trimming])
            self._tasks = []

    def _enqueue(self, entries: Sequence[OutboxEntry], caused_at_ms: int | None) -> None:
        for entry in entries:
            if self._gate.admits(entry):
                self._queue.append((entry, caused_at_ms))
            else:
                self._acknowledged(entry.seq)
        self._gauge.set(len(self._queue))
        self._work.set()

    def _acknowledged(self, seq: int) -> None:
        self._acked_seq = max(self._acked_seq, seq)
        self._trim_wanted.set()

    async def _publish(self) -> None:
        while not self._pausing:
            if not self._queue:
                self._work.clear()
                await self._work.wait()
                continue
            taken = [self._queue[place] for place in range(min(len(self._queue), PUBLISHED_AT_ONCE))]
            await self._ports.publisher.publish([self._message(entry) for entry, _ in taken])
            now_ms = self._ports.clock.now_ms()
            for _, caused_at_ms in taken:
                self._queue.popleft()
                if caused_at_ms is not None:
                    self._latency.observe(max(0, now_ms - caused_at_ms) / 1000)
            self._gauge.set(len(self._queue))
            self._acknowledged(taken[-1][0].seq)
            self._acked.set()

    async def _trim(self) -> None:
        while True:
            await self._trim_wanted.wait()
            self._trim_wanted.clear()
            try:
                await self._ports.store.trim(self._partition, self._acked_seq)
            except UnavailableError:  # what is not trimmed is only passed over at the next load
                self._trim_wanted.set()
                await asyncio.sleep(_TRIM_PAUSE_S)

    def _message(self, entry: OutboxEntry) -> Message:
        headers = (
            self._partition_header,
            (HEADER_SEQ, b"%d" % entry.seq),
            (HEADER_EPOCH, b"%d" % entry.epoch),
            (HEADER_POSITION, b"%d.%d" % (entry.offset, entry.index)),
            (HEADER_TRANSITION_ID, entry.transition_id.encode()),
        )
        return Message(self._topic, self._partition, entry.contact_id.encode(), entry.value, headers)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error
            self._acked.set()
            self._ports.on_failure(error)
