"""Dead letters: records that do not count leave the log's way, unchanged, with where they lay and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import repeat

from schemas.errors import InputError
from schemas.topics import (
    DEAD_LETTER_DETAIL,
    DEAD_LETTER_GROUP,
    DEAD_LETTER_OFFSET,
    DEAD_LETTER_PARTITION,
    DEAD_LETTER_REASON,
    DEAD_LETTER_TIMESTAMP,
    DEAD_LETTER_TIMESTAMP_TYPE,
    DEAD_LETTER_TOPIC,
    HEADER_EPOCH,
)
from streams.pipeline.admission import Rejected, RejectedRecordError
from streams.pipeline.ports import PipelinePorts
from streams.ports import Message, RawRecord, TimestampType

TAIL_MESSAGES = 100
"""Dead letters read at a take-over: more than a former owner may still append, few enough to be large ones."""
_DETAIL_CHARACTERS_MAX = 1_000
_TIMESTAMP_TYPES: dict[TimestampType, str] = {"append": "LogAppendTime", "create": "CreateTime"}


class DeadLetters:
    """Publishes the dead letters of one partition, once, and refuses to go on when there are too many."""

    def __init__(
        self,
        partition: int,
        ports: PipelinePorts,
        *,
        ratio_max: float,
        window_records: int,
    ) -> None:
        """`ratio_max` bounds the share of dead letters among the last `window_records` records."""
        self._partition = partition
        self._ports = ports
        self._names = ports.names
        self._ratio_max = ratio_max
        self._window: deque[bool] = deque(maxlen=window_records)
        self._window_records = window_records
        self._epoch = b""
        self._published_to = -1  # origins up to this offset are in the topic already

    async def load(self, epoch: int) -> None:
        """Read how far former owners came in this epoch."""
        self._epoch = b"%d" % epoch
        origins = [self._origin(message) for message in await self._read_tail()]
        self._published_to = max(origins, default=-1)

    async def pass_over(self, records: Sequence[RawRecord], rejected: Sequence[Rejected]) -> None:
        """Publish the dead letters among `records`, but for those that are published already.

        Raises `InputError`, before publishing any, when their share is past its bound.
        """
        fresh = [letter for letter in rejected if letter.raw.offset > self._published_to]
        self._judge(records, fresh)
        if fresh:
            await self._ports.publisher.publish([self._message(letter) for letter in fresh])
            self._published_to = fresh[-1].raw.offset
        for letter in fresh:
            self._ports.meters.counter("segue_dead_letters_total", letter.error.reason).inc()

    def _judge(self, records: Sequence[RawRecord], fresh: Sequence[Rejected]) -> None:
        """Those published before do not count: somebody has let them pass."""
        if not fresh:
            self._window.extend(repeat(False, len(records)))
            return
        errors = {letter.raw.offset: letter.error for letter in fresh}
        window = self._window.copy()
        most = self._ratio_max * self._window_records
        for record in records:
            error = errors.get(record.offset)
            window.append(error is not None)
            if error is not None and (bad := sum(window)) > most:
                raise self._too_many(bad, record.offset, error)
        self._window = window

    def _too_many(self, bad: int, offset: int, error: RejectedRecordError) -> InputError:
        return InputError(
            f"partition {self._partition} of {self._names.tracking}: {bad} of the last {self._window_records} records "
            f"are bad, more than SEGUE_DEAD_LETTER_RATIO_MAX={self._ratio_max:g} admits; the last lies at offset "
            f"{offset} ({error.reason}: {error.detail[:200]}). Nothing is lost: mend their producer, then start once "
            f"with SEGUE_DEAD_LETTER_RATIO_MAX=1 to pass them on to {self._names.dead_letter}"
        )

    def _message(self, letter: Rejected) -> Message:
        raw, error = letter
        headers = {
            DEAD_LETTER_TOPIC: self._names.tracking,
            DEAD_LETTER_PARTITION: str(self._partition),
            DEAD_LETTER_OFFSET: str(raw.offset),
            DEAD_LETTER_TIMESTAMP: str(raw.timestamp_ms),
            DEAD_LETTER_TIMESTAMP_TYPE: _TIMESTAMP_TYPES[self._ports.timestamp_type],
            DEAD_LETTER_GROUP: self._names.group("worker"),
            DEAD_LETTER_REASON: error.reason,
            DEAD_LETTER_DETAIL: error.detail[:_DETAIL_CHARACTERS_MAX],
            HEADER_EPOCH: self._epoch.decode(),
        }
        return Message(
            self._names.dead_letter,
            self._partition,
            raw.key,
            raw.value,
            tuple((name, text.encode()) for name, text in headers.items()),
        )

    async def _read_tail(self) -> list[Message]:
        return await self._ports.tails.tail(self._names.dead_letter, self._partition, TAIL_MESSAGES)

    def _origin(self, message: Message) -> int:
        """Offset of the record that a dead letter was, or -1 where it is not one of this log."""
        headers = dict(message.headers)
        if headers.get(DEAD_LETTER_TOPIC) != self._names.tracking.encode() or headers.get(HEADER_EPOCH) != self._epoch:
            return -1
        return int(headers[DEAD_LETTER_OFFSET])
