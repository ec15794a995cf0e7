"""Random cases through the pipeline: how the log is cut, cached and loaded anew shows nowhere, whatever it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from schemas.transitions import decode_transition
from streams.pipeline.pipeline import PipelineBounds
from streams.ports import Fence, RawRecord
from tests.engine.stories import definitions_value
from tests.engine.world import world_in_memory
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case, cases
from tests.oracle.driving import Driven, row_of_transition
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.history import clock_of
from tests.oracle.writer import Taste

ANYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)
LOOSE = PipelineBounds(dead_letter_ratio_max=1)
TIGHT = replace(LOOSE, timers_per_commit_max=2, transitions_per_commit_max=1, contacts_cached_max=1)
Folded = tuple[dict[str, Any], list[bytes | None]]


def without_members(case: Case) -> Case:
    """In a log nobody is on a list before a record says so."""
    lists: dict[str, list[str]] = {name: [] for name in case.file.get("lists", {})}
    return Case(case.file | ({"lists": lists} if lists else {}), case.bodies, case.until)


def log_of(case: Case) -> list[RawRecord]:
    records = [RawRecord(0, 0, None, definitions_value(case.file))]
    for offset, body in enumerate(case.bodies, start=1):
        key = body["contact_id"].encode() if "contact_id" in body else None
        records.append(RawRecord(offset, clock_of(body), key, json.dumps(body).encode()))
    if case.until is not None:
        records.append(RawRecord(len(records), case.until, None, b'{"type":"tick"}'))
    return records


def _folded(batches: Sequence[Sequence[RawRecord]], bounds: PipelineBounds, *, anew: bool) -> Folded:
    """State and output; `anew`: every batch is another owner's, who knows nothing but what is stored."""

    async def fold() -> Folded:
        async with world_in_memory() as world:
            world.bounds = bounds
            for generation, pieces in enumerate([[batch] for batch in batches] if anew else [batches], start=1):
                await world.fold(pieces, Fence(generation, f"member-{generation}"))
            return world.contents(), [message.value for message in world.published()]

    return asyncio.run(fold())


@fuzzed(0.05)
@given(cases(ANYTHING), st.sets(st.integers(1, 15)), st.sampled_from((LOOSE, TIGHT)), st.booleans())
def test_a_log_may_be_cut_into_batches_anywhere(case: Case, cuts: set[int], bounds: PipelineBounds, anew: bool) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    records = log_of(without_members(case))
    edges = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    batches = [records[start:end] for start, end in pairwise(edges)]
    assert _folded(batches, bounds, anew=anew) == _folded([records], LOOSE, anew=False)


@fuzzed(0.05)
@given(cases(ANYTHING))
def test_the_pipeline_publishes_what_the_core_finds(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    case = without_members(case)
    driven = Driven(case.file)
    for offset, body in enumerate(case.bodies, start=1):
        driven.take(body, offset)
    driven.move_on(case.until or 0, len(case.bodies) + 1)
    _, published = _folded([log_of(case)], LOOSE, anew=False)
    found = [row_of_transition(decode_transition(value or b"")) for value in published]
    assert found == [row_of_transition(transition) for transition in driven.transitions]
