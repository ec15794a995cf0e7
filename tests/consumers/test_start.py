"""Where a partition goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.arrivals import Stamp
from consumers.start import PEEK_MESSAGES, Found, From, Peek, Start, decide, finish
from consumers.window import Progress
from schemas.errors import InputError


def found(*, low: int = 0, high: int = 100, stored: Progress | None = None, committed: Progress | None = None) -> Found:
    return Found("transitions", 3, low, high, stored, committed, frozenset({55}))


PROGRESS = st.builds(
    Progress,
    st.integers(min_value=0, max_value=2),
    st.integers(min_value=0, max_value=100),
    st.integers(min_value=0, max_value=100),
)


@given(st.none() | PROGRESS, st.none() | PROGRESS, st.sampled_from([None, "beginning", "end"]))
def test_the_larger_of_both_is_resumed_whatever_from_says(
    stored: Progress | None, committed: Progress | None, start: From | None
) -> None:
    known = [progress for progress in (stored, committed) if progress is not None]
    if known:
        assert decide(found(stored=stored, committed=committed), start) == Start(max(known), frozenset({55}))


def test_a_higher_epoch_outweighs_a_larger_number() -> None:
    decided = decide(found(stored=Progress(1, 90, 90), committed=Progress(2, 3, 95)), None)
    assert decided == Start(Progress(2, 3, 95), frozenset({55}))


def test_an_empty_partition_begins_at_its_start() -> None:
    assert decide(found(high=0), None) == Start(Progress(0, 0, 0))


def test_no_progress_in_a_partition_that_is_not_empty_is_refused() -> None:
    with pytest.raises(InputError, match=r"transitions partition 3 holds transitions.*--from beginning.*--from end"):
        decide(found(), None)


@pytest.mark.parametrize("start", ["beginning", "end"])
def test_progress_beyond_the_end_is_another_log_and_refused(start: From) -> None:
    replaced = found(high=10, stored=Progress(1, 50, 50))
    with pytest.raises(InputError, match=r"ends at offset 10, but progress is at 50.*replaced or cut"):
        decide(replaced, None)
    begun = decide(replaced, start)
    assert isinstance(begun, Peek) or begun.anew


def test_from_beginning_expects_the_first_transition() -> None:
    assert decide(found(), "beginning") == Start(Progress(0, 0, 0), anew=True)


def test_from_end_goes_on_after_the_last_transition_that_is_there() -> None:
    asked = decide(found(high=500), "end")
    assert asked == Peek(500 - PEEK_MESSAGES, 500)
    begun = finish(found(high=500), "end", [Stamp(1, 480), Stamp(2, 3), Stamp(2, 4)])
    assert begun == Start(Progress(2, 4, 500), anew=True)


def test_from_beginning_of_a_log_that_was_cut_expects_what_comes_first() -> None:
    cut = found(low=40)
    assert decide(cut, "beginning") == Peek(40, 100)
    assert finish(cut, "beginning", [Stamp(1, 38), Stamp(1, 39)]) == Start(Progress(1, 37, 40), anew=True)


def test_a_log_without_transitions_where_one_must_be_known_is_refused() -> None:
    with pytest.raises(InputError, match="are no transitions"):
        finish(found(), "end", [])


def test_history_that_is_gone_leaves_the_gate_where_it_was_so_that_it_sees_the_gap() -> None:
    decided = decide(found(low=40, stored=Progress(1, 20, 20)), None)
    assert decided == Start(Progress(1, 20, 40), frozenset({55}))
