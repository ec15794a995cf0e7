"""More entries than are kept: sums, averages, ratios, expiring points, mixes and sequences past their bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from hypothesis import given, note
from hypothesis import strategies as st

from streams.segmentation import windows
from streams.segmentation.conditions import sequence
from tests.oracle import cells
from tests.oracle.drawn_conditions import EVENTS
from tests.oracle.drawn_files import files
from tests.oracle.drawn_records import Case, widths_of
from tests.oracle.driving import assert_same, reloaded
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.lines import START_MS, did
from tests.oracle.writer import Taste

CROWDED = Taste(("aggregate", "aggregate", "ratio", "sequence", "score"), max_segments=2, rich=True)
FEW = cells.Bound(entries=5, newest=2, cells=2, most_cells=3)


@contextmanager
def few_entries() -> Iterator[None]:
    """Both implementations keep as little as `FEW` says, so that small cases reach the bound."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(cells, "BOUND", FEW))
        stack.enter_context(patch.object(windows, "MAX_ENTRIES", FEW.entries))
        stack.enter_context(patch.object(sequence, "MAX_ENTRIES", FEW.entries))
        stack.enter_context(patch.object(windows, "_NEWEST", FEW.newest))
        stack.enter_context(patch.object(windows, "_CELLS", FEW.cells))
        stack.enter_context(patch.object(windows, "_MOST_CELLS", FEW.most_cells))
        yield


_PROPERTIES: tuple[dict[str, Any], ...] = (
    {"value": 10},
    {"value": 0.1, "items": [{"price": 5}, {"price": 0.5}]},
    {"value": -3.5, "nested": 2},
    {"value": "10", "label": "ab"},
    {"value": 20.1, "label": "a", "items": {"sku": "b", "price": 5}},
)
_MOVES = st.tuples(*[st.integers(0, 7)] * 3, st.integers(0, 14))


@st.composite
def crowds(draw: st.DrawFn) -> Case:
    """Many events of one contact, most of them in the windows of the file."""
    file = draw(files(CROWDED))
    widths = widths_of(file)
    clock, bodies = START_MS, []
    for move, shift, event, more in draw(st.lists(_MOVES, min_size=12, max_size=40)):
        width = widths[more % len(widths)]
        clock += (0, 1, 1, width // 32, width // 16, width // 8, width // 8, width // 3)[move]
        told = clock - (0, 0, 0, 0, 1, width // 16, width // 5, width - 1)[shift]
        bodies.append(
            did(
                EVENTS[(0, 0, 0, 0, 0, 1, 1, 2)[event]],
                told - START_MS,
                received=clock - START_MS,
                properties=_PROPERTIES[more % len(_PROPERTIES)],
            )
        )
    return Case(file, bodies, draw(st.sampled_from((None, clock, clock + widths[0], clock + 2 * widths[-1]))))


@fuzzed(0.1)
@given(crowds())
def test_windows_past_a_bound_that_small_cases_reach(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    with few_entries():
        assert_same(case.file, case.bodies, case.until, between=reloaded)
