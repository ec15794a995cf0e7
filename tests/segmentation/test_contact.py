"""What a contact remembers of the ids that were applied to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.transitions import decode_transition, encode_transition
from streams.segmentation.contact import MAX_IDS, AppliedIds
from tests.segmentation.timeline import HOUR, Timeline, segment

# Few and repetitive bytes, so that ids and clocks also match across the borders of entries.
DIGESTS = st.sampled_from([bytes([a]) * 15 + bytes([b]) for a in (0, 1) for b in (0, 1, 2)])


@given(st.lists(st.tuples(DIGESTS, st.integers(0, 400)), max_size=30), st.integers(0, 1500))
def test_an_id_is_held_for_its_horizon_and_no_longer(steps: list[tuple[bytes, int]], horizon: int) -> None:
    ids, known = AppliedIds(), dict[bytes, int]()
    now = 0
    for digest, passed in steps:
        now += passed
        held = digest in known and now - known[digest] <= horizon
        assert ids.holds(digest, now, horizon) == held
        if not held:
            ids.add(digest, now, horizon)
            known[digest] = now


def test_past_ten_thousand_ids_the_earliest_applied_goes() -> None:
    ids = AppliedIds()
    for number in range(MAX_IDS + 1):
        ids.add(number.to_bytes(16, "big"), 5, 1000)
    assert not ids.holds((0).to_bytes(16, "big"), 5, 1000)
    assert ids.holds((1).to_bytes(16, "big"), 5, 1000)
    assert ids.holds(MAX_IDS.to_bytes(16, "big"), 5, 1000)


def test_numbers_of_any_length_are_stored_as_they_were_sent() -> None:
    long = {"n": 10**30, "m": [-(10**400), {"k": 1 << 64}], "f": 0.5, "s": "x", "t": True}
    story = Timeline(segment({"trait": {"name": "long.m.k", "gt": (1 << 64) - 1}}))
    story.record(0, "identify", traits={"long": long})
    story.store_and_load()
    assert story.contact().facts["trait:long"][1] == long
    story.record(1, "identify", traits={"long": {"m": {"k": 5}}})
    assert story.moves() == [("in", 0), ("out", 1)]


def test_different_values_are_told_apart_and_stored_whatever_their_length() -> None:
    values = [1 << 70, float(1 << 70), (1 << 70) + 1, 10**400, str(10**400), 2**63, -(2**63), "x" * 10_000]
    story = Timeline(segment({"aggregate": {"event": "x", "property": "a", "function": "distinct", "gte": 7}}))
    for at, value in enumerate([*values, *values]):
        story.track(at, "x", properties={"a": value})
        story.store_and_load()
    # The first two are one number. The seventh different one is the last but one to come.
    assert story.moves() == [("in", 7)]
    assert len(story.contact().slots[0][0]) == 7


def test_transitions_are_what_the_model_says_though_nobody_checks_them() -> None:
    story = Timeline(segment({"performed": {"event": "email_open", "within": "1h"}}))
    story.track(0, "email_open")
    story.track(1, "email_open", "c2", backfill=True)
    story.until(2 * HOUR)
    story.record(3 * HOUR, "erase", "c2")
    assert len(story.transitions) == 4
    for transition in story.transitions:
        assert decode_transition(encode_transition(transition)) == transition
