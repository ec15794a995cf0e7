"""Corrected histories: the core, the simulator and changed definitions agree with the brute force."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from hypothesis import given, note
from hypothesis import strategies as st

from streams.segmentation import corrections
from tests.oracle import history
from tests.oracle.changing import assert_changes_alike
from tests.oracle.drawn_changes import definitions_record
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_corrections import corrected_cases
from tests.oracle.drawn_records import Case
from tests.oracle.driving import assert_same, reloaded
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.history import clock_of
from tests.oracle.writer import Taste

COUNTS = Taste(("performed", "not_performed", "aggregate"))
SCORES = Taste(("score", "score", "tier", "performed"), rich=True)
EVERYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)


@contextmanager
def only_the_newest(count: int) -> Iterator[None]:
    """So few events of a contact can be corrected."""
    with patch.object(corrections, "MAX_RECENT", count), patch.object(history, "RECENT", count):
        yield


@fuzzed(0.15)
@given(corrected_cases(COUNTS))
def test_corrected_counts(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until)


@fuzzed(0.15)
@given(corrected_cases(SCORES))
def test_corrected_scores(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_same(case.file, case.bodies, case.until, between=reloaded)


@fuzzed(0.2)
@given(corrected_cases(EVERYTHING), st.integers(1, 4))
def test_corrections_of_everything_where_few_events_can_be_corrected(case: Case, count: int) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    with only_the_newest(count):
        assert_same(case.file, case.bodies, case.until, between=reloaded)


@fuzzed(0.1)
@given(corrected_cases(EVERYTHING), st.integers(0, 15), st.sampled_from((1, 100)))
def test_definitions_that_change_among_corrections(case: Case, place: int, decoded_max: int) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    place = min(place, len(case.bodies))
    later = {**case.file, "correct": {"within": "1s"}}
    at_ms = max((clock_of(body) for body in case.bodies[:place]), default=clock_of(case.bodies[0]))
    bodies = [*case.bodies[:place], definitions_record(later, at_ms), *case.bodies[place:]]
    assert_changes_alike(Case(case.file, bodies, case.until), decoded_max)
