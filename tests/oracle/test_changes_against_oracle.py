"""Definitions that change anywhere among random records: the simulator and the brute force agree, field by field."""

from __future__ import annotations

import json

from hypothesis import given, note
from hypothesis import strategies as st

from streams.explaining.line_replay import replay_lines
from streams.segmentation import compile_definitions
from tests.oracle.changing import assert_changes_alike, brute, standing, stood
from tests.oracle.drawn_changes import changing_cases
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_files import CONTACTS
from tests.oracle.drawn_records import Case
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.writer import Taste

COUNTS = Taste(("performed", "not_performed"))
SCORES = Taste(("score", "score", "tier", "performed"))
CHAINED = Taste(("score", "score", "tier"), max_segments=2, rich=True, chained=True)
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


@fuzzed(0.05)
@given(changing_cases(CHAINED, max_records=6))
def test_scores_that_follow_scores_and_are_changed(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_changes_alike(case)


@fuzzed(0.1)
@given(changing_cases(EVERYTHING, max_records=10), st.sampled_from((1, 100)))
def test_everything_that_is_changed_with_all_contacts_at_hand_or_one(case: Case, contacts_decoded_max: int) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_changes_alike(case, contacts_decoded_max)


@fuzzed(0.03)
@given(changing_cases(COUNTS))
def test_an_explanation_has_each_contact_where_it_stands_and_since_when(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    oracle, definitions = brute(case), compile_definitions(case.file)
    lines = [json.dumps(body).encode() for body in case.bodies]
    for contact_id in CONTACTS:
        replay = replay_lines(definitions, lines, contact_id, oracle.clock, history=lambda count: lines[:count])
        known = oracle.contacts.get(contact_id)
        assert (replay.contact is None) == (known is None)
        if replay.contact is not None and known is not None:
            assert standing(replay.core, replay.contact) == stood(oracle)[contact_id]
            for told in replay.explainer().segments():
                sequence = known.sequences.get(told.segment, 0)
                assert (told.sequence, told.member) == (sequence, bool(sequence % 2))
                assert told.since is None or sequence == 0 or told.since.at_ms == known.since[told.segment]
