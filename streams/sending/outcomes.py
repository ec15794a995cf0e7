"""What came of records that were sent: waits until a worker has folded them, and reads what it published of them.

A partition is done when its cursor in Redis has passed the records, and no transition up to there waits in the outbox
any more, or one as late has been read. Then everything that they caused lies in `transitions` before its end.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from schemas.errors import InputError
from schemas.topics import HEADER_EPOCH, HEADER_SEQ
from streams.ports import LogBounds
from streams.segmentation.canonical import contact_key
from streams.segmentation.contact import AppliedIds, id_digest
from streams.segmentation.stored import StoredContact, decode_stored
from streams.sending.ports import Follower, Progress
from streams.sending.sending import Sent

LOOKED_AT_MAX = 1_000
"""Contacts whose state is looked at, to tell a record that was dropped from one that changed no membership."""
_READ_MS = 50
Result: TypeAlias = Literal["applied", "duplicate", "erased", "pending"]
"""The core's words, and `pending` for what no worker has folded in time."""


class StateView(Protocol):
    """What is asked of the state in Redis. Raises `UnavailableError`."""

    def progress(self, partition: int) -> Progress | None:
        """How far the partition is; None where nothing is stored."""

    def stored(self, partition: int, key: str) -> bytes | None:
        """What is stored of the contact with this key."""


class BoundsReader(Protocol):
    """What is asked of a broker. Raises `UnavailableError`."""

    def log_bounds(self, topic: str) -> Mapping[int, LogBounds]:
        """Where the log of every partition begins and ends."""


@dataclass(slots=True)
class Outcome:
    """What became of one record."""

    sent: Sent
    result: Result
    transitions: list[dict[str, Any]] = field(default_factory=list)


class Watch:
    """Watches over records from before they are sent."""

    def __init__(
        self,
        state: StateView,
        bounds: BoundsReader,
        follow: Callable[[Mapping[int, int]], Follower],
        *,
        tracking: str,
        transitions: str,
        applied_before: bool = False,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Notes where `transitions` ends now; `follow` reads it on from offsets.

        `applied_before` tells that the event id had been applied to the contact already. Raises `UnavailableError`
        if Kafka is away.
        """
        self._state = state
        self._bounds = bounds
        self._follow = follow
        self._tracking = tracking
        self._transitions = transitions
        self._ends = {partition: bound.end for partition, bound in bounds.log_bounds(transitions).items()}
        self._applied_before = applied_before
        self._now_s = monotonic_s

    def outcomes(self, sent: Sequence[Sent], timeout_ms: int) -> list[Outcome]:
        """What became of each, within `timeout_ms`; `pending` for those of partitions that were not done by then.

        Raises `InputError` when the state belongs to another log, `UnavailableError`.
        """
        deadline_s = self._now_s() + timeout_ms / 1000
        targets = self._targets(sent)
        follower = self._follow({partition: self._ends[partition] for partition in targets})
        try:
            reading = _Reading(follower, sent)
            done = self._await_folding(targets, reading, deadline_s)
            done = self._read_to_end(done, follower, reading, deadline_s)
        finally:
            follower.close()
        self._check_log(targets)
        return [self._outcome(each, reading, each.partition in done, len(sent) <= LOOKED_AT_MAX) for each in sent]

    def _await_folding(self, targets: Mapping[int, int], reading: _Reading, deadline_s: float) -> set[int]:
        """The partitions that are done in time."""
        done: set[int] = set()
        while True:
            done |= {p for p, target in targets.items() if p not in done and self._done(p, target, reading)}
            if len(done) == len(targets) or self._now_s() >= deadline_s:
                return done
            reading.read()

    def _read_to_end(self, done: set[int], follower: Follower, reading: _Reading, deadline_s: float) -> set[int]:
        """Read what `transitions` holds of them now; the partitions that were read to there in time."""
        ends = self._bounds.log_bounds(self._transitions) if done else {}
        while behind := {partition for partition in done if follower.positions[partition] < ends[partition].end}:
            if self._now_s() >= deadline_s:
                return done - behind
            reading.read()
        return done

    def _targets(self, sent: Sequence[Sent]) -> dict[int, int]:
        """The last record of each partition; the log's own last one where the broker did not say."""
        targets: dict[int, int] = {}
        ends: Mapping[int, LogBounds] = {}
        for each in sent:
            offset = each.offset
            if offset is None:
                ends = ends or self._bounds.log_bounds(self._tracking)
                offset = ends[each.partition].end - 1
            targets[each.partition] = max(offset, targets.get(each.partition, 0))
        return targets

    def _done(self, partition: int, target: int, reading: _Reading) -> bool:
        progress = self._state.progress(partition)
        if progress is None or progress.next_offset <= target:
            return False
        waiting = progress.unpublished_from
        return waiting is None or waiting > target or reading.last[partition] >= (progress.epoch, progress.seq)

    def _check_log(self, targets: Mapping[int, int]) -> None:
        """A state further on than the log cannot be of this log. Read in this order, since both only grow."""
        found = {partition: self._state.progress(partition) for partition in targets}
        ends = self._bounds.log_bounds(self._tracking)
        beyond = [p for p, progress in found.items() if progress is not None and progress.next_offset > ends[p].end]
        if beyond:
            raise InputError(
                f"the state in Redis is beyond the end of partition {beyond[0]} of {self._tracking}, so it is of "
                "another log: see SEGUE_REDIS_URL and SEGUE_NAMESPACE"
            )

    def _outcome(self, sent: Sent, reading: _Reading, done: bool, look: bool) -> Outcome:
        if not done:
            return Outcome(sent, "pending")
        found = reading.found[sent.record.event_id, sent.record.contact_id]
        if found or not look:
            return Outcome(sent, "applied", found)
        raw = self._state.stored(sent.partition, contact_key(sent.record.contact_id))
        if raw is None:
            return Outcome(sent, "applied")
        return Outcome(sent, _result(decode_stored(raw), sent, self._applied_before))


class _Reading:
    """What was read of `transitions`."""

    def __init__(self, follower: Follower, sent: Sequence[Sent]) -> None:
        self.found: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self.last: defaultdict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))  # epoch and seq
        self._follower = follower
        self._wanted = {(each.record.event_id, each.record.contact_id) for each in sent}
        self._seen: set[str] = set()

    def read(self) -> None:
        for message in self._follower.read(_READ_MS):
            headers = dict(message.headers)
            if HEADER_SEQ in headers and HEADER_EPOCH in headers and message.value is not None:
                place = (int(headers[HEADER_EPOCH]), int(headers[HEADER_SEQ]))
                self.last[message.partition] = max(self.last[message.partition], place)
                self._take(message.value)

    def _take(self, value: bytes) -> None:
        transition: dict[str, Any] = msgspec.json.decode(value)
        whose = (transition["cause"].get("event_id", ""), transition["contact_id"])
        if whose in self._wanted and transition["transition_id"] not in self._seen:
            self._seen.add(transition["transition_id"])
            self.found[whose].append(transition)


def applied_ms(raw: bytes | None, event_id: str) -> int | None:
    """The clock at which a contact, as it is stored, took the record with this id; None where it did not."""
    return None if raw is None else AppliedIds(decode_stored(raw).applied_ids).applied_ms(id_digest(event_id))


def _result(stored: StoredContact, sent: Sent, applied_before: bool) -> Result:
    """What a record did that caused no transition, as far as the state still tells."""
    record, erased = sent.record, stored.erased
    if erased is not None and record.occurred_at <= erased.at_ms:
        # The clock of an erasure that was applied is not before the timestamp of its record.
        if record.type != "erase" or erased.clock_ms < sent.timestamp_ms:
            return "erased"
    elif record.type != "erase":
        before_ms = AppliedIds(stored.applied_ids).applied_ms(id_digest(record.event_id))
        if applied_before or (before_ms is not None and before_ms < sent.timestamp_ms):
            return "duplicate"
    return "applied"
