"""Definitions that change anywhere among random records: the simulator and the brute force agree, field by field."""

from __future__ import annotations

from hypothesis import given, note
from hypothesis import strategies as st

from tests.oracle.changing import assert_changes_alike
from tests.oracle.drawn_changes import changing_cases
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.writer import Taste

COUNTS = Taste(("performed", "not_performed"))
SCORES = Taste(("score", "score", "tier", "performed"))
EVERYTHING = Taste(tuple(LEAF_WRITERS), rich=True)


@fuzzed(0.15)
@given(changing_cases(COUNTS))
def test_counts_in_windows_that_are_changed(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_changes_alike(case)


@fuzzed(0.1)
@given(changing_cases(SCORES))
def test_scores_and_tiers_that_are_changed(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_changes_alike(case)


@fuzzed(0.1)
@given(changing_cases(EVERYTHING, max_records=10), st.sampled_from((1, 100)))
def test_everything_that_is_changed_with_all_contacts_at_hand_or_one(case: Case, contacts_decoded_max: int) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_changes_alike(case, contacts_decoded_max)
