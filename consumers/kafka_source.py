"""Reads `transitions` as a member of a consumer group, in a thread of its own.

Every call of the Kafka client, its callbacks too, happens on that thread; whatever belongs to the event loop is asked
for there and waited for. The group's offset, with `epoch:seq` beside it, is committed again and again, also where it
did not move: the coordinator takes it from a current member alone, and that renews the lease.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Coroutine, Sequence
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.arrivals import RawMessage
from consumers.clock import Clock
from consumers.engine import Engine, Flow
from consumers.kafka_log import Subscription, find_start, is_good, kafka_failure, kafka_text, raw_message
from consumers.lease import Lease
from consumers.progress_store import ProgressStore
from consumers.start import Start
from consumers.window import Progress
from schemas.errors import InputError, SegueError, UnavailableError
from schemas.kafka_connection import KafkaConnection
from schemas.metrics import Meters

log = logging.getLogger(__name__)

T = TypeVar("T")

_POLL_S = 0.1
_RETRY_PAUSE_S = 0.5
_FIRST_WAIT_S = 0.5
_REBALANCING = (KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.UNKNOWN_MEMBER_ID)


class KafkaSource:
    """Feeds the engine until it is told to stop."""

    def __init__(
        self,
        subscription: Subscription,
        engine: Engine,
        store: ProgressStore,
        lease: Lease,
        meters: Meters,
        clock: Clock,
    ) -> None:
        self._subscription = subscription
        self._engine = engine
        self._store = store
        self._lease = lease
        self._meters = meters
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._owned: set[int] = set()
        self._commit_asked_at: float | None = None
        self._committed_at = float("-inf")
        self._turned_at = clock.monotonic()
        self._refusal: SegueError | None = None
        self.joined = False
        """Whether the group has given this consumer its partitions, were it none."""

    @property
    def idle_s(self) -> float:
        """Seconds since the thread last began a turn: large when it hangs."""
        return self._clock.monotonic() - self._turned_at

    def stop(self) -> None:
        """Let `run` finish what is under way and return."""
        self._stopping.set()

    def run(self) -> None:
        """Read until stopped. Raises `SegueError`; partitions are given up in order either way."""
        consumer = Consumer(self._subscription.client() | {"on_commit": self._on_commit, "error_cb": self._on_error})
        try:
            self._require_topic(consumer)
            consumer.subscribe(
                [self._subscription.topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            while not self._stopping.is_set():
                self._turn(consumer)
        except KafkaException as error:
            raise kafka_failure(error, self._subscription) from error
        finally:
            self._give_up(consumer, sorted(self._owned))
            consumer.close()

    # --- reading ----------------------------------------------------------------------------------------

    def _turn(self, consumer: Consumer) -> None:
        self._turned_at = self._clock.monotonic()
        messages = consumer.consume(self._subscription.batch_max, 0)
        if not messages:
            # Alone it returns with the first message; the other one would wait for a full batch.
            message = consumer.poll(_POLL_S)
            messages = [] if message is None else [message]
        self._raise_refusal()
        raw = [raw_message(message) for message in messages if is_good(message, self._subscription)]
        flow = self._ask(self._feed(raw))
        if flow.pause:
            consumer.pause(self._places(flow.pause))
        if flow.resume:
            consumer.resume(self._places(flow.resume))
        self._commit_when_due(consumer)

    def _on_error(self, error: KafkaError) -> None:
        """What goes wrong at a connection, which the client logs. It tries again, also where that is of no use."""
        if KafkaConnection.is_refusal(error.code(), error.str()):
            self._refusal = self._subscription.connection.failure("does not answer", error.code(), error.str())

    def _raise_refusal(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    async def _feed(self, messages: Sequence[RawMessage]) -> Flow:
        return self._engine.feed(messages)

    def _require_topic(self, consumer: Consumer) -> None:
        # All topics are asked for: a broker may create one that is asked for by name.
        found = self._list_topics(consumer)
        if self._subscription.topic not in found:
            raise InputError(
                f"topic {self._subscription.topic} does not exist: create it with `segue topics create`, "
                "or look at SEGUE_NAMESPACE"
            )

    def _list_topics(self, consumer: Consumer) -> Collection[str]:
        """All topics. The library waits the whole time also where it is not let in, so it is asked in between."""
        deadline = self._clock.monotonic() + self._subscription.request_timeout_ms / 1000
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                found: Collection[str] = consumer.list_topics(timeout=wait_s).topics
            except KafkaException:
                consumer.poll(0)  # nothing is subscribed to: there are no messages, only what went wrong
                self._raise_refusal()
                if self._clock.monotonic() > deadline:
                    raise
            else:
                return found
            wait_s = max(min(2 * wait_s, deadline - self._clock.monotonic()), _POLL_S)

    # --- committing -------------------------------------------------------------------------------------

    def _commit_when_due(self, consumer: Consumer) -> None:
        now = self._clock.monotonic()
        due = now - self._committed_at >= self._subscription.commit_interval_ms / 1000
        if not due or self._commit_asked_at is not None or not self._owned:
            return
        progress = self._ask(self._progress())
        if progress:
            self._commit_asked_at = self._committed_at = now
            consumer.commit(offsets=self._offsets(progress), asynchronous=True)
        self._measure_lag(consumer, progress)

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        asked_at, self._commit_asked_at = self._commit_asked_at, None
        errors = [each for each in (error, *(place.error for place in places)) if each is not None]
        if errors:
            level = logging.INFO if errors[0].code() in _REBALANCING else logging.WARNING
            log.log(level, "the group's offset was not committed now: %s", errors[0].str())
        elif asked_at is not None:
            self._loop.call_soon_threadsafe(self._lease.renew, asked_at)

    def _measure_lag(self, consumer: Consumer, progress: dict[int, Progress]) -> None:
        for number, reached in progress.items():
            _, high = consumer.get_watermark_offsets(self._place(number), cached=True)
            if high >= 0:
                self._meters.gauge("segue_consumer_lag_records", str(number)).set(max(high - reached.offset, 0))

    async def _progress(self) -> dict[int, Progress]:
        return self._engine.progress()

    # --- partitions come and go -------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        starts = [self._start(consumer, place) for place in places]
        for place, start in zip(places, starts, strict=True):
            accept_gap = self._subscription.accept_gap
            self._ask(self._engine.open(place.partition, start, accept_gap=accept_gap))
            self._owned.add(place.partition)
            place.offset = start.progress.offset
            log.info(
                "partition %d: go on from offset %d, after transition %d of epoch %d",
                place.partition, place.offset, start.progress.seq, start.progress.epoch,
            )  # fmt: skip
        consumer.incremental_assign(places)
        self._committed_at = float("-inf")
        self.joined = True

    def _start(self, consumer: Consumer, place: TopicPartition) -> Start:
        """Where a partition goes on; Kafka and Redis are given some time to answer, unless told to stop."""
        deadline = self._clock.monotonic() + self._subscription.patience_ms / 1000
        while True:
            try:
                stored = self._ask(self._store.load(place.partition))
                return find_start(consumer, place, self._subscription, stored)
            except UnavailableError as error:
                if self._stopping.is_set() or self._clock.monotonic() > deadline:
                    raise
                log.warning("partition %d must wait: %s", place.partition, error)
            self._stopping.wait(_RETRY_PAUSE_S)

    def _on_revoke(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._give_up(consumer, [place.partition for place in places])
        consumer.incremental_unassign(places)

    def _on_lost(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        numbers = [place.partition for place in places]
        log.warning("partitions %s have another owner: what was under way there may be delivered twice", numbers)
        self._ask(self._abandon(numbers))
        self._forget(numbers)
        consumer.incremental_unassign(places)

    async def _abandon(self, numbers: Sequence[int]) -> None:
        self._engine.abandon(numbers)

    def _give_up(self, consumer: Consumer, numbers: Sequence[int]) -> None:
        """Finish what is under way in `numbers` and commit how far they came."""
        numbers = [number for number in numbers if number in self._owned]
        if not numbers:
            return
        progress = self._ask(self._engine.close(numbers))
        self._forget(numbers)
        try:
            if progress:
                consumer.commit(offsets=self._offsets(progress), asynchronous=False)
        except KafkaException as error:
            log.warning("progress is in Redis alone, the group's offset was not committed: %s", kafka_text(error))

    def _forget(self, numbers: Sequence[int]) -> None:
        self._owned.difference_update(numbers)
        for number in numbers:
            self._meters.gauge("segue_consumer_lag_records").remove(str(number))

    # --- small things -----------------------------------------------------------------------------------

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        """The answer of the event loop, which outlives this thread."""
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()

    def _place(self, number: int) -> TopicPartition:
        return TopicPartition(self._subscription.topic, number)

    def _places(self, numbers: Sequence[int]) -> list[TopicPartition]:
        return [self._place(number) for number in numbers]

    def _offsets(self, progress: dict[int, Progress]) -> list[TopicPartition]:
        topic = self._subscription.topic
        return [TopicPartition(topic, number, reached.offset, reached.metadata) for number, reached in progress.items()]
