"""Reading along and writing: when, what of, and that a death at any point changes nothing in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UnavailableError
from schemas.metrics import Meters
from schemas.record_models import Correction
from schemas.records import InvalidRecordError, Record, Track, decode_record, encode_record
from streams.detecting.detector import Detector, DetectorParts
from streams.detecting.memory import Memory
from streams.detecting.ports import Gained, Lost, Step
from streams.ports import Message
from tests.detecting.mails import START, THRESHOLDS, WINDOW_MS, clicked, corrected, delivered, erased, opened, trapped

BURST = (clicked("a", 0), clicked("b", 1), clicked("c", 2))


class Log:
    """Partition 0 of `tracking`."""

    def __init__(self, *records: Record) -> None:
        self.messages: list[Message] = []
        for record in records:
            self.append(encode_record(record), getattr(record, "contact_id", None))

    def append(self, value: bytes, key: str | None) -> None:
        """At the time of its place."""
        place = len(self.messages)
        coded = None if key is None else key.encode()
        self.messages.append(Message("tracking", 0, coded, value, timestamp_ms=START + place, offset=place))

    def corrections(self) -> list[Correction]:
        """Those in it, in order."""
        found = []
        for message in self.messages:
            with suppress(InvalidRecordError):
                record = decode_record(message.value)
                found += [record] if isinstance(record, Correction) else []
        return found

    def applied(self) -> dict[str, set[str]]:
        """By event, the reasons of the last correction of it; each event id counts once."""
        once = {one.event_id: one for one in self.corrections()}  # in the order of the first
        return {one.corrects: set(one.machine.reasons) for one in once.values()}


class FakeShare:
    """A `Share` of one log, which gives `at_once` messages a turn."""

    joined = True

    def __init__(self, log: Log, at_once: int = 100) -> None:
        self._log = log
        self._at_once = at_once
        self.steps: list[Step] = [Gained(0, len(log.messages))]
        self.positions: dict[int, int] = {0: 0}
        self.closed = False

    def ends(self) -> Mapping[int, int]:
        """Where the log ends."""
        return {0: len(self._log.messages)}

    def read(self, timeout_ms: int) -> Sequence[Step]:  # noqa: ARG002 - nothing is waited for
        """The next messages, after what the group says."""
        position = self.positions.get(0, len(self._log.messages))
        messages = self._log.messages[position : position + self._at_once]
        if messages:
            self.positions[0] = position + len(messages)
        steps, self.steps = [*self.steps, *messages], []
        return steps

    def close(self) -> None:
        """Noted."""
        self.closed = True


class DyingWriter:
    """A `LogWriter` to the log; of those that it writes in all it dies after `lives`, before the broker's ack."""

    def __init__(self, log: Log, lives: int = 1_000_000) -> None:
        self._log = log
        self._lives = lives

    def append(
        self,
        value: bytes,
        *,
        contact_id: str | None = None,
        partition: int = -1,  # noqa: ARG002 - the contact's
        timestamp_ms: int = 0,  # noqa: ARG002 - the log's
    ) -> None:
        """Write, or die."""
        if not self._lives:
            raise UnavailableError("dead")
        self._lives -= 1
        self._log.append(value, contact_id)

    def flush(self) -> None:
        """All is written already."""


def detector(
    log: Log, share: FakeShare | None = None, lives: int = 1_000_000, meters: Meters | None = None
) -> Detector:
    """One that begins to read the log from its start."""
    memory = Memory(THRESHOLDS, window_ms=WINDOW_MS, events_max=1_000)
    parts = DetectorParts(share or FakeShare(log), DyingWriter(log, lives), memory, meters or Meters("detector"))
    return Detector(parts, hangs_after_ms=60_000)


def test_what_is_found_is_written_once_and_read_back_without_effect() -> None:
    log = Log(*BURST)
    one = detector(log)
    for _ in range(4):
        one.turn()
    assert [correction.corrects for correction in log.corrections()] == ["a", "b", "c"]
    assert {message.key for message in log.messages} == {b"c1"}


def test_what_an_earlier_detector_wrote_is_not_written_again_after_a_restart() -> None:
    log = Log(*BURST)
    detector(log).turn()
    written = len(log.messages)
    again = detector(log, FakeShare(log, at_once=1))
    for _ in range(written + 2):
        again.turn()
    assert len(log.messages) == written


def test_nothing_is_written_before_the_log_is_read_as_far_as_it_went_at_first() -> None:
    log = Log(*BURST, corrected("a"))
    one = detector(log, FakeShare(log, at_once=3))
    one.turn()
    assert (log.applied(), one.health()[1:]) == ({"a": set()}, (0, 1))
    one.turn()
    assert log.applied() == {"a": set(), "b": {"burst"}, "c": {"burst"}}, "whoever cleared a was heard"
    assert one.health() == (True, 1, 0)


def test_records_that_are_none_or_of_another_are_passed_over() -> None:
    log = Log(*BURST[:2])
    for value, key in (
        (b"{", "c1"), (b"\xff", "c1"), (b'{"type": "track", "event": "email_click"}', "c1"), (b"[" * 2_000, "c1"),
        (b'{"type": 5, "event": []}', "c1"), (b'{"type": "tick"}', None), (encode_record(BURST[2]), "c2"),
        (encode_record(BURST[2]), None),
    ):  # fmt: skip
        log.append(value, key)
    log.messages.append(Message("tracking", 0, b"c1", None, timestamp_ms=START, offset=len(log.messages)))
    one = detector(log)
    one.turn()
    assert log.corrections() == []
    log.append(encode_record(BURST[2]), "c1")
    one.turn()
    assert len(log.corrections()) == 3


def test_an_erasure_is_heard_whatever_else_its_record_says() -> None:
    body = json.loads(encode_record(erased())) | {"event": ["of another kind"]}
    log = Log(*BURST[:2])
    log.append(json.dumps(body).encode(), "c1")
    log.append(encode_record(BURST[2]), "c1")
    detector(log).turn()
    assert log.corrections() == []


def test_a_partition_that_is_lost_and_comes_back_is_read_again() -> None:
    log = Log(*BURST[:2])
    share = FakeShare(log)
    one = detector(log, share)
    one.turn()
    share.steps = [Lost(0)]
    share.positions = {}
    one.turn()
    assert one.health() == (True, 0, 0)
    log.append(encode_record(BURST[2]), "c1")
    share.steps, share.positions = [Gained(0, 3)], {0: 0}
    one.turn()
    assert len(log.corrections()) == 3


def test_it_shows_what_it_does() -> None:
    log, meters = Log(*BURST, delivered("d", 0)), Meters("detector")
    one = detector(log, FakeShare(log), meters=meters)
    one.turn()
    names = ("records_total", "corrections_total", "events_held", "partitions", "lag_records")
    values = [meters.registry.get_sample_value(f"segue_detector_{name}") for name in names]
    assert values == [4, 3, 4, 1, 3]
    for reason, count in (("burst", 3), ("after_delivery", 3), ("near_honeypot", 0)):
        assert meters.registry.get_sample_value("segue_detector_found_total", {"reason": reason}) == count


def test_it_shows_what_it_had_no_room_for() -> None:
    meters = Meters("detector")
    one = detector(Log(*(opened(f"o{number}", 0) for number in range(203))), meters=meters)
    one.turn()
    one.turn()
    one.turn()
    counted = meters.registry.get_sample_value("segue_detector_events_given_up_total", {"reason": "contact_full"})
    assert counted == 3


def test_who_dies_leaves_the_group() -> None:
    log = Log(*BURST)
    share = FakeShare(log)
    with pytest.raises(UnavailableError, match="dead"):
        detector(log, share, lives=1).run()
    assert share.closed


MAIL = st.lists(
    st.tuples(st.sampled_from([opened, clicked, clicked, delivered, trapped]), st.integers(0, 3_000)), max_size=8
)
LIVES = st.lists(st.integers(0, 6), max_size=3)


def _live(log: Log, at_once: int, lives: int = 1_000_000) -> None:
    """A detector begins, reads and writes, and dies at the latest when it is done."""
    one = detector(log, FakeShare(log, at_once), lives=lives)
    with suppress(UnavailableError):
        for _ in range(40):
            one.turn()


@given(MAIL, MAIL, LIVES, LIVES, st.integers(1, 5))
def test_deaths_at_any_points_lose_no_finding_and_none_counts_twice(
    early: list[tuple[Callable[[str, int], Track], int]],
    late: list[tuple[Callable[[str, int], Track], int]],
    early_lives: list[int],
    late_lives: list[int],
    at_once: int,
) -> None:
    undisturbed, log = Log(), Log()
    for part, (drawn, lives) in enumerate([(early, early_lives), (late, late_lives)]):
        for number, (make, at) in enumerate(drawn):
            for each in (undisturbed, log):
                each.append(encode_record(make(f"e{part}-{number}", at)), "c1")
        _live(undisturbed, at_once=100)
        for each_lives in lives:
            _live(log, at_once, each_lives)
    _live(log, at_once)
    assert log.applied() == undisturbed.applied()
    written = [correction.event_id for correction in log.corrections()]
    assert len(set(written)) == len(written), "none is there twice"
