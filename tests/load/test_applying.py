"""Definitions at the start of every partition, whatever an earlier apply left behind."""

from __future__ import annotations

import pytest

from schemas.errors import InputError, UnavailableError
from schemas.records import decode_record, encode_record
from streams.sending.applying import Applied, apply_definitions, change_definitions
from tests.load.doubles import MemoryLog, Written, definitions_record


def _apply(log: MemoryLog, text: str = '{"version":1}', timestamp_ms: int = 5_000) -> Applied:
    return apply_definitions(definitions_record(text), log, log, "tracking", timestamp_ms)


def _written(text: str) -> Written:
    return Written(encode_record(definitions_record(text)), None, 0)


def test_every_partition_begins_with_the_definitions_under_no_key() -> None:
    log = MemoryLog(partitions=3)
    assert _apply(log) == Applied([0, 1, 2], [])
    for records in log.log.values():
        (written,) = records
        assert (written.key, written.timestamp_ms) == (None, 5_000)
        assert decode_record(written.value) == definitions_record()
    assert log.flushes == 1


def test_the_same_text_again_writes_nothing() -> None:
    log = MemoryLog()
    _apply(log)
    assert _apply(log) == Applied([], [0, 1])
    assert len(log.records) == 2


def test_a_half_done_apply_is_completed() -> None:
    log = MemoryLog(partitions=3)
    log.log[1].append(_written('{"version":1}'))
    assert _apply(log) == Applied([0, 2], [1])
    assert [len(records) for records in log.log.values()] == [1, 1, 1]


def test_another_text_is_refused_where_an_apply_of_one_was_cut_short_and_nothing_is_written() -> None:
    log = MemoryLog()
    log.log[1].append(_written('{"version":1,"zone":"UTC"}'))
    with pytest.raises(InputError, match=r"partition 0 are empty, .*partition 1 begin with other definitions"):
        _apply(log)
    assert len(log.records) == 1


def test_a_log_that_begins_with_another_text_is_left_as_it_is() -> None:
    log = MemoryLog()
    _apply(log, '{"version":1,"zone":"UTC"}')
    assert _apply(log) == Applied([], [0, 1]), "the start of a log is written once; what comes later is a change"
    assert len(log.records) == 2


def test_a_change_goes_to_the_partitions_that_it_is_for() -> None:
    log = MemoryLog(partitions=3)
    _apply(log)
    record = definitions_record('{"version":1,"zone":"UTC"}').model_copy(update={"number": 2})
    change_definitions(record, log, [0, 2], 6_000)
    assert [len(records) for records in log.log.values()] == [2, 1, 2]
    assert (decode_record(log.log[2][1].value), log.log[2][1].timestamp_ms) == (record, 6_000)
    assert log.flushes == 2


@pytest.mark.parametrize("value", [b'{"type":"tick"}', b"\xff"])
def test_a_log_that_begins_with_something_else_is_refused(value: bytes) -> None:
    log = MemoryLog()
    log.log[1].append(Written(value, None, 0))
    with pytest.raises(InputError, match="partition 1 begins with another record than definitions"):
        _apply(log)
    assert len(log.records) == 1


def test_a_log_whose_start_was_deleted_is_refused() -> None:
    log = MemoryLog(deleted={0: 7})
    with pytest.raises(InputError, match="first records of partition 0 are deleted"):
        _apply(log)
    assert log.records == []


def test_an_apply_that_another_one_overtook_is_told() -> None:
    class Overtaken(MemoryLog):
        def append(
            self, value: bytes, *, contact_id: str | None = None, partition: int = -1, timestamp_ms: int = 0
        ) -> None:
            if partition == 1:
                self.log[1].append(_written('{"version":1,"zone":"UTC"}'))
            super().append(value, contact_id=contact_id, partition=partition, timestamp_ms=timestamp_ms)

    with pytest.raises(InputError, match="another apply of other definitions came first in partition 1"):
        _apply(Overtaken())


def test_definitions_that_no_record_can_carry_are_refused() -> None:
    log = MemoryLog()
    with pytest.raises(InputError, match="expected at most 900000"):
        _apply(log, '{"x":"' + "y" * 900_000 + '"}')
    assert log.records == []


def test_kafka_that_goes_away_midway_is_an_error_to_try_again() -> None:
    log = MemoryLog(fails_after=1, failure=UnavailableError("Kafka is away"))
    with pytest.raises(UnavailableError):
        _apply(log)
    log.failure = None
    assert _apply(log) == Applied([1], [0])
