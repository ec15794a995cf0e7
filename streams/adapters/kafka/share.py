"""Reads a topic as a member of a consumer group that commits nothing: each partition from some time back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from schemas.errors import SegueError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.follower import PASSING
from streams.adapters.kafka.tail import message_of
from streams.detecting.ports import Gained, Lost, Step
from streams.ports import Clock

_AT_ONCE = 1_000
_REQUEST_S = 5.0
_PATIENCE_S = 20.0
_PAUSE_S = 0.5


class KafkaShare:
    """A `Share` on one confluent-kafka consumer. One thread calls; the group's word comes on it too."""

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        group: str,
        clock: Clock,
        *,
        back_ms: int,
        session_timeout_ms: int,
    ) -> None:
        """Reads each partition that it is given from `back_ms` before now."""
        self._connection = connection
        self._topic = topic
        self._clock = clock
        self._back_ms = back_ms
        self._steps: list[Step] = []
        self._positions: dict[int, int] = {}
        self._refusal: SegueError | None = None
        self.joined = False
        """Whether the group has given this member its partitions, were it none."""
        self._consumer = Consumer(
            connection.client()
            | {
                "group.id": group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # retention may overtake the offset that was asked for
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": session_timeout_ms,
                "heartbeat.interval.ms": session_timeout_ms // 5,
                "fetch.wait.max.ms": 50,
                "queued.max.messages.kbytes": 16_384,
                "reconnect.backoff.max.ms": 2_000,
                "log_level": 0,
                "error_cb": self._on_error,
            }
        )
        self._consumer.subscribe([topic], on_assign=self._gain, on_revoke=self._lose, on_lost=self._lose)

    @property
    def positions(self) -> Mapping[int, int]:
        """Partition -> the offset up to which all was read."""
        return self._positions

    def ends(self) -> Mapping[int, int]:
        """Where the logs of its partitions end, as far as is known without asking."""
        found = {number: self._bounds(number, cached=True) for number in self._positions}
        return {number: end for number, (_, end) in found.items()}

    def read(self, timeout_ms: int) -> Sequence[Step]:
        """What happened next; see `Share`."""
        # One by one: so what the group says has its place between the messages.
        if self._poll(timeout_ms / 1000):
            while len(self._steps) < _AT_ONCE and self._poll(0):
                pass
        steps, self._steps = self._steps, []
        return steps

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _poll(self, timeout_s: float) -> bool:
        try:
            raw = self._consumer.poll(timeout_s)
        except KafkaException as error:
            raise self._failure(error.args[0]) from error
        if self._refusal is not None:
            raise self._refusal
        if raw is None:
            return False
        self._take(raw)
        return True

    def _take(self, raw: KafkaMessage) -> None:
        error, partition, offset = raw.error(), raw.partition(), raw.offset()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            if error.code() in PASSING and not self._connection.is_refusal(error.code(), error.str()):
                return
            raise self._failure(error) from KafkaException(error)
        assert partition is not None
        assert offset is not None
        if error is None:
            self._steps.append(message_of(raw))
        self._positions[partition] = offset if error is not None else offset + 1

    def _gain(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                gained = self._starts([place.partition for place in places])
                break
            except KafkaException as error:
                failure = self._failure(error.args[0])
                if time.monotonic() > deadline or self._connection.is_refusal(
                    error.args[0].code(), error.args[0].str()
                ):
                    raise failure from error
            time.sleep(_PAUSE_S)
        consumer.incremental_assign(
            [TopicPartition(self._topic, number, start) for number, (start, _) in gained.items()]
        )
        for number, (start, end) in gained.items():
            self._positions[number] = start
            self._steps.append(Gained(number, end))
        self.joined = True

    def _starts(self, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
        """From where each partition is read, and where its log ends. Raises `KafkaException`."""
        if not numbers:
            return {}
        since_ms = max(0, self._clock.now_ms() - self._back_ms)
        asked = [TopicPartition(self._topic, number, since_ms) for number in numbers]
        starts = {}
        for place in self._consumer.offsets_for_times(asked, timeout=_REQUEST_S):
            if place.error is not None:
                raise KafkaException(place.error)
            first, end = self._bounds(place.partition)
            # Nothing is so new: there is nothing to read again.
            start = end if place.offset == OFFSET_END else max(first, place.offset)
            starts[place.partition] = (start, end)
        return starts

    def _bounds(self, number: int, *, cached: bool = False) -> tuple[int, int]:
        bounds = self._consumer.get_watermark_offsets(
            TopicPartition(self._topic, number), timeout=_REQUEST_S, cached=cached
        )
        if bounds is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return bounds

    def _lose(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_unassign(places)
        for place in places:
            self._positions.pop(place.partition, None)
            self._steps.append(Lost(place.partition))

    def _on_error(self, error: KafkaError) -> None:
        """What goes wrong at a connection. The library tries again, also where that is of no use."""
        if self._connection.is_refusal(error.code(), error.str()):
            self._refusal = self._failure(error)

    def _failure(self, error: KafkaError) -> SegueError:
        return self._connection.failure("does not answer", error.code(), error.str())
