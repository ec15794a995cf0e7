"""A bounded queue of records on disk, for an event loop: many callers share one fsync, which waits in a thread."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from schemas.errors import UnavailableError
from streams.ports import Entry
from streams.spool.frames import HEAD_BYTES, Frame, encode, find
from streams.spool.segments import MEDIUM_ERRORS, Segment, SegmentFiles, Stretch

ROOM_BYTES = 64 * 1024
"""With less room than this no single record is certain to fit."""
_UNSYNCED_BYTES_MAX = 16 * 1024**2
_DISTRUST_S = 5.0
"""For so long after a failure of the disk the next attempt is not expected to succeed."""
_READ_ATTEMPTS = 5
"""After so many a part of a segment that cannot be read is given up, if the disk is well otherwise."""
T = TypeVar("T")
_log = logging.getLogger(__name__)


class SpoolFullError(UnavailableError):
    """There is no room for all of it, so none of it was taken."""


class SpoolFailedError(UnavailableError):
    """The disk did not take it: it is not acknowledged."""


class _Waiting(NamedTuple):
    content: bytes
    records: int
    arrived_ms: int
    durable: asyncio.Future[None]


class DiskSpool:
    """Takes records at one end and gives them back at the other, oldest first, until they are acknowledged.

    What a process left when it ended, in whatever way, is given back by the next one; a segment that was acknowledged
    in part then from its beginning. One of which something is damaged is not removed when the rest of it was
    acknowledged, but set aside, for a person to look at.
    """

    def __init__(self, files: SegmentFiles, bytes_max: int, on_damage: Callable[[int], None]) -> None:
        """Looks through what is there, which blocks. `on_damage` is told of stretches that cannot be read.

        Raises `InputError` and `UnavailableError` where it cannot be looked through.
        """
        self._files = files
        self._bytes_max = bytes_max
        self._on_damage = on_damage
        self._thread = ThreadPoolExecutor(1, "spool")
        self._ends: dict[Segment, int] = {segment: segment.synced for segment in files.found}  # oldest first
        self._leftover: list[Segment] = []  # acknowledged, and could not be removed yet
        self._read: deque[Frame] = deque()
        self._read_to = 0  # of the oldest segment
        self._failed_reads = 0  # behind one another
        self._damaged = False  # something of the oldest segment
        self._waiting: list[_Waiting] = []
        self._batch: list[_Waiting] = []
        self._waiting_bytes = 0
        self._syncing: asyncio.Task[None] | None = None
        self._something = asyncio.Event()
        self._failed_s = -math.inf
        self.records = 0
        """Records on disk that were not acknowledged."""
        self._oldest_ms = 0
        self._count_what_is_there()

    @property
    def empty(self) -> bool:
        """Nothing waits here, and nothing is on its way in."""
        return not self._ends and not self._waiting_bytes

    @property
    def bytes(self) -> int:
        """Bytes of the segments on disk, also of those that were set aside, and of what is on its way there."""
        useless = self._files.damaged_bytes + sum([each.synced for each in self._leftover])
        return sum(self._ends.values()) + useless + self._waiting_bytes

    @property
    def oldest_ms(self) -> int:
        """When the oldest record came in, 0 where there is none; never later than it did."""
        return (self._read[0].arrived_ms if self._read else self._oldest_ms) if self.records else 0

    @property
    def takes(self) -> bool:
        """A single record would be taken, as far as can be told without trying."""
        failed = asyncio.get_running_loop().time() < self._failed_s + _DISTRUST_S
        return not failed and self.bytes + ROOM_BYTES <= self._bytes_max

    async def append(self, entries: Sequence[Entry], arrived_ms: int, share: float = 1.0) -> None:
        """Returns when the disk has all of them.

        Raises `SpoolFullError` where this would fill more than `share` of the bound, and `SpoolFailedError`; either
        way none of them counts.
        """
        size = sum([len(entry.value) + 4 * len(entry.contact_id) + HEAD_BYTES for entry in entries])
        if self.bytes + size > share * self._bytes_max or self._waiting_bytes + size > _UNSYNCED_BYTES_MAX:
            raise SpoolFullError(f"the spool holds {self.bytes} bytes that Kafka has not taken yet")
        content = encode(entries, arrived_ms)
        waiting = _Waiting(content, len(entries), arrived_ms, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += len(content)
        self._begin_to_sync()
        await waiting.durable

    async def wait(self) -> None:
        """Returns when there may be something to be had from `oldest`."""
        await self._something.wait()

    async def settle(self) -> None:
        """Returns when all that is on its way in is on disk, or was refused."""
        while self._syncing is not None:
            await asyncio.wait([self._syncing])

    async def oldest(self, limit: int) -> list[Frame]:
        """The oldest records that were not acknowledged, at most `limit`; none where there is nothing.

        Raises `SpoolFailedError` where the disk cannot be read: try again.
        """
        while not self._read and self._ends:
            segment, end = next(iter(self._ends.items()))
            if end > self._read_to:
                await self._read_on(segment, end)
            elif not await self._remove(segment):
                break
        if not self._ends:
            self._something.clear()
        return [self._read[place] for place in range(min(limit, len(self._read)))]

    async def acknowledge(self, count: int) -> None:
        """So many of the oldest need not be kept any more."""
        for _ in range(count):
            self._oldest_ms = self._read.popleft().arrived_ms
        self.records -= count
        segment, end = next(iter(self._ends.items()))
        if not self._read and end == self._read_to:
            await self._remove(segment)

    async def set_aside(self, frame: Frame) -> None:
        """Keep it in a file of its own, which nobody sends. Raises `SpoolFailedError`."""
        try:
            await self._blocking(self._files.set_aside, encode([frame.entry], frame.arrived_ms))
        except OSError as error:
            raise SpoolFailedError(f"cannot set a record aside: {error.strerror}") from error

    async def close(self) -> None:
        """Let what is on its way in come in, and give the directory up."""
        await self.settle()
        await self._blocking(self._files.close)
        self._thread.shutdown()

    def _count_what_is_there(self) -> None:
        for segment in self._ends:
            found = find(self._files.look_through(segment))
            if found.frames and not self.records:
                self._oldest_ms = found.frames[0].arrived_ms
            self.records += len(found.frames)
        if self._ends:
            self._something.set()
            _log.warning("the spool holds %s records that Kafka has not taken yet", self.records)

    async def _sync(self) -> None:
        """Bring what waits to the disk, all that has gathered at a time."""
        while self._waiting:
            self._batch, self._waiting = self._waiting, []
            content = b"".join([waiting.content for waiting in self._batch])
            try:
                segment, end = await self._blocking(self._files.append, content)
            except OSError as error:
                self._failed_s = asyncio.get_running_loop().time()
                self._waiting_bytes -= len(content)
                _log.error("the spool's disk did not take %s bytes: %s", len(content), error.strerror)
                self._refuse(self._batch, SpoolFailedError(f"the disk did not take it: {error.strerror}"))
            else:
                self._take(segment, end, len(content))
            self._batch = []

    def _begin_to_sync(self) -> None:
        if self._syncing is None and self._waiting:
            self._syncing = asyncio.create_task(self._sync())
            self._syncing.add_done_callback(self._synced)

    def _synced(self, task: asyncio.Task[None]) -> None:
        self._syncing = None
        error = task.exception()
        if error is not None:  # a bug, which is the callers' to tell
            batch, self._batch = self._batch, []
            self._refuse(batch, error)
        self._begin_to_sync()  # for whoever came between the end of the task and this

    def _refuse(self, waiting: list[_Waiting], error: BaseException) -> None:
        for each in waiting:
            if not each.durable.done():  # done: the call was cancelled
                each.durable.set_exception(error)

    def _take(self, segment: Segment, end: int, size: int) -> None:
        if not self.records:
            self._oldest_ms = self._batch[0].arrived_ms
        self._ends[segment] = end
        self._waiting_bytes -= size
        self.records += sum([waiting.records for waiting in self._batch])
        self._failed_s = -math.inf
        self._something.set()
        for waiting in self._batch:
            if not waiting.durable.done():
                waiting.durable.set_result(None)

    async def _read_on(self, segment: Segment, end: int) -> None:
        stretch = await self._stretch(segment, end)
        found = await asyncio.to_thread(find, stretch.content)
        self._read.extend(found.frames)
        self._read_to = end
        # A process writes whole frames; only what it was writing as it died may be unfinished.
        cut = 0 if segment in self._files.found else found.unfinished_bytes
        if stretch.missing or found.damaged or cut:
            self._damaged = True
            self._on_damage(max(1, found.damaged))
            _log.error(
                "%s: %s bytes are damaged, of which the disk does not give %s; the records in them do not reach Kafka, "
                "and the file is kept",
                segment.path.name, found.damaged_bytes + cut, stretch.missing,
            )  # fmt: skip
        elif found.unfinished_bytes:
            _log.warning(
                "%s: %s bytes at its end were never acknowledged and are passed over",
                segment.path.name, found.unfinished_bytes,
            )  # fmt: skip

    async def _stretch(self, segment: Segment, end: int) -> Stretch:
        """What is unread of a segment. Raises `SpoolFailedError`."""
        try:
            stretch = await asyncio.to_thread(self._files.read, segment, self._read_to, end)
        except OSError as error:
            told = f"cannot read {segment.path}: {error.strerror}"
            self._failed_reads += error.errno in MEDIUM_ERRORS
            if error.errno not in MEDIUM_ERRORS or self._failed_reads < _READ_ATTEMPTS:
                raise SpoolFailedError(told) from error
            return await self._what_is_left(segment, end, told)
        self._failed_reads = 0
        return stretch

    async def _what_is_left(self, segment: Segment, end: int, told: str) -> Stretch:
        """The same, block by block, unless the whole disk is away: then it is waited for."""
        try:
            await self._blocking(self._files.probe)
            left = await self._blocking(self._files.read_around, segment, self._read_to, end)
        except OSError as error:
            raise SpoolFailedError(f"{told}; nor does its disk take anything: {error.strerror}") from error
        self._failed_reads = 0
        return left

    async def _remove(self, segment: Segment) -> bool:
        """Remove the oldest segment, of which all was read; False where more has come into it meanwhile.

        One that cannot be removed is as good as gone until the next process finds it.
        """
        try:
            if not await self._blocking(self._removed, segment):
                return False
        except OSError as error:
            _log.error(
                "%s: cannot be removed or set aside, and so may be sent again: %s", segment.path.name, error.strerror
            )
            self._leftover.append(segment)
        del self._ends[segment]
        self._read_to = 0
        self._damaged = False
        if not self._ends:
            self.records = 0  # what was damaged was counted as it came in
        return True

    def _removed(self, segment: Segment) -> bool:
        return self._files.remove(segment, self._read_to, damaged=self._damaged)

    async def _blocking(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
