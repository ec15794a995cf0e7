"""The sink that delivers transitions as webhooks: what to send, what the answer means, what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from consumers.arrivals import Arrival
from consumers.clock import Clock
from consumers.sink import Delivery, Outcome
from consumers.webhook.breaker import Breaker
from consumers.webhook.dead_letters import DeadLetter, DeadLetters, Reason
from consumers.webhook.endpoint_state import EndpointState
from consumers.webhook.policy import Answer, Verdict, judge
from consumers.webhook.sender import Sender
from consumers.webhook.signature import webhook_body
from schemas.errors import InputError, UnavailableError
from schemas.instants import format_instant
from schemas.metrics import Meters

log = logging.getLogger(__name__)

T = TypeVar("T")

_SAVE_PAUSE_S = 1.0
_COUNT_PAUSE_S = 15.0


class WebhookSink:
    """At least once, in order for each contact; deliveries of different contacts overlap."""

    def __init__(
        self,
        sender: Sender,
        breaker: Breaker,
        dead_letters: DeadLetters,
        state: EndpointState,
        meters: Meters,
        clock: Clock,
        *,
        concurrency: int,
        attempts_max: int,
    ) -> None:
        self.concurrency = concurrency
        self._sender = sender
        self._breaker = breaker
        self._dead_letters = dead_letters
        self._state = state
        self._meters = meters
        self._clock = clock
        self._origin = sender.origin
        self._attempts_max = attempts_max
        self._delivered_any = False
        self._failing: set[str] = set()
        """What has failed since the endpoint last took something."""

    def lane(self, arrival: Arrival) -> str:
        return arrival.transition_id if arrival.transition is None else arrival.transition.contact_id

    def admission(self) -> AbstractAsyncContextManager[None]:
        return self._breaker.admission()

    async def attempt(self, delivery: Delivery) -> Outcome | None:
        arrival = delivery.arrival
        if arrival.transition is None:
            await self._bury(arrival, "invalid", None)
            return "dead_lettered"
        attempt_round = self._breaker.round
        answer = await self._sender.post(arrival.transition_id, webhook_body(arrival.transition, arrival.value))
        self._meters.counter("segue_webhook_attempts_total", answer.kind).inc()
        verdict = judge(answer)
        if verdict is Verdict.TROUBLE:
            return await self._pause(delivery, answer, attempt_round)
        if verdict is Verdict.GONE:
            await self._disable()
        self._breaker.well(attempt_round)
        self._failing.clear()
        self._delivered_any = True
        if verdict is Verdict.REJECTED:
            await self._bury(arrival, "rejected", answer)
            return "dead_lettered"
        waited_ms = self._clock.now_ms() - arrival.transition.detected_at
        self._meters.histogram("segue_webhook_delivery_seconds").observe(max(waited_ms, 0) / 1000)
        return "delivered"

    async def _pause(self, delivery: Delivery, answer: Answer, attempt_round: int) -> Outcome | None:
        was_paused = self._breaker.paused
        pause_s = self._breaker.trouble(attempt_round, answer.retry_after_s)
        # A receiver's own words may name a contact, so they are not logged.
        said = answer.detail if answer.status is None else f"answered {answer.status}"
        log.log(
            logging.INFO if was_paused else logging.WARNING,
            "%s is paused for %.1f s: %s", self._origin, pause_s, said,
        )  # fmt: skip
        if not self._is_to_blame(delivery):
            return None
        delivery.failures += 1
        if delivery.failures < self._attempts_max:
            return None
        self._failing.discard(delivery.arrival.transition_id)
        await self._bury(delivery.arrival, "attempts", answer)
        return "dead_lettered"

    def _is_to_blame(self, delivery: Delivery) -> bool:
        """Whether the endpoint takes others and fails at this delivery alone."""
        self._failing.add(delivery.arrival.transition_id)
        return self._delivered_any and len(self._failing) == 1

    async def _bury(self, arrival: Arrival, reason: Reason, answer: Answer | None) -> None:
        letter = DeadLetter(
            transition_id=arrival.transition_id,
            partition=arrival.partition,
            offset=arrival.offset,
            epoch=arrival.stamp.epoch,
            seq=arrival.stamp.seq,
            reason=reason,
            status=None if answer is None else answer.status,
            detail="not a valid transition" if answer is None else answer.detail,
            endpoint=self._origin,
            dead_at=format_instant(self._clock.now_ms()),
            value=arrival.value,
        )
        count = await self._until_saved(lambda: self._dead_letters.push(letter))
        self._meters.gauge("segue_webhook_dead_letters").set(count)
        log.warning(
            "partition %d: transition %d of epoch %d is in the dead-letter list (%s%s)",
            letter.partition, letter.seq, letter.epoch, reason, "" if letter.status is None else f", {letter.status}",
        )  # fmt: skip

    async def _disable(self) -> None:
        moment = format_instant(self._clock.now_ms())
        await self._until_saved(lambda: self._state.disable(moment))
        raise InputError(
            f"{self._origin} answered 410 Gone: it wants no deliveries any more. Nothing was skipped; "
            "start with --enable to send to it again, or with another --url"
        )

    async def _until_saved(self, save: Callable[[], Awaitable[T]]) -> T:
        """Wait for Redis: going on without a dead letter would lose it."""
        while True:
            try:
                return await save()
            except UnavailableError as error:
                log.warning("a delivery waits for Redis: %s", error)
            await self._clock.sleep(_SAVE_PAUSE_S)

    async def count_dead_letters(self) -> None:
        """Keep the gauge current until cancelled: other processes replay and drop."""
        while True:
            try:
                count = await self._dead_letters.count()
                self._meters.gauge("segue_webhook_dead_letters").set(count)
            except UnavailableError as error:
                log.debug("dead letters were not counted: %s", error)
            await self._clock.sleep(_COUNT_PAUSE_S)
