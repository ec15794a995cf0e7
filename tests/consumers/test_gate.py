"""The sequence gate as a state machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumers.gate import Gate, Passage

EPOCHS = st.integers(min_value=0, max_value=3)
SEQS = st.integers(min_value=1, max_value=8)


@given(st.lists(st.tuples(EPOCHS, SEQS), max_size=60))
def test_what_passes_is_contiguous_within_each_epoch_and_epochs_never_fall(arrivals: list[tuple[int, int]]) -> None:
    gate, passed = Gate(0, 0), []
    for epoch, seq in arrivals:
        gate, passage = gate.judge(epoch, seq)
        if passage is Passage.NEXT:
            passed.append((epoch, seq))
    assert [epoch for epoch, _ in passed] == sorted(epoch for epoch, _ in passed)
    for wanted in range(4):
        seqs = [seq for epoch, seq in passed if epoch == wanted]
        assert seqs == list(range(1, len(seqs) + 1))


@given(st.integers(min_value=1, max_value=40), st.data())
def test_a_log_with_any_repeats_passes_exactly_once(length: int, data: st.DataObject) -> None:
    # What a relay may write after a take-over: some of the last ones again, then on.
    arrivals: list[int] = []
    for seq in range(1, length + 1):
        arrivals.append(seq)
        again = data.draw(st.integers(min_value=0, max_value=min(seq, 3)))
        arrivals.extend(range(seq - again + 1, seq + 1))
    gate, passed = Gate(1, 0), []
    for seq in arrivals:
        gate, passage = gate.judge(1, seq)
        assert passage is not Passage.GAP
        if passage is Passage.NEXT:
            passed.append(seq)
    assert passed == list(range(1, length + 1))


@given(EPOCHS, SEQS, EPOCHS, SEQS)
def test_only_passing_moves_the_gate(epoch: int, seq: int, arriving_epoch: int, arriving_seq: int) -> None:
    gate = Gate(epoch, seq)
    after, passage = gate.judge(arriving_epoch, arriving_seq)
    assert after == (Gate(arriving_epoch, arriving_seq) if passage is Passage.NEXT else gate)


@given(EPOCHS, SEQS, st.integers(min_value=2, max_value=1000))
def test_anything_past_the_next_is_a_gap(epoch: int, seq: int, distance: int) -> None:
    assert Gate(epoch, seq).judge(epoch, seq + distance)[1] is Passage.GAP


def test_a_higher_epoch_begins_at_one() -> None:
    assert Gate(1, 40).judge(2, 1) == (Gate(2, 1), Passage.NEXT)
    assert Gate(1, 40).judge(5, 1) == (Gate(5, 1), Passage.NEXT)


def test_a_higher_epoch_that_begins_elsewhere_is_a_gap_even_where_the_number_would_go_on() -> None:
    assert Gate(1, 40).judge(2, 41) == (Gate(1, 40), Passage.GAP)


def test_a_lower_epoch_is_dropped_whatever_its_number() -> None:
    for seq in (1, 40, 41, 99):
        assert Gate(2, 40).judge(1, seq) == (Gate(2, 40), Passage.SEEN)


def test_an_accepted_gap_is_one_gap() -> None:
    gate = Gate(1, 40, accept_gap=True)
    assert gate.judge(1, 40) == (gate, Passage.SEEN)
    gate, passage = gate.judge(1, 45)
    assert passage is Passage.NEXT
    assert gate.judge(1, 47) == (Gate(1, 45), Passage.GAP)


def test_an_accepted_gap_that_is_not_there_is_used_up() -> None:
    gate, _ = Gate(1, 40, accept_gap=True).judge(1, 41)
    assert gate.judge(1, 43)[1] is Passage.GAP
