"""From lines to records: what is kept out, how time is stamped, and how far a failed load came."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from schemas.errors import InputError, SegueError, UnavailableError
from schemas.instants import parse_instant
from schemas.topics import partition_of
from streams.sending.loading import CHECKPOINT_LINES, Loader, LoadTally
from streams.simulation.record_lines import LINE_BYTES_MAX
from streams.simulation.simulator import BadLine
from tests.load.doubles import MemoryLog
from tests.oracle.drawn_changes import definitions_record
from tests.oracle.lines import segments

REFUSED = "expected no definitions among events: `segue apply` writes them"


def line(contact: str = "c1", second: int = 0, **fields: object) -> bytes:
    """A track record that happened in a second after 10:00."""
    record = {
        "type": "track",
        "event_id": f"e{second}",
        "contact_id": contact,
        "event": "page_view",
        "occurred_at": f"2026-11-21T10:00:{second:02d}Z",
        **fields,
    }
    return json.dumps(record).encode() + b"\n"


def at(second: int) -> int:
    """The instant of a second after 10:00."""
    return parse_instant(f"2026-11-21T10:00:{second:02d}Z")


class _Load:
    def __init__(self, log: MemoryLog | None = None, **options: Any) -> None:
        self.log = log or MemoryLog()
        self.bad: list[BadLine] = []
        self.shown: list[LoadTally] = []
        self.loader = Loader(
            self.log,
            self.log.partitions,
            **{"stamp_received": False, "strict": False, **options},
            on_bad_line=self.bad.append,
            on_progress=self.shown.append,
        )

    def run(self, *lines: bytes) -> LoadTally:
        self.loader.load(io.BytesIO(b"".join(lines)))
        return self.loader.tally


def test_records_go_byte_for_byte_to_their_contacts_partition() -> None:
    load = _Load(MemoryLog(partitions=5))
    lines = [line(f"c{number}", number, unknown=[1, {"é": None}]) for number in range(20)]
    tally = load.run(*lines)
    assert (tally.lines, tally.records, tally.rejected, tally.acknowledged_lines) == (20, 20, 0, 20)
    for number, written in enumerate(lines):
        assert written.strip() in [one.value for one in load.log.log[partition_of(f"c{number}", 5)]]


def test_the_last_line_needs_no_end_and_empty_lines_are_nothing() -> None:
    tally = _Load().run(line(), b"\n", b"  \r\n", line(second=1).rstrip())
    assert (tally.lines, tally.records, tally.rejected) == (4, 2, 0)


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff\xfe\n",
        b"{\n",
        b"[]\n",
        b"NaN\n",
        line(properties={"x": 1}).replace(b"1}", b"NaN}"),
        b"[" * 10_000 + b"]" * 10_000 + b"\n",
        line(contact=""),
        line(occurred_at="2026-11-21T10:00:00"),
        line(occurred_at="0001-01-01T00:00:00Z"),
        line(occurred_at="3000-01-01T00:00:00Z"),
        line(type="unheard_of"),
        b'{"type":"tick"}\n',
        b'{"type":"definitions","definitions":"{}","hash":"'
        + b"0" * 64
        + b'","number":1,"semantics":"1","tzdata":"x"}\n',
        json.dumps(definitions_record(segments(seen={"known_for": "1d"}), at(0))).encode() + b"\n",
        line(properties={"x": "y" * LINE_BYTES_MAX}),
    ],
)
def test_a_bad_line_is_kept_out_and_reported_by_its_number(bad: bytes) -> None:
    load = _Load()
    tally = load.run(line(second=1), bad, line(second=2))
    assert (tally.lines, tally.records, tally.rejected) == (3, 2, 1)
    assert [one.number for one in load.bad] == [2]
    assert (b'"definitions"' in bad) == (load.bad[0].reason == REFUSED)
    assert [one.value for one in load.log.records] == [line(second=1).strip(), line(second=2).strip()]


def test_a_strict_load_ends_at_the_first_bad_line_with_all_before_it_acknowledged() -> None:
    load = _Load(strict=True)
    tally = load.run(line(second=1), b"{\n", line(second=2))
    assert (tally.lines, tally.records, tally.rejected) == (2, 1, 1)
    assert load.log.flushes == 1


def test_kafka_stamps_unless_told_otherwise() -> None:
    load = _Load()
    load.run(line(second=3))
    assert load.log.records[0].timestamp_ms == 0


def test_received_timestamps_are_the_running_maximum_as_in_the_simulator() -> None:
    load = _Load(MemoryLog(partitions=1), stamp_received=True)
    load.run(
        line(second=5),
        line(second=3),
        line(second=9, received_at="2026-11-21T10:00:07Z"),
        line(second=59, occurred_at="2026-11-21T10:00:59"),
        line(second=8),
    )
    assert [one.timestamp_ms for one in load.log.records] == [at(5), at(5), at(7), at(8)]


def test_a_tick_goes_to_every_partition_and_moves_time() -> None:
    load = _Load(MemoryLog(partitions=3), stamp_received=True)
    tick = b'{"type":"tick","received_at":"2026-11-21T10:00:30Z"}'
    tally = load.run(line(second=1), tick + b"\n", line(second=2))
    ticks = [one for one in load.log.records if one.key is None]
    assert [(one.value, one.timestamp_ms) for one in ticks] == [(tick, at(30))] * 3
    assert load.log.log[partition_of("c1", 3)][-1].timestamp_ms == at(30)
    assert (tally.records, tally.ticks) == (2, 3)


def test_a_time_that_kafka_cannot_express_is_a_bad_line() -> None:
    load = _Load(stamp_received=True)
    load.run(line(occurred_at="1970-01-01T00:00:00Z"), line(second=1))
    assert [one.number for one in load.bad] == [1]


def test_until_ends_with_a_tick_in_every_partition() -> None:
    load = _Load(MemoryLog(partitions=3), stamp_received=True)
    load.run(line(second=1))
    load.loader.tick(at(40))
    assert [records[-1].timestamp_ms for records in load.log.log.values()] == [at(40)] * 3
    assert load.log.flushes == 2


@pytest.mark.parametrize("failure", [InputError("Kafka refused a record"), UnavailableError("Kafka is away")])
def test_a_load_that_fails_says_how_far_the_log_is_complete(failure: SegueError) -> None:
    log = MemoryLog(fails_after=CHECKPOINT_LINES + 10, failure=failure)
    load = _Load(log)
    with pytest.raises(type(failure), match=f"{failure}; the first {CHECKPOINT_LINES} lines are in the log"):
        load.run(*[line()] * (CHECKPOINT_LINES + 20))


def test_progress_is_shown_on_the_way_and_at_the_end() -> None:
    load = _Load()
    load.run(*[line()] * 4_500)
    assert len(load.shown) == 3
