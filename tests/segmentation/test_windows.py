"""What a window keeps of very many events: 1,000 entries, then cells of a 256th of the window."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.segmentation import compile_definitions
from streams.segmentation.windows import Cells, Entry
from tests.segmentation.timeline import DAY, HOUR, SECOND, START, Timeline, segment

Row = tuple[int, int, int]
"""Of an entry: the time of its latest event, how many events it stands for, and the sum of their values."""
HOUR_WIDTH = 14_063
"""A 256th of an hour in ms, rounded up."""


def added(times: list[int], window_ms: int) -> tuple[list[Row], int]:
    """The entries of events of value 1, one after the other, and how many were merged away."""
    cells, entries = Cells(window_ms), list[Entry]()
    for at_ms in times:
        cells.add(entries, Entry(at_ms, 1, 1))
    return [(entry.at_ms, entry.count, entry.total) for entry in entries], cells.merged


def remembered(times: list[int], width_ms: int) -> list[Row]:
    """The same by force: at every event beyond 1,000 entries, all but the newest 500 are put into their cells."""
    rows: list[Row] = []
    for at_ms in times:
        rows = sorted([*rows, (at_ms, 1, 1)], key=lambda row: row[0])
        if len(rows) > 1000:
            older, newest = rows[: len(rows) - 500], rows[len(rows) - 500 :]
            numbers = sorted({row[0] // width_ms for row in older})
            groups = [[row for row in older if row[0] // width_ms == number] for number in numbers]
            rows = [
                (max(row[0] for row in group), sum(row[1] for row in group), sum(row[2] for row in group))
                for group in groups
            ] + newest
    return rows


@pytest.mark.parametrize(("events", "left", "merged"), [(999, 999, 0), (1000, 1000, 0), (1001, 501, 500)])
def test_the_thousand_and_first_entry_is_the_one_that_merges_older_ones(events: int, left: int, merged: int) -> None:
    rows, gone = added([HOUR_WIDTH + number for number in range(events)], HOUR)
    assert (len(rows), gone) == (left, merged)
    assert sum(count for _, count, _ in rows) == events
    if merged:
        # The older 501 lie in one cell, which is timed at its latest event; the newest 500 stay as they are.
        assert rows[0] == (HOUR_WIDTH + 500, 501, 501)
        assert rows[1:] == [(HOUR_WIDTH + number, 1, 1) for number in range(501, 1001)]


def test_a_cell_begins_at_a_multiple_of_its_width_and_ends_just_before_the_next() -> None:
    edge = 7 * HOUR_WIDTH
    older = [edge - 1, edge, edge + HOUR_WIDTH - 1, edge + HOUR_WIDTH]
    newest = [DAY + number for number in range(997)]
    rows, _ = added([*older, *newest], HOUR)
    assert rows[:3] == [(edge - 1, 1, 1), (edge + HOUR_WIDTH - 1, 2, 2), (edge + HOUR_WIDTH, 1, 1)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3 * HOUR), min_size=950, max_size=2500), st.sampled_from([SECOND, HOUR, 3 * HOUR]))
def test_entries_are_those_of_the_plain_rule_whatever_the_order_of_arrival(times: list[int], window_ms: int) -> None:
    inside = [at_ms for at_ms in times if at_ms <= window_ms]
    rows, merged = added(inside, window_ms)
    assert rows == remembered(inside, -(-window_ms // 256))
    assert merged == len(inside) - len(rows)


def test_what_reaches_back_far_beyond_its_window_is_bounded_by_wider_cells() -> None:
    rows, _ = added([number * HOUR for number in range(5000)], SECOND)
    assert len(rows) <= 1000
    assert sum(count for _, count, _ in rows) == 5000
    assert rows[-500:] == [(number * HOUR, 1, 1) for number in range(4500, 5000)]


# --- conditions and scores over merged entries

TOTAL = 1_001
"""Events a second apart; the first 501 of them lie in cells."""
TIMES = [START + number * SECOND for number in range(TOTAL)]
VALUES = [number % 7 for number in range(TOTAL)]


def rows_of(values: list[int]) -> list[Row]:
    older = list(zip(TIMES, values, strict=True))[: TOTAL - 500]
    numbers = sorted({at_ms // HOUR_WIDTH for at_ms, _ in older})
    groups = [[pair for pair in older if pair[0] // HOUR_WIDTH == number] for number in numbers]
    cells = [(group[-1][0], len(group), sum(value for _, value in group)) for group in groups]
    return cells + [(at_ms, 1, value) for at_ms, value in zip(TIMES[-500:], values[-500:], strict=True)]


def within_hour(now_ms: int, rows: list[Row], ago_ms: int = 0) -> tuple[int, int]:
    inside = [row for row in rows if now_ms - ago_ms - HOUR < row[0] <= now_ms - ago_ms]
    return sum(row[1] for row in inside), sum(row[2] for row in inside)


ROWS, PLAIN_ROWS = rows_of(VALUES), rows_of([1] * TOTAL)
COUNTED = {"event": "purchase", "within": "1h"}
AMOUNT = {**COUNTED, "property": "amount"}
SCORES: dict[str, Any] = {
    "fresh": {"expires_after": "1h", "points": [{"event": "purchase", "points": 1, "per": "amount"}]},
    "worth": {"mix": [{"weight": 100, "monetary": {**AMOUNT, "full": 4000}}]},
    "often": {"mix": [{"weight": 100, "frequency": {**COUNTED, "full": 2000}}]},
}


def average(now_ms: int) -> float:
    count, total = within_hour(now_ms, ROWS)
    return total / count if count else 0


def ratio(now_ms: int) -> float:
    above, below = within_hour(now_ms, PLAIN_ROWS, HOUR)[0], within_hour(now_ms, PLAIN_ROWS)[0]
    return above / below if below else 0


OVER_MERGED: dict[str, tuple[dict[str, Any], Callable[[int], bool]]] = {
    "sum": (
        {"aggregate": {**AMOUNT, "function": "sum", "gte": 2000}},
        lambda now: within_hour(now, ROWS)[1] >= 2000,
    ),
    "avg": ({"aggregate": {**AMOUNT, "function": "avg", "gt": 3.001}}, lambda now: average(now) > 3.001),
    "ratio": ({"ratio": {"of": {**COUNTED, "ago": "1h"}, "to": COUNTED, "gte": 0.5}}, lambda now: ratio(now) >= 0.5),
    "expires_after": (
        {"score": {"name": "fresh", "gte": 1234}},
        lambda now: within_hour(now, ROWS)[1] >= 1234,
    ),
    "monetary": ({"score": {"name": "worth", "gte": 50}}, lambda now: within_hour(now, ROWS)[1] >= 2000),
    "frequency": ({"score": {"name": "often", "gte": 40}}, lambda now: within_hour(now, PLAIN_ROWS)[0] >= 800),
}


@pytest.mark.parametrize("stored", [False, True], ids=["kept", "stored"])
@pytest.mark.parametrize("name", OVER_MERGED)
def test_memberships_over_merged_entries_flip_when_a_cell_leaves_whole(name: str, stored: bool) -> None:
    when, holds = OVER_MERGED[name]
    story = Timeline(segment(when, scores=SCORES))
    for at_ms, value in zip(TIMES, VALUES, strict=True):
        story.track(at_ms - START, "purchase", properties={"amount": value})
    if stored:
        story.store_and_load()
    before = len(story.moves())
    story.until(4 * HOUR)
    edges = sorted({at_ms + delay for at_ms, _, _ in PLAIN_ROWS for delay in (HOUR, 2 * HOUR)})
    states = [(TIMES[-1], holds(TIMES[-1])), *((edge, holds(edge)) for edge in edges if edge > TIMES[-1])]
    flips = [after for earlier, after in pairwise(states) if earlier[1] != after[1]]
    assert flips, "the case decides nothing"
    assert story.moves()[before:] == [("in" if now else "out", at_ms - START) for at_ms, now in flips]


def test_the_core_counts_what_it_merged() -> None:
    story = Timeline(segment({"aggregate": {**AMOUNT, "function": "sum", "gte": 1}}))
    for number in range(TOTAL):
        story.track(number * SECOND, "purchase", properties={"amount": 1})
        assert (story.core.entries_merged > 0) == (number == 1000)
    assert story.core.entries_merged == TOTAL - len(PLAIN_ROWS)


def test_a_frequency_keeps_no_more_events_than_are_worth_1() -> None:
    often = {"often": {"mix": [{"weight": 100, "frequency": {"event": "purchase", "within": "1h", "full": 2.5}}]}}
    story = Timeline(segment({"score": {"name": "often", "gte": 80}}, scores=often))
    for number in range(10):
        story.track(number * SECOND, "purchase")
    assert [len(part) for part in story.contact().slots[0]] == [3]
    story.until(DAY)
    # Two of them are worth 2 / 2.5, which is the bound; one is not.
    assert story.moves() == [("in", SECOND), ("out", HOUR + 8 * SECOND)]


def test_a_thousand_times_are_the_most_that_a_count_may_ask_for() -> None:
    story = Timeline(segment({"performed": {"event": "purchase", "within": "1h", "at_least": 1000}}))
    for number in range(1500):
        story.track(number, "purchase")
    story.until(DAY)
    assert story.moves() == [("in", 999), ("out", 500 + HOUR)]
    assert not compile_definitions(segment({"performed": {"event": "x", "at_least": 1000}})).warnings
