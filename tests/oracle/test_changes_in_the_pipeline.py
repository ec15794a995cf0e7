"""Definitions that change anywhere in a log: the pipeline tells what the brute force finds, however the log is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, note
from hypothesis import strategies as st

from schemas.transitions import decode_transition
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import Fence, RawRecord
from tests.engine.world import Contents, world_in_memory
from tests.oracle.drawn_changes import changing_cases
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case
from tests.oracle.driving import assert_identities, in_order_of_contacts, row_of_change, row_of_transition, run_oracle
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.test_metamorphic_pipeline import LOOSE, TIGHT, log_of, without_members
from tests.oracle.timeline import Oracle
from tests.oracle.writer import Taste

COUNTS = Taste(("performed", "not_performed"))
ANYTHING = Taste(tuple(LEAF_WRITERS), rich=True)
Members = dict[str, dict[str, int]]


def _folded(batches: Sequence[Sequence[RawRecord]], bounds: PipelineBounds) -> tuple[Contents, list[bytes]]:
    """State and output, where every batch is another owner's, who knows nothing but what is stored."""

    async def fold() -> tuple[Contents, list[bytes]]:
        async with world_in_memory() as world:
            world.bounds = bounds
            for generation, batch in enumerate(batches, start=1):
                await world.fold([batch], Fence(generation, f"member-{generation}"))
            return world.contents(), [message.value or b"" for message in world.published()]

    return asyncio.run(fold())


def _members(oracle: Oracle) -> Members:
    """Who is in which segment, and since when."""
    found: Members = {}
    for contact_id, contact in oracle.contacts.items():
        for name, member in contact.members.items():
            if member:
                found.setdefault(name, {})[contact_id] = contact.since[name]
    return found


def _assert_told(case: Case) -> None:
    oracle, _ = run_oracle(case.file, case.bodies, case.until)
    contents, published = _folded([log_of(case)], LOOSE)
    found = in_order_of_contacts([decode_transition(value) for value in published])
    assert [row_of_transition(each) for each in found] == [row_of_change(change) for change in oracle.changes]
    assert_identities(found, oracle.changes)
    assert contents["0"]["members"] == _members(oracle)


@fuzzed(0.04)
@given(changing_cases(COUNTS))
def test_the_pipeline_tells_of_changed_counts_what_the_brute_force_finds(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    _assert_told(case)


@fuzzed(0.04)
@given(changing_cases(ANYTHING, max_records=10))
def test_the_pipeline_tells_of_every_change_what_the_brute_force_finds(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    _assert_told(without_members(case))


@fuzzed(0.04)
@given(changing_cases(ANYTHING), st.sets(st.integers(1, 18)))
def test_a_log_with_changes_may_be_cut_into_batches_anywhere(case: Case, cuts: set[int]) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    records = log_of(without_members(case))
    edges = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    batches = [records[start:end] for start, end in pairwise(edges)]
    assert _folded(batches, TIGHT) == _folded([records], LOOSE)
