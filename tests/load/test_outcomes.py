"""What came of records: told when all of it is published, and not before; and when nothing will tell."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from schemas.errors import InputError
from streams.ports import LogBounds, Message
from streams.segmentation import Core, compile_definitions
from streams.sending.outcomes import Outcome, Watch, applied_ms
from streams.sending.ports import Progress
from streams.sending.sending import Sent, compose

CORE = Core(compile_definitions({"version": 1, "segments": {"a": {"when": {"performed": {"event": "purchase"}}}}}))
AT = 1_796_083_200_000  # 2026-12-01


def track(event_id: str = "e1", contact_id: str = "c1", occurred_at: str = "2026-11-21T10:00:00Z") -> dict[str, Any]:
    """The fields of an event."""
    return {
        "type": "track",
        "event": "purchase",
        "event_id": event_id,
        "contact_id": contact_id,
        "occurred_at": occurred_at,
    }


def sent(fields: dict[str, Any], partition: int = 0, offset: int | None = 5, timestamp_ms: int = AT) -> Sent:
    """A record that lies at this place."""
    return Sent(compose(fields).record, partition, offset, timestamp_ms)


def message(
    partition: int, seq: int, event_id: str = "e1", contact_id: str = "c1", transition_id: str = "", epoch: int = 1
) -> Message:
    """A transition as it is published."""
    body = {"transition_id": transition_id or f"t{partition}-{seq}", "contact_id": contact_id}
    value = msgspec.json.encode(body | {"cause": {"kind": "event", "event_id": event_id}})
    headers = (("seq", str(seq).encode()), ("epoch", str(epoch).encode()))
    return Message("transitions", partition, contact_id.encode(), value, headers)


class Place:
    """Kafka and Redis as a watch sees them: each look and each reading takes the next of what is laid out."""

    def __init__(self) -> None:
        self.progress_of: dict[int, deque[Progress | None]] = {0: deque([None])}
        self.contacts: dict[int, bytes | None] = {}
        self.tracking = {0: LogBounds(0, 6), 1: LogBounds(0, 6)}
        self.readings: deque[list[Message]] = deque()
        self.positions: dict[int, int] = {}
        self.grows = 0  # transitions that are published after the watch began
        self.closed = False
        self.seconds = itertools.count()

    def progress(self, partition: int) -> Progress | None:
        waiting = self.progress_of[partition]
        return waiting.popleft() if len(waiting) > 1 else waiting[0]

    def stored(self, partition: int, key: str) -> bytes | None:
        assert key
        return self.contacts.get(partition)

    def log_bounds(self, topic: str) -> Mapping[int, LogBounds]:
        if topic == "tracking":
            return self.tracking
        grown = self.grows if self.positions else 0
        return {partition: LogBounds(0, 10 + grown) for partition in (0, 1)}

    def follow(self, offsets: Mapping[int, int]) -> Place:
        self.positions = dict(offsets)
        return self

    def read(self, timeout_ms: int) -> list[Message]:
        assert timeout_ms > 0
        found = self.readings.popleft() if self.readings else []
        for each in found:
            self.positions[each.partition] += 1
        return found

    def close(self) -> None:
        self.closed = True

    def outcomes(self, *records: Sent, applied_before: bool = False, timeout_ms: int = 20_000) -> list[Outcome]:
        """Watch, then learn what came of the records."""
        watch = Watch(
            self,
            self,
            self.follow,
            tracking="tracking",
            transitions="transitions",
            applied_before=applied_before,
            monotonic_s=lambda: float(next(self.seconds)),
        )
        found = watch.outcomes(records, timeout_ms)
        assert self.closed
        return found


def test_what_came_of_a_record_is_shown_when_the_cursor_has_passed_it_and_the_outbox_is_empty_up_to_it() -> None:
    place = Place()
    place.progress_of[0] = deque([None, Progress(5, 0, 1, None), Progress(6, 1, 1, 5), Progress(6, 1, 1, None)])
    place.readings = deque([[], [], [], [message(0, 1)]])
    place.grows = 1
    (outcome,) = place.outcomes(sent(track()))
    assert outcome.result == "applied"
    assert [one["transition_id"] for one in outcome.transitions] == ["t0-1"]


def test_an_outbox_that_is_trimmed_late_is_not_waited_for_when_its_last_transition_was_read() -> None:
    place = Place()
    place.progress_of[0] = deque([Progress(6, 7, 1, 5)])
    place.readings = deque([[message(0, 6), message(0, 7, "other", "c2")]])
    (outcome,) = place.outcomes(sent(track()))
    assert [one["transition_id"] for one in outcome.transitions] == ["t0-6"]


def test_a_transition_of_an_earlier_epoch_does_not_end_the_waiting() -> None:
    place = Place()
    place.progress_of[0] = deque([Progress(6, 7, 2, 5)])
    place.readings = deque([[message(0, 900)]])
    (outcome,) = place.outcomes(sent(track()))
    assert outcome.result == "pending"


def test_only_transitions_of_the_record_and_its_contact_are_its_own_and_each_counts_once() -> None:
    place = Place()
    place.progress_of[0] = deque([Progress(6, 4, 1, 5)])
    place.readings = deque(
        [[message(0, 1, "e2"), message(0, 2, "e1", "c2"), message(0, 3), message(0, 3), message(0, 4, "e1")]]
    )
    (outcome,) = place.outcomes(sent(track()))
    assert [one["transition_id"] for one in outcome.transitions] == ["t0-3", "t0-4"]


def test_partitions_are_done_one_by_one_and_what_was_not_taken_in_time_is_pending() -> None:
    place = Place()
    place.progress_of = {0: deque([Progress(6, 1, 1, None)]), 1: deque([Progress(3, 1, 1, None)])}
    there, waiting = place.outcomes(sent(track(), 0), sent(track("e2", "c2"), 1))
    assert (there.result, waiting.result) == ("applied", "pending")


def test_what_is_folded_and_does_not_become_readable_in_time_is_pending() -> None:
    place = Place()
    place.progress_of[0] = deque([Progress(6, 1, 1, None)])
    place.grows = 1
    (outcome,) = place.outcomes(sent(track()))
    assert outcome.result == "pending"


def test_where_the_broker_told_no_offset_the_end_of_the_log_is_waited_for() -> None:
    place = Place()
    place.progress_of[0] = deque([Progress(5, 0, 1, None), Progress(6, 0, 1, None)])
    (outcome,) = place.outcomes(sent(track(), offset=None))
    assert outcome.result == "applied"
    place.progress_of[0] = deque([Progress(5, 0, 1, None)])
    (outcome,) = place.outcomes(sent(track(), offset=None))
    assert outcome.result == "pending"


def test_a_state_beyond_the_end_of_the_log_is_of_another_log() -> None:
    place = Place()
    place.progress_of[0] = deque([Progress(700, 3, 1, None)])
    with pytest.raises(InputError, match="beyond the end of partition 0 of tracking, so it is of another log"):
        place.outcomes(sent(track()))
    assert place.closed


def _stored(*records: dict[str, Any], clock_ms: int = AT) -> bytes | None:
    contact = CORE.new("c1")
    for fields in records:
        CORE.apply(contact, compose(fields).record, clock_ms, (0, 1), [])
    return CORE.encode(contact)


ERASED = track() | {"type": "erase"}


@pytest.mark.parametrize(
    ("stored", "timestamp_ms", "fields", "before", "expected"),
    [
        (_stored(track()), AT, track(), False, "applied"),
        (_stored(track()), AT + 1, track(), False, "duplicate"),
        (_stored(track()), AT, track(), True, "duplicate"),
        (_stored(track("e0")), AT + 1, track(), False, "applied"),
        (_stored(track(), ERASED), AT + 1, track("e2"), False, "erased"),
        (_stored(track(), ERASED), AT + 1, track("e2", occurred_at="2026-11-22T10:00:00Z"), False, "applied"),
        (_stored(track(), ERASED), AT, ERASED, False, "applied"),
        (_stored(track(), ERASED), AT + 1, ERASED, False, "erased"),
        (_stored(track(), ERASED), AT + 1, ERASED, True, "erased"),
        (None, AT, ERASED, False, "applied"),
    ],
)
def test_a_record_that_was_dropped_is_told_from_one_that_changed_no_membership(
    stored: bytes | None, timestamp_ms: int, fields: dict[str, Any], before: bool, expected: str
) -> None:
    place = Place()
    place.progress_of[0] = deque([Progress(6, 0, 1, None)])
    place.contacts[0] = stored
    (outcome,) = place.outcomes(sent(fields, timestamp_ms=timestamp_ms), applied_before=before)
    assert (outcome.result, outcome.transitions) == (expected, [])


def test_the_clock_at_which_an_event_id_was_applied_is_found_among_others() -> None:
    stored = _stored(track("e0"), track("e1"), track("e2"))
    assert applied_ms(stored, "e1") == AT
    assert applied_ms(stored, "e9") is None
    assert applied_ms(None, "e1") is None
