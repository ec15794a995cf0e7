"""Changes to a run that must change nothing: another order, another split, a state stored and read, more ticks."""

from __future__ import annotations

import copy
import random
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from streams.segmentation import Core, Fold, compile_definitions
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case, cases, text_of
from tests.oracle.driving import Body, Driven, Row, in_order_of_contacts, reloaded, row_of_transition, run_core
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.history import clock_of
from tests.oracle.writer import Taste

ANYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)


def _rows(driven: Driven, *without: str) -> list[Row]:
    """All transitions in order of contacts, whole but for the fields named."""
    rows = []
    for transition in sorted(driven.transitions, key=lambda each: each.contact_id):
        row = row_of_transition(transition)
        row |= {"transition_id": transition.transition_id, "definition": transition.definition}
        row["cause"] = {key: value for key, value in row["cause"].items() if key not in without}
        rows.append({key: value for key, value in row.items() if key not in without})
    return rows


def _stored(driven: Driven) -> dict[str, bytes | None]:
    """What would be stored of every contact of which anything is left."""
    encoded = {key: driven.core.encode(contact) for key, contact in driven.fold.contacts.items()}
    return {key: raw for key, raw in encoded.items() if raw is not None}


def _clocks(bodies: list[Body]) -> list[int]:
    clocks: list[int] = []
    for body in bodies:
        clocks.append(max(clocks[-1] if clocks else 0, clock_of(body)))
    return clocks


@fuzzed(0.05)
@given(cases(ANYTHING), st.randoms(use_true_random=False))
def test_records_of_one_clock_and_different_contacts_may_change_places(case: Case, order: random.Random) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    clocks = _clocks(case.bodies)
    # Each record's own time is made its clock, so that none of them moves the clock another way in another place.
    stamped = [{**body, "received_at": text_of(clock)} for body, clock in zip(case.bodies, clocks, strict=True)]
    moved = []
    for _, group in groupby(stamped, key=clock_of):
        together = list(group)
        contacts = [body.get("contact_id", "") for body in together]
        own = {contact: [body for body in together if body.get("contact_id", "") == contact] for contact in contacts}
        order.shuffle(contacts)
        moved += [own[contact].pop(0) for contact in contacts]
    before, _ = run_core(case.file, stamped, case.until)
    after, _ = run_core(case.file, moved, case.until)
    assert _rows(after, "position") == _rows(before, "position")
    assert _stored(after) == _stored(before)


@fuzzed(0.05)
@given(cases(ANYTHING), st.sets(st.integers(1, 14)))
def test_a_state_that_is_stored_and_read_anywhere_goes_on_alike(case: Case, splits: set[int]) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    taken = iter(range(1, len(case.bodies) + 1))

    def at_splits(core: Core, fold: Fold) -> Fold:
        return reloaded(core, fold) if next(taken) in splits else fold

    before, _ = run_core(case.file, case.bodies, case.until)
    after, _ = run_core(case.file, case.bodies, case.until, between=at_splits)
    assert _rows(after) == _rows(before)
    assert _stored(after) == _stored(before)


class _Piecewise(Driven):
    """Fires timers in small pieces, each bounded in number and instant, as commits are bounded."""

    limit = 1

    def move_on(self, clock: int, offset: int) -> None:
        self.clock = max(self.clock, clock)
        while (due := self.fold.next_timer()) is not None and due[0] <= self.clock:
            self.fold.fire(self.clock, offset, until=due, limit=self.limit)
        super().move_on(clock, offset)


@fuzzed(0.05)
@given(cases(ANYTHING), st.integers(1, 3))
def test_timers_that_are_fired_in_pieces_are_the_same_timers(case: Case, limit: int) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    whole, pieces = Driven(case.file), _Piecewise(case.file)
    pieces.limit = limit
    for offset, body in enumerate(case.bodies, start=1):
        whole.take(body, offset)
        pieces.take(body, offset)
    for driven in (whole, pieces):
        driven.move_on(case.until or 0, len(case.bodies) + 1)
    assert pieces.transitions == whole.transitions
    assert _stored(pieces) == _stored(whole)


@fuzzed(0.05)
@given(cases(ANYTHING), st.lists(st.floats(0, 1), max_size=4))
def test_ticks_on_the_way_change_only_when_and_by_what_a_step_is_noticed(case: Case, ways: list[float]) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    clocks, ticked = _clocks(case.bodies), []
    for index, body in enumerate(case.bodies):
        if index:
            width = clocks[index] - clocks[index - 1]
            between = sorted(clocks[index - 1] + int(width * way) for way in ways)
            ticked += [{"type": "tick", "received_at": text_of(instant)} for instant in between]
        ticked.append(body)
    before, _ = run_core(case.file, case.bodies, case.until)
    after, _ = run_core(case.file, ticked, case.until)
    assert _rows(after, "position", "detected_at") == _rows(before, "position", "detected_at")
    assert _stored(after) == _stored(before)


@fuzzed(0.05)
@given(cases(ANYTHING))
def test_contacts_know_nothing_of_one_another(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    together, _ = run_core(case.file, case.bodies, case.until)
    apart: list[Any] = []
    for contact in sorted({body["contact_id"] for body in case.bodies if "contact_id" in body}):
        others_as_ticks = [
            body
            if body.get("contact_id") == contact
            else {"type": "tick", "received_at": body.get("received_at") or body["occurred_at"]}
            for body in case.bodies
        ]
        alone, _ = run_core(case.file, others_as_ticks, case.until)
        apart += _rows(alone)
    assert apart == _rows(together)


def test_transitions_of_timers_are_put_in_order_of_contacts_and_of_no_more() -> None:
    ever = {"performed": {"event": "page_view", "within": "1s"}}
    file = {"version": 1, "segments": {"zulu": {"when": ever}, "alpha": {"when": {"not": ever}}}}
    bodies = [
        {"type": "track", "event": "page_view", "event_id": "e", "contact_id": contact, "occurred_at": text_of(0)}
        for contact in ("b", "a")
    ]
    driven, _ = run_core(file, bodies, until=1000)
    found = [(each.contact_id, each.segment) for each in in_order_of_contacts(driven.transitions)]
    assert found[:2] == [("b", "zulu"), ("a", "zulu")]
    assert found[2:] == [("a", "zulu"), ("a", "alpha"), ("b", "zulu"), ("b", "alpha")]


# Hashes of definitions

FILE: dict[str, Any] = {
    "version": 1,
    "scores": {
        "s": {"half_life": "1d", "points": [{"event": "purchase", "points": 5}], "tiers": {"low": 1}},
        "unused": {"points": [{"event": "purchase", "points": 5}]},
    },
    "segments": {
        "whole": {"when": {"any": [{"in_segment": "part"}, {"trait": {"name": "plan", "eq": "pro"}}]}},
        "part": {"when": {"score": {"name": "s", "gte": 5}}, "exit_when": {"score": {"name": "s", "lt": 2}}},
        "other": {"when": {"performed": {"event": "purchase", "within": "1h"}}},
    },
}


def _hashes(file: dict[str, Any]) -> dict[str, str]:
    return {segment.name: segment.definition for segment in compile_definitions(file).segments}


def _changed(path: list[Any], value: Any) -> dict[str, Any]:
    file = copy.deepcopy(FILE)
    inner: Any = file
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return file


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        (["segments", "whole", "tags"], ["a"], set()),
        (["segments", "part", "description"], "Words.", set()),
        (["segments", "part", "meta"], {"owner": "crm"}, set()),
        (["scores", "unused", "points", 0, "points"], 6, set()),
        (["scores", "s", "points", 0, "points"], 6, {"whole", "part"}),
        (["scores", "s", "half_life"], "2d", {"whole", "part"}),
        (["segments", "part", "exit_when"], {"score": {"name": "s", "lt": 3}}, {"whole", "part"}),
        (["segments", "whole", "when", "any", 1, "trait", "eq"], "max", {"whole"}),
        (["segments", "other", "when", "performed", "within"], "2h", {"other"}),
    ],
)
def test_the_hash_of_a_segment_covers_all_that_it_refers_to_and_no_labels(
    path: list[Any], value: Any, changed: set[str]
) -> None:
    before, after = _hashes(FILE), _hashes(_changed(path, value))
    assert {name for name in before if before[name] != after[name]} == changed
