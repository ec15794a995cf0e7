"""The recomputation notices when what was published is not what the log calls for."""

from __future__ import annotations

import msgspec
import pytest

from schemas.errors import InputError
from schemas.records import Track, decode_record
from schemas.transitions import Transition, decode_transition
from streams.demo.recomputation import Recomputation
from streams.ports import RawRecord
from streams.segmentation import Core, Fold, compile_definitions
from tests.demo.records import START_MS, definitions_value, raw, track_value
from tests.demo.test_shop import definitions
from tests.engine.stories import changing_log, story
from tests.engine.test_changing import told, whole

TICK = b'{"type":"tick"}'
LOG = [
    (START_MS, definitions_value()),
    (START_MS + 100, track_value("c1", "purchase", START_MS + 90, "e1")),
    (START_MS + 200, track_value("c1", "page_view", START_MS + 190, "e2")),
    (START_MS + 200, b"no JSON"),
    (START_MS + 30_000, TICK),
]


def worked(partition: int = 0) -> list[Transition]:
    """What a worker that makes no mistake publishes for `LOG`."""
    fold = Fold(Core(compile_definitions(definitions())), partition)
    for offset, (timestamp_ms, value) in enumerate(LOG):
        if value == b"no JSON":
            continue
        fold.fire(timestamp_ms, offset)
        record = decode_record(value)
        if isinstance(record, Track):
            fold.apply(record, offset, timestamp_ms)
    return fold.emitted


def read_log(recomputation: Recomputation, partition: int = 0) -> None:
    for offset, (timestamp_ms, value) in enumerate(LOG):
        recomputation.log(partition, raw(offset, timestamp_ms, value))


def test_what_the_log_calls_for_is_equal_and_tells_when_its_cause_was_received() -> None:
    recomputation = Recomputation()
    read_log(recomputation)
    expected = worked()
    assert recomputation.waiting == len(expected) > 5
    for number, transition in enumerate(expected):
        recomputation.publish(0, transition, START_MS + 1000 + number)
    pairs = recomputation.compare()
    assert [pair.transition for pair in pairs] == expected
    assert pairs[0].received_ms == START_MS + 90
    assert pairs[-1].received_ms is None  # released by the tick
    assert [pair.read_ms for pair in pairs] == [START_MS + 1000 + number for number in range(len(expected))]
    assert (recomputation.equal, recomputation.waiting, recomputation.difference) == (len(expected), 0, None)


def test_it_does_not_matter_which_of_log_and_transitions_is_read_first_nor_what_other_partitions_do() -> None:
    recomputation = Recomputation()
    for transition in worked(1):
        recomputation.publish(1, transition, START_MS)
    assert recomputation.compare() == []
    assert recomputation.waiting == len(worked())
    read_log(recomputation, 1)
    assert len(recomputation.compare()) == len(worked())
    assert recomputation.difference is None


@pytest.mark.parametrize("left_out", [0, 3])
def test_a_transition_that_is_missing_is_a_difference(left_out: int) -> None:
    recomputation = Recomputation()
    read_log(recomputation)
    for transition in worked()[:left_out] + worked()[left_out + 1 :]:
        recomputation.publish(0, transition, START_MS)
    recomputation.compare()
    assert recomputation.difference is not None
    assert recomputation.difference.startswith("partition 0, ")


def test_a_difference_names_the_field_and_both_values() -> None:
    recomputation = Recomputation()
    read_log(recomputation)
    first, *others = worked()
    early = msgspec.structs.replace(first, effective_at=first.effective_at - 1)
    for transition in [early, *others]:
        recomputation.publish(0, transition, START_MS)
    assert len(recomputation.compare()) == len(others)
    assert recomputation.difference == (
        f"partition 0, {first.segment}: effective_at is {first.effective_at - 1}, expected {first.effective_at}"
    )


def test_a_log_that_does_not_begin_with_definitions_cannot_be_computed() -> None:
    with pytest.raises(InputError, match="partition 2: the log does not begin with definitions"):
        Recomputation().log(2, raw(0, START_MS, TICK))


@story
async def test_a_change_of_definitions_is_recomputed_as_the_worker_makes_it() -> None:
    """The pipeline folds a log in which definitions change back and forth, and both come to the same."""
    records = changing_log(1, 300)
    _, published = await whole(records)
    recomputation = Recomputation()
    for record in records:
        recomputation.log(0, record._replace(value=record.value if _is_admitted(record) else b"no record"))
    for message in published:
        recomputation.publish(0, decode_transition(message.value or b""), START_MS)
    recomputation.compare()
    assert recomputation.difference is None
    assert (recomputation.equal, recomputation.waiting) == (len(published), 0)
    assert len(told(published)) > 10


def _is_admitted(record: RawRecord) -> bool:
    """The demo's visitors write no record under another contact's key, and a busy log does."""
    return record.key != b"somebody-else"


def test_words_alone_change_nothing_but_what_comes_later_says() -> None:
    data = definitions()
    data["segments"]["buyers"]["tags"] = ["money"]
    recomputation = Recomputation()
    recomputation.log(0, raw(0, START_MS, definitions_value()))
    recomputation.log(0, raw(1, START_MS + 1, definitions_value(data, number=2)))
    assert recomputation.waiting == 0
    recomputation.log(0, raw(2, START_MS + 2, track_value("c1", "purchase", START_MS, "e1")))
    assert recomputation.waiting > 0


def test_a_change_over_a_short_history_is_said_to_be_beyond_recomputing() -> None:
    data = definitions()
    del data["segments"]["buyers"]
    recomputation = Recomputation()
    recomputation.log(0, raw(0, START_MS, definitions_value()))
    recomputation.log(0, raw(1, START_MS + 1, definitions_value(data, number=2, accept_short_history=True)))
    assert recomputation.difference is not None
    assert "whose start is gone" in recomputation.difference
