"""The core and the brute force agree on random definitions over random records, field by field."""

from __future__ import annotations

from hypothesis import given, note

from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case, cases
from tests.oracle.driving import assert_same, reloaded
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.writer import Taste

COUNTS = Taste(("performed", "not_performed"))
SCORES = Taste(("score", "score", "tier", "performed"))
TRAITS = Taste(("trait", "trait", "performed"), max_segments=2)
FILTERED = Taste(("performed", "performed", "aggregate", "ratio", "sequence"), rich=True)
DATED = Taste(("trait_time", "trait", "anniversary", "known_for", "consent", "listed"), rich=True)
POINTS = Taste(("score", "score", "score", "tier"), max_segments=2, rich=True)
CHAINED = Taste(("score", "score", "tier"), max_segments=2, rich=True, chained=True)
EVERYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)


@fuzzed(0.15)
@given(cases(COUNTS))
def test_counts_in_windows(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.15)
@given(cases(SCORES))
def test_scores_and_tiers(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.05)
@given(cases(TRAITS, max_records=10))
def test_traits(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.2)
@given(cases(FILTERED))
def test_filters_and_aggregates(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.15)
@given(cases(DATED, max_records=10))
def test_dates_decisions_and_lists(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.15)
@given(cases(POINTS, max_records=10))
def test_every_kind_of_points(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.15)
@given(cases(CHAINED, max_records=6))
def test_scores_that_follow_scores(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.2)
@given(cases(EVERYTHING))
def test_everything_with_the_state_stored_and_read_between_all_records(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until, between=reloaded)
