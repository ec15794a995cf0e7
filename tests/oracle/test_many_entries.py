"""More entries than are kept: sums, averages, ratios, expiring points, mixes and sequences past their bound."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from streams.segmentation import windows
from streams.segmentation.conditions import sequence
from tests.oracle import cells
from tests.oracle.conditions import total, values_of, with_numbers
from tests.oracle.drawn_conditions import EVENTS
from tests.oracle.drawn_files import files
from tests.oracle.drawn_records import Case, widths_of
from tests.oracle.driving import Body, assert_same, reloaded, run_core
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.history import Applied, History, clock_of
from tests.oracle.language import File
from tests.oracle.lines import MINUTE, START_MS, did, segments
from tests.oracle.notation import instant_ms
from tests.oracle.timeline import Contact, Oracle
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


# The bound itself

WINDOW_MS = 100 * MINUTE
CROWD = 1_150
WINDOWED: dict[str, Any] = {
    "sum": {"aggregate": {"event": "a", "property": "v", "function": "sum", "within": "100m", "gte": 300}},
    "avg": {"aggregate": {"event": "a", "property": "v", "function": "avg", "within": "100m", "gte": 0.2}},
    "ratio": {"ratio": {"of": {"event": "a", "within": "50m"}, "to": {"event": "a", "within": "100m"}, "lte": 0.3}},
    "ago": {"ratio": {"of": {"event": "a", "within": "50m", "ago": "50m"}, "to": {"event": "b"}, "gte": 500}},
    "expiring": {"score": {"name": "expiring", "gte": 700}},
    "mixed": {"score": {"name": "mixed", "gte": 0.6}},
}
SCORES: dict[str, Any] = {
    "expiring": {"expires_after": "100m", "points": [{"event": "a", "points": 1}]},
    "mixed": {"mix": [{"weight": 1, "frequency": {"event": "a", "within": "100m", "full": 1000}}]},
}


def crowd(number: int, from_seed: int) -> list[Body]:
    """So many events of a contact within one window, many at one instant and some late, after one of another kind."""
    chance = random.Random(from_seed)
    clock, bodies = 0, [did("b", 0)]
    for _ in range(number):
        clock += chance.choice((0, 0, 1, 3_000, 9_000))
        told = clock - chance.choice((0, 0, 0, 0, chance.randrange(WINDOW_MS // 2)))
        bodies.append(did("a", told, received=clock, properties={"v": chance.choice((1, 1, 1, 0, -0.5))}))
    return bodies


class Crowded(Oracle):
    """Takes records without a step, for what is asked in the end alone."""

    def take(self, body: Body, offset: int) -> str:
        self.clock = clock_of(body)
        contact = self.contacts.setdefault("c1", Contact(History("c1"), self.clock, {"found": False}))
        contact.history.add(Applied(body, self.clock, instant_ms(body["occurred_at"])))
        contact.now = self.clock
        contact.members = self._members(self._view(contact), ["found"]) if offset == CROWD else contact.members
        return "applied"


@pytest.mark.parametrize("name", WINDOWED)
def test_past_a_thousand_entries_a_window_counts_in_cells(name: str) -> None:
    file: File = {**segments(found=WINDOWED[name]), "scores": SCORES}
    bodies, until = crowd(CROWD, 7), START_MS + 300 * MINUTE
    oracle = Crowded(file)
    for offset, body in enumerate(bodies):
        oracle.take(body, offset)
    held = oracle.contacts["c1"].members["found"]
    oracle.move_on(until, CROWD + 1)
    driven, _ = run_core(file, bodies)
    assert bool(len(driven.transitions) % 2) == held
    before = len(driven.transitions)
    driven.move_on(until, CROWD + 1)
    found = [(each.effective_at, each.valid_until, each.scores) for each in driven.transitions[before:]]
    assert found == [(change.effective_at, change.valid_until, change.scores) for change in oracle.changes]
    assert found, "something leaves the window in the end"


@pytest.mark.parametrize("since", [20 * MINUTE, 41 * MINUTE + 77])
def test_past_a_thousand_entries_a_start_amid_a_cell_counts_all_of_it(since: int) -> None:
    bodies = crowd(CROWD, 8)
    bodies.append(did("b", since, received=clock_of(bodies[-1]) - START_MS))
    counted = {"event": "a", "property": "v", "function": "sum", "since": {"event": "b"}}
    oracle = Crowded(segments(found={"aggregate": {**counted, "gte": 0}}))
    for offset, body in enumerate(bodies):
        oracle.take(body, offset)
    view = oracle._view(oracle.contacts["c1"])
    amount = float(total(values_of(counted, view, with_numbers(counted, view))))
    file = segments(all={"aggregate": {**counted, "gte": amount}}, more={"aggregate": {**counted, "gt": amount}})
    driven, _ = run_core(file, bodies)
    inside = {name: sum(each.segment == name for each in driven.transitions) % 2 for name in ("all", "more")}
    assert inside == {"all": 1, "more": 0}


def test_up_to_a_thousand_entries_every_event_counts_to_the_millisecond() -> None:
    def leaves(events: int) -> int | None:
        bodies = [did("a", at, properties={"v": 1}) for at in range(events)]
        condition = {"aggregate": {"event": "a", "property": "v", "function": "sum", "within": "100m", "gte": events}}
        driven, _ = run_core(segments(all=condition), bodies)
        valid_until = driven.transitions[-1].valid_until
        return None if valid_until is None else valid_until - START_MS

    assert leaves(1000) == WINDOW_MS
    # One more, and the oldest 501 lie in one cell, which leaves with its latest event.
    assert leaves(1001) == WINDOW_MS + 500


def test_a_sequence_remembers_a_thousand_events_of_a_step() -> None:
    steps = {"steps": [{"event": "a"}, {"event": "b"}], "within": "1h", "in_last": "1h"}
    file = segments(both={"sequence": steps})
    # The first a alone lies early enough for the late b; a thousand others push it out.
    for others, found in ((999, True), (1000, False)):
        bodies = [did("a", 0), *(did("a", 5) for _ in range(others)), did("b", 3, received=5)]
        driven, _ = run_core(file, bodies)
        assert bool(driven.transitions) == found
