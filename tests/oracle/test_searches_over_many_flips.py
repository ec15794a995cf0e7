"""The search for a segment's next transition ends after a hundred flips that change nothing: which ones count."""

from __future__ import annotations

from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from tests.oracle.driving import assert_same
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.language import File
from tests.oracle.lines import HOUR, START_MS, did
from tests.oracle.view import Condition

VIEWS = 12
WINDOWS = 12
Noise = list[tuple[int, int]]

_GRID: Noise = [(window, least) for window in range(WINDOWS) for least in range(1, VIEWS + 1)]
_NOISE: st.SearchStrategy[Noise] = st.builds(
    lambda first, length: (_GRID + _GRID)[first : first + length], st.integers(0, len(_GRID) - 1), st.integers(20, 60)
)


def _leaves(noise: Noise) -> list[Condition]:
    """Conditions that flip once, when a view leaves a window; equal ones flip at one instant."""
    return [
        {"performed": {"event": "page_view", "within": f"{60 + window}s", "at_least": least}} for window, least in noise
    ]


def _file(own: Noise, inner: Noise, exits: Noise, bands: list[int]) -> File:
    bought = {"performed": {"event": "purchase"}}
    never = {"performed": {"event": "unsubscribe"}}
    readings = [{"score": {"name": "s", "gte": band / 8, "lt": band / 8 + 0.125}} for band in bands]
    outer: dict[str, Any] = {
        "when": {
            "all": [
                {"performed": {"event": "purchase", "within": "1h"}},
                {"any": [bought, {"in_segment": "inner"}, *_leaves(own), *readings]},
            ]
        }
    }
    if exits:
        outer["exit_when"] = {
            "any": [{"not_performed": {"event": "purchase", "within": "1h"}}, {"all": [never, *_leaves(exits)]}]
        }
    return {
        "version": 1,
        "scores": {"s": {"half_life": "5m", "points": [{"event": "purchase", "points": 16}]}},
        "segments": {"outer": outer, "inner": {"when": {"any": [bought, *_leaves(inner)]}}},
    }


@fuzzed(0.008)
@given(_NOISE, _NOISE, st.one_of(st.just([]), _NOISE), st.lists(st.integers(1, 120), max_size=12))
def test_every_instant_counts_once_at_which_a_leaf_flips(
    own: Noise, inner: Noise, exits: Noise, bands: list[int]
) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    bodies = [did("page_view", at) for at in range(VIEWS)] + [did("purchase", VIEWS)]
    assert_same(_file(own, inner, exits, bands), bodies, START_MS + 2 * HOUR)
