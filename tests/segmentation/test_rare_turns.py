"""Turns of the core that seldom come: what only changed code had shown to be unwatched."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from streams.segmentation import fold
from streams.segmentation.contact import AppliedIds
from streams.segmentation.expressions import Leaf, walk
from streams.segmentation.forecast import turns_ahead
from tests.segmentation.timeline import HOUR, MINUTE, START, Timeline, definitions, segment

FIRST, SECOND = bytes(15) + b"a", bytes(15) + b"b"


def test_the_clock_at_which_an_id_was_applied_is_its_last() -> None:
    ids = AppliedIds()
    for digest, now_ms in ((FIRST, 5), (SECOND, 6), (FIRST, 1 << 40)):
        ids.add(digest, now_ms, 1 << 41)
    assert [ids.applied_ms(digest) for digest in (FIRST, SECOND, bytes(16))] == [1 << 40, 6, None]
    alone = AppliedIds()
    alone.add(FIRST, 7, 9)
    assert alone.applied_ms(FIRST) == 7
    # The end of one entry and the beginning of the next are no entry.
    assert ids.applied_ms(bytes(ids.entries[3:19])) is None


@pytest.mark.parametrize("number", [-(1 << 63) - 1, -(1 << 63), -1, (1 << 64) - 1, 1 << 64, 127, 128, 1 << 71])
def test_numbers_at_the_ends_of_the_stored_form_come_back(number: int) -> None:
    story = Timeline(segment({"trait": {"name": "n", "eq": number}}))
    story.record(0, "identify", traits={"n": number})
    story.store_and_load()
    assert story.contact().facts["trait:n"][1] == number
    assert story.moves() == [("in", 0)]


def test_timers_that_contacts_moved_away_from_are_dropped_and_no_others() -> None:
    with patch.object(fold, "_SLACK", 3):
        story = Timeline(segment({"performed": {"event": "page_view", "within": "1h"}}))
        story.track(0, "page_view", contact="c2")
        for at in range(0, 40 * MINUTE, MINUTE):
            story.track(at, "page_view")
            assert len(story.simulator.folds[0]._timers) <= 4 * 2 + 3
        story.until(3 * HOUR)
    assert story.moves() == [("in", 0), ("out", 39 * MINUTE + HOUR)]
    assert story.moves(contact="c2") == [("in", 0), ("out", HOUR)]


def test_timers_may_be_cleared_out_while_they_fire_and_all_that_are_due_fire() -> None:
    with patch.object(fold, "_SLACK", -5):
        story = Timeline(
            definitions(
                {f"s{n}": {"when": {"performed": {"event": "page_view", "within": f"{n}h"}}} for n in (1, 2, 3)}
            )
        )
        story.track(0, "page_view")
        story.until(4 * HOUR)
    assert [(move.segment, move.effective_at - START) for move in story.transitions[3:]] == [
        ("s1", HOUR), ("s2", 2 * HOUR), ("s3", 3 * HOUR)
    ]  # fmt: skip


@pytest.mark.parametrize(("flips", "seen"), [(99, True), (100, False)])
def test_an_explanation_looks_ahead_past_as_many_flips_as_a_transition(flips: int, *, seen: bool) -> None:
    # Ten views, seen through ten windows, leave one after the other: each of these leaves flips once, by itself.
    noise = [
        {"performed": {"event": "page_view", "within": f"{60 + window}s", "at_least": least}}
        for window in range(10)
        for least in range(1, 11)
    ][:flips]
    bought = {"performed": {"event": "purchase", "within": "2h"}}
    story = Timeline(segment({"any": [{"performed": {"event": "purchase"}}, bought, *noise]}))
    for at in range(10):
        story.track(at, "page_view")
    story.track(500, "purchase")
    compiled = story.core.program.segments[0]
    leaves = [node for node in walk(story.core.definitions.segments[0].when) if isinstance(node, Leaf)]
    bit = story.core.program.bit_of(next(leaf for leaf in leaves if leaf.written == bought))
    assert turns_ahead(story.contact(), compiled, [lambda bits: bits & bit != 0]) == [
        START + 500 + 2 * HOUR if seen else None
    ]
