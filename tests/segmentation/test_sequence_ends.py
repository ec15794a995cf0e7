"""The newest end of a sequence, found in jumps, against a look at every end there is."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tests.segmentation.timeline import MINUTE, Timeline, segment

STEPS = ("a", "b", "c")
_minutes = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 25)), max_size=14)


def _newest_end(within: int, events: list[tuple[str, int]]) -> int | None:
    """The newest c after some b after some a, close enough: every combination is tried."""
    times = [[minute for step, minute in events if step == name] for name in STEPS]
    return max((c for a, b, c in product(*times) if a < b < c and c - a <= within), default=None)


@given(within=st.integers(1, 12), events=_minutes)
def test_the_newest_end_decides_until_when_it_happened_lately(within: int, events: list[tuple[str, int]]) -> None:
    sequence = {"steps": [{"event": name} for name in STEPS], "within": f"{within}m", "in_last": "1h"}
    story = Timeline(segment({"sequence": sequence}))
    for name, minute in events:
        story.track(minute * MINUTE, name, seen=30 * MINUTE)
    story.until(200 * MINUTE)
    end = _newest_end(within, events)
    moves = story.moves()
    assert bool(moves) == (end is not None)
    if end is not None:
        assert moves[-1] == ("out", (end + 60) * MINUTE)
