"""What the demo has seen so far: in the log, among the transitions, at the webhooks' receiver."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from schemas.records import DefinitionsRecord, Tick, Track
from schemas.topics import DEAD_LETTER_REASON, HEADER_EPOCH, HEADER_SEQ, Names
from schemas.transitions import Transition, decode_transition
from streams.demo.guests import Guests, is_guest
from streams.demo.measures import Latencies, Rate
from streams.demo.moves import Moved
from streams.demo.observer import Seen
from streams.demo.receiver import Delivery
from streams.demo.recomputation import Recomputation
from streams.ports import RawRecord

LAST_TRANSITIONS = 100
_DELIVERED_IDS_MAX = 20_000
_FAULTS_MAX = 20


@dataclass(slots=True)
class SegmentTally:
    """One segment."""

    members: int = 0
    entered: int = 0
    exited: int = 0


@dataclass(slots=True)
class Webhooks:
    """What the receiver got."""

    delivered: int = 0
    """Different transitions."""
    repeated: int = 0
    """Deliveries of one that it had: at least once is what webhooks promise."""
    refused: int = 0
    """Calls whose signature or body was bad."""
    undelivered: set[str] = field(default_factory=set)
    """Ids of transitions that lie in Kafka and did not come yet."""


class Tally:
    """Fed by the observer and the receiver, on one thread."""

    def __init__(self, names: Names, segments: Iterable[str], now_s: Callable[[], float]) -> None:
        """`now_s` is a monotonic clock, for the rates."""
        self._names = names
        self._now_s = now_s
        self._seqs: dict[tuple[int, int], int] = {}
        self._sequences: dict[tuple[str, str], int] = {}
        self._delivered_sequences: dict[tuple[str, str], int] = {}
        self._early: set[str] = set()  # delivered before we read them from Kafka
        self._delivered_ids: OrderedDict[str, None] = OrderedDict()
        self.recomputation = Recomputation()
        self.segments = {name: SegmentTally() for name in segments}
        self.records: Counter[str] = Counter()
        """Records in the log, by type."""
        self.events: Counter[str] = Counter()
        self.suspected = 0
        """Events that look as if a machine had caused them."""
        self.causes: Counter[tuple[str, str]] = Counter()
        """Transitions by type and kind of cause."""
        self.transitions = 0
        self.last: deque[Moved] = deque(maxlen=LAST_TRANSITIONS)
        self.guests = Guests()
        self.event_latency = Latencies()
        """From the collector's `received_at` of a record to reading the transition that it caused from Kafka."""
        self.timer_latency = Latencies()
        """From the instant at which time alone moved a contact to reading the transition from Kafka."""
        self._event_rate = Rate()
        self._transition_rate = Rate()
        self.webhooks = Webhooks()
        self.dead_letters: Counter[str] = Counter()
        self.faults: list[str] = []
        """Gaps, repetitions and disorder: none of them may ever be."""

    @property
    def corrections(self) -> int:
        """Events that the detector found to be a machine's."""
        return self.records["correction"]

    @property
    def contact_records(self) -> int:
        """Records in the log that are about a contact, those of guests apart."""
        others = self.records["tick"] + self.records["definitions"] + self.corrections
        return self.log_records - others - self.guests.records

    @property
    def log_records(self) -> int:
        """All records in the log."""
        return sum(self.records.values())

    @property
    def events_per_second(self) -> float:
        """Contacts' records that appear in the log."""
        return self._event_rate.per_second(self._now_s())

    @property
    def transitions_per_second(self) -> float:
        """Transitions that appear in Kafka."""
        return self._transition_rate.per_second(self._now_s())

    def see(self, batch: Iterable[Seen]) -> None:
        """Take in messages from Kafka, each partition's in order."""
        for seen in batch:
            if seen.topic == self._names.tracking:
                self._see_record(seen)
            elif seen.topic == self._names.transitions:
                self._see_transition(seen)
            else:
                self.dead_letters[seen.headers.get(DEAD_LETTER_REASON, b"unknown").decode()] += 1
        for transition, received_ms, read_ms in self.recomputation.compare():
            kind = transition.cause.kind
            began_ms = transition.effective_at if kind == "timer" or received_ms is None else received_ms
            latency_ms = max(0, read_ms - began_ms)
            if kind not in ("definition", "backfill"):  # of those it is a matter of the size of the history
                (self.timer_latency if kind == "timer" else self.event_latency).add(latency_ms)
            self.last.append(Moved(transition, latency_ms))
            self.guests.move(self.last[-1])

    def deliver(self, delivery: Delivery) -> None:
        """Take in a call of the webhook consumer."""
        transition = delivery.transition
        if transition is None:
            self.webhooks.refused += 1
            self._fault(f"a webhook was refused: {delivery.reason}")
            return
        known = transition.transition_id
        if known in self._delivered_ids:
            self.webhooks.repeated += 1
            return
        self._delivered_ids[known] = None
        if len(self._delivered_ids) > _DELIVERED_IDS_MAX:
            self._delivered_ids.popitem(last=False)
        self.webhooks.delivered += 1
        if known in self.webhooks.undelivered:
            self.webhooks.undelivered.remove(known)
        else:
            self._early.add(known)
        self._follow(self._delivered_sequences, transition, "webhooks")

    def _see_record(self, seen: Seen) -> None:
        raw = RawRecord(seen.offset, seen.timestamp_ms, None, seen.value)
        record = self.recomputation.log(seen.partition, raw)
        if record is None:
            self.records["undecodable"] += 1
            return
        self.records[record.type] += 1
        if not isinstance(record, Tick | DefinitionsRecord):
            self._event_rate.add(1, self._now_s())
            self.guests.records += is_guest(record.contact_id)
        if isinstance(record, Track):
            self.events[record.event] += 1
            self.suspected += record.machine is not None and record.machine.suspected

    def _see_transition(self, seen: Seen) -> None:
        transition = decode_transition(seen.value or b"")
        place = (seen.partition, int(seen.headers[HEADER_EPOCH]))
        seq, before = int(seen.headers[HEADER_SEQ]), self._seqs.get(place, 0)
        if seq != before + 1:
            self._fault(f"transitions partition {seen.partition}: {seq} follows {before}")
        self._seqs[place] = seq
        self._follow(self._sequences, transition, "transitions")
        entered = transition.type == "segment.entered"
        segment = self.segments.setdefault(transition.segment, SegmentTally())
        segment.members += 1 if entered else -1
        segment.entered += entered
        segment.exited += not entered
        self.transitions += 1
        self._transition_rate.add(1, self._now_s())
        self.causes[transition.type, transition.cause.kind] += 1
        if transition.transition_id in self._early:
            self._early.remove(transition.transition_id)
        else:
            self.webhooks.undelivered.add(transition.transition_id)
        self.recomputation.publish(seen.partition, transition, seen.read_ms)

    def _follow(self, sequences: dict[tuple[str, str], int], transition: Transition, where: str) -> None:
        """Each contact's transitions of a segment are numbered 1, 2, 3… and come in that order."""
        key = (transition.contact_id, transition.segment)
        before = sequences.get(key, 0)
        if transition.sequence != before + 1:
            self._fault(f"{where}: {transition.segment} of one contact: {transition.sequence} follows {before}")
        sequences[key] = transition.sequence

    def _fault(self, text: str) -> None:
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append(text)
