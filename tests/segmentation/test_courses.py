"""The way ahead of a score, looked at in few looks, against the same way taken from edge to edge."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.instants import LAST_INSTANT_MS
from streams.segmentation import Contact
from streams.segmentation.quantities import NEVER
from streams.segmentation.units import Unit
from tests.segmentation.timeline import MINUTE, Timeline, definitions

NOW = 100 * MINUTE
TURNS = 30
_points = st.sampled_from([-3, -2, -1, 1, 2, 3])
_bounds = st.sampled_from([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
_events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90), _points), min_size=6, max_size=30)


def _compare(scores: dict[str, Any], bound: float, events: list[tuple[int, int, float]]) -> None:
    """Follow the score from turn to turn: in few looks, and from edge to edge."""
    segments = {"bound": {"when": {"score": {"name": "s", "gte": bound}}}}
    story = Timeline(definitions(segments, scores={"s": scores}))
    story.track(0, "other", seen=NOW)
    for kind, minute, value in events:
        story.track(minute * MINUTE, f"e{kind}", seen=NOW, properties={"v": value})
    contact, [unit] = story.contact(), story.core.program.units
    at_ms = contact.as_of_ms
    for _ in range(TURNS):
        bits, quick_ms = unit.look_for(unit.mask, contact, at_ms)
        assert unit.look(contact, at_ms)[0] == bits
        slow_ms = _edge_by_edge(unit, contact, at_ms)
        if slow_ms > LAST_INSTANT_MS:
            assert quick_ms > LAST_INSTANT_MS
            break
        assert quick_ms == slow_ms
        at_ms = slow_ms


def _edge_by_edge(unit: Unit, contact: Contact, now_ms: int) -> int:
    bits, at_ms = unit.look(contact, now_ms)
    while at_ms <= LAST_INSTANT_MS:
        other, next_ms = unit.look(contact, at_ms)
        if other != bits:
            return at_ms
        at_ms = next_ms
    return NEVER


@settings(max_examples=200)
@given(bound=_bounds, events=_events, half_life=st.sampled_from([None, "11m", "3h"]))
def test_points_that_expire_turn_at_the_same_instant_however_it_is_looked_for(
    bound: float, events: list[tuple[int, int, float]], half_life: str | None
) -> None:
    rules = [
        {"event": f"e{kind}", "points": 1, "per": "v", "expires_after": f"{kind * 25 + 60}m"} for kind in range(1, 4)
    ]
    rules.append({"event": "e0", "points": 1, "per": "v"})
    _compare({"points": rules} | ({} if half_life is None else {"half_life": half_life}), bound, events)


@settings(max_examples=200)
@given(
    bound=_bounds,
    events=_events,
    weights=st.tuples(*[st.sampled_from([-5, -0.3, 2.25, 10])] * 3),
    scale=st.sampled_from(["linear", "log"]),
)
def test_a_mixed_score_turns_at_the_same_instant_however_it_is_looked_for(
    bound: float, events: list[tuple[int, int, float]], weights: tuple[float, float, float], scale: str
) -> None:
    parts = [
        {"weight": weights[0], "recency": {"event": "e1", "over": "150m"}},
        {"weight": weights[1], "frequency": {"event": "e2", "within": "110m", "full": 4.5}},
        {
            "weight": weights[2],
            "monetary": {"event": "e3", "property": "v", "within": "135m", "full": 60, "scale": scale},
        },
    ]
    _compare({"mix": parts}, bound, events)
