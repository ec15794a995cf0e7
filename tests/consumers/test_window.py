"""The window over one partition, and the progress in a group's offset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.window import Progress, Window, read_progress


@given(st.integers(min_value=1, max_value=30).flatmap(lambda size: st.permutations(range(size))))
def test_progress_is_the_settled_prefix_and_ahead_is_the_rest_in_whatever_order(order: list[int]) -> None:
    window = Window(Progress(1, 100, 1000))
    for index in range(len(order)):
        window.add(1, 101 + index, 1000 + index)
    settled: set[int] = set()
    for index in order:
        window.settle(1000 + index)
        settled.add(index)
        prefix = next(number for number in range(len(order) + 1) if number not in settled)
        assert window.progress == Progress(1, 100 + prefix, 1000 + prefix)
        assert window.ahead == sorted(1000 + number for number in settled if number > prefix)
        assert len(window) == len(order) - prefix
    assert window.progress == Progress(1, 100 + len(order), 1000 + len(order))


def test_what_is_passed_over_moves_the_offset_once_everything_before_it_is_settled() -> None:
    window = Window(Progress(1, 5, 10))
    window.add(1, 6, 10)
    window.add(1, 6, 11, settled=True)
    assert window.progress == Progress(1, 5, 10)
    window.settle(10)
    assert window.progress == Progress(1, 6, 12)


def test_progress_of_a_higher_epoch_is_the_larger() -> None:
    assert Progress(2, 1, 5) > Progress(1, 900, 4)
    assert Progress(1, 2, 3) > Progress(1, 1, 9)


@given(st.integers(min_value=0), st.integers(min_value=0), st.integers(min_value=0))
def test_the_metadata_of_an_offset_reads_back(epoch: int, seq: int, offset: int) -> None:
    progress = Progress(epoch, seq, offset)
    assert read_progress(offset, progress.metadata) == progress


@pytest.mark.parametrize("metadata", [None, "", "12", "1:", ":1", "1:x", "a:b", "1:2:3", "-1:2", "１:2"])
def test_an_offset_that_another_program_committed_is_no_progress(metadata: str | None) -> None:
    assert read_progress(7, metadata) is None


def test_a_group_without_an_offset_has_no_progress() -> None:
    assert read_progress(-1001, "1:2") is None
