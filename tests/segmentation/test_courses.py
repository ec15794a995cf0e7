"""The way ahead of a score, looked at in few looks, against the same way taken from edge to edge."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.instants import LAST_INSTANT_MS
from streams.segmentation import Contact
from streams.segmentation.quantities import NEVER
from streams.segmentation.units import Unit
from tests.segmentation.timeline import MINUTE, Timeline, definitions

NOW = 100 * MINUTE
_points = st.sampled_from([-7, -2.5, -1, 1, 2, 3.5, 40])
_bounds = st.sampled_from([-20, -3, -0.5, 0.5, 1, 2, 7.5, 30])
_events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90), _points), max_size=25)


def _ways(scores: dict[str, Any], bound: float, events: list[tuple[int, int, float]]) -> tuple[int, int]:
    """When the score next passes the bound: in few looks, and from edge to edge."""
    segments = {"bound": {"when": {"score": {"name": "s", "gte": bound}}}}
    story = Timeline(definitions(segments, scores={"s": scores}))
    story.track(0, "other", seen=NOW)
    for kind, minute, value in events:
        story.track(minute * MINUTE, f"e{kind}", seen=NOW, properties={"v": value})
    contact, [unit] = story.contact(), story.core.program.units
    now_ms = contact.as_of_ms
    bits, quick_ms = unit.look_for(unit.mask, contact, now_ms)
    assert unit.look(contact, now_ms)[0] == bits
    return quick_ms, _edge_by_edge(unit, contact, now_ms)


def _edge_by_edge(unit: Unit, contact: Contact, now_ms: int) -> int:
    bits, at_ms = unit.look(contact, now_ms)
    while at_ms <= LAST_INSTANT_MS:
        other, next_ms = unit.look(contact, at_ms)
        if other != bits:
            return at_ms
        at_ms = next_ms
    return NEVER


def _same(ways: tuple[int, int]) -> None:
    quick_ms, slow_ms = ways
    assert quick_ms == slow_ms or min(quick_ms, slow_ms) > LAST_INSTANT_MS


@given(bound=_bounds, events=_events, half_life=st.sampled_from([None, "11m", "3h"]))
@example(bound=0.5, events=[(1, 50, 3.5), (2, 80, -2.5), (0, 90, 1)], half_life="11m")
def test_points_that_expire_turn_at_the_same_instant_however_it_is_looked_for(
    bound: float, events: list[tuple[int, int, float]], half_life: str | None
) -> None:
    rules = [
        {"event": f"e{kind}", "points": 1, "per": "v", "expires_after": f"{kind * 25 + 60}m"} for kind in range(1, 4)
    ]
    rules.append({"event": "e0", "points": 1, "per": "v"})
    _same(_ways({"points": rules} | ({} if half_life is None else {"half_life": half_life}), bound, events))


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
    _same(_ways({"mix": parts}, bound, events))
