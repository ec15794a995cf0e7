"""The core and the brute force agree on random definitions over random records, field by field."""

from __future__ import annotations

from hypothesis import given, note

from tests.oracle.drawn_records import Case, cases
from tests.oracle.driving import assert_same, reloaded
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.writer import Taste

COUNTS = Taste(("performed", "not_performed"))
SCORES = Taste(("score", "score", "tier", "performed"))
TRAITS = Taste(("trait", "trait", "performed"), max_segments=2)
EVERYTHING = Taste(("performed", "score", "trait", "not_performed", "tier"), max_segments=4)


@fuzzed(0.3)
@given(cases(COUNTS))
def test_counts_in_windows(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.3)
@given(cases(SCORES))
def test_scores_and_tiers(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.1)
@given(cases(TRAITS, max_records=10))
def test_traits(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.3)
@given(cases(EVERYTHING))
def test_everything_with_the_state_stored_and_read_between_all_records(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until, between=reloaded)
