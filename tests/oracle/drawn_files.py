"""Random definition files, small enough that boundaries are met all the time.

Bounds of scores come from the readings that the points and half-lives pass through. A kind of condition that is to
be drawn is one function and one line in `LEAF_WRITERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.oracle.language import File
from tests.oracle.view import Condition

T = TypeVar("T")

EVENTS = ("email_open", "page_view", "purchase")
DURATIONS = ("1s", "10s", "90s", "5m", "1h", "1d", "10d")
SEGMENTS = ("alpha", "beta", "gamma", "delta")

_COUNTS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"at_least": 1},
    {"at_least": 2},
    {"at_least": 3},
    {"at_most": 0},
    {"at_most": 1},
    {"at_most": 2},
    {"exactly": 0},
    {"exactly": 1},
    {"exactly": 2},
    {"between": [0, 1]},
    {"between": [1, 2]},
    {"between": [2, 2]},
)
_TRAITS: tuple[dict[str, Any], ...] = (
    {"name": "plan", "eq": "pro"},
    {"name": "plan", "ne": "pro"},
    {"name": "plan", "in": ["pro", 10, True]},
    {"name": "plan", "eq": True},
    {"name": "plan", "gt": "pro"},
    {"name": "plan", "exists": True},
    {"name": "plan", "exists": False},
    {"name": "age", "eq": 10},
    {"name": "age", "in": [1, "10"]},
    {"name": "age", "ne": 10.0},
    {"name": "age", "gte": 10, "lt": 20},
    {"name": "age", "lte": 10},
    {"name": "age", "gt": -1, "exists": True},
    {"name": "age.years", "eq": 10},
    {"name": "age.years", "exists": True},
)
_POINTS = (8, 8, 4, 16, 1, 0.512, 2.5, -4, -8, 0.001)
# 1 / 16 and 2.5 / 8 are ties of the third decimal, read upwards.
_BOUNDS = (8, 4, 2, 1, 16, 12, 3.999, 4.001, 7.999, 0.001, 0, 0.5, 0.063, 0.313, -1, -4, -3.999, -0.062)
_COMPARISONS: tuple[tuple[str, ...], ...] = (("gte",), ("gt",), ("lt",), ("lte",), ("gte", "lt"), ("gt", "lte"))
_TIERS: tuple[dict[str, Any], ...] = (
    {"cold": None, "warm": 4, "hot": 8},
    {"warm": 2, "hot": 7.999},
    {"low": -4, "middle": 0, "high": 4.001},
)


@dataclass(frozen=True)
class Taste:
    """What a family of files is to consist of."""

    leaves: tuple[str, ...]
    max_segments: int = 3


@dataclass
class Writer:
    """Draws the parts of one file; `durations` are those that it may use."""

    draw: st.DrawFn
    taste: Taste
    durations: tuple[str, ...] = ()
    scores: File = field(default_factory=dict)

    def one(self, options: Sequence[T]) -> T:
        """One of the options; the first is the simplest."""
        return options[self.draw(st.integers(0, len(options) - 1))]

    def sometimes(self) -> bool:
        """True once in four times."""
        return bool(self.draw(st.integers(0, 3)) == 3)


def _not_performed(writer: Writer) -> dict[str, Any]:
    of: dict[str, Any] = {"event": writer.one(EVENTS)}
    if not writer.sometimes():
        of["within"] = writer.one(writer.durations)
    if writer.sometimes():
        of["include_machine"] = writer.one((True, False))
    return of


def _performed(writer: Writer) -> dict[str, Any]:
    return {**_not_performed(writer), **writer.one(_COUNTS)}


def _trait(writer: Writer) -> dict[str, Any]:
    return dict(writer.one(_TRAITS))


def _bounds(score: File) -> list[float]:
    """Bounds that a reading can lie on either side of: others are refused as impossible."""
    return [bound for bound in _BOUNDS if score.get("floor", -9) < bound < score.get("cap", 99)]


def _score(writer: Writer) -> dict[str, Any]:
    name, keys = writer.one(tuple(writer.scores)), writer.one(_COMPARISONS)
    bounds = _bounds(writer.scores[name])
    low, high = sorted((writer.one(bounds), writer.one(bounds)))
    return {"name": name, keys[0]: low, **({keys[1]: high} if len(keys) > 1 and high > low else {})}


def _tier(writer: Writer) -> dict[str, Any]:
    name = writer.one(tuple(writer.scores))
    return {"name": name, "is": writer.one(tuple(writer.scores[name]["tiers"]))}


LEAF_WRITERS: dict[str, Callable[[Writer], Any]] = {
    "performed": _performed,
    "not_performed": _not_performed,
    "trait": _trait,
    "score": _score,
    "tier": _tier,
}


def _leaf(writer: Writer, others: Sequence[str]) -> Condition:
    if others and writer.sometimes():
        return {"in_segment": writer.one(others)}
    kind = writer.one(writer.taste.leaves)
    return {kind: LEAF_WRITERS[kind](writer)}


def _condition(writer: Writer, others: Sequence[str], depth: int) -> Condition:
    shape = writer.draw(st.integers(0, 5)) if depth else 0
    if shape <= 2:
        return _leaf(writer, others)
    if shape == 3:
        return {"not": _condition(writer, others, depth - 1)}
    parts = [_condition(writer, others, depth - 1) for _ in range(writer.draw(st.integers(1, 3)))]
    return {"all" if shape == 4 else "any": parts}


def _segment(writer: Writer, others: Sequence[str]) -> dict[str, Any]:
    segment: dict[str, Any] = {"when": _condition(writer, others, 2)}
    if writer.sometimes():
        segment["exit_when"] = _condition(writer, others, 1)
    if writer.sometimes():
        segment["tags"] = ["tag"]
    return segment


def _rule(writer: Writer) -> dict[str, Any]:
    rule: dict[str, Any] = {"event": writer.one(EVENTS), "points": writer.one(_POINTS)}
    if writer.sometimes():
        rule["include_machine"] = True
    return rule


def _written_score(writer: Writer) -> dict[str, Any]:
    score: dict[str, Any] = {"points": [_rule(writer) for _ in range(writer.draw(st.integers(1, 3)))]}
    score["tiers"] = dict(writer.one(_TIERS))
    if not writer.sometimes():
        score["half_life"] = writer.one(writer.durations)
    bounded = writer.draw(st.integers(0, 7))
    if bounded in (6, 7):
        score["cap"] = writer.one((8, 10, 4.001))
    if bounded in (5, 7):
        score["floor"] = writer.one((0, -1, 0.001))
    return score


@st.composite
def files(draw: st.DrawFn, taste: Taste) -> File:
    """A file whose segments refer to one another forwards and backwards, never in a circle."""
    writer = Writer(draw, taste)
    writer.durations = (writer.one(DURATIONS), writer.one(DURATIONS))
    file: File = {"version": 1, "deduplicate": writer.one(writer.durations)}
    if {"score", "tier"} & set(taste.leaves):
        writer.scores = {name: _written_score(writer) for name in ("s", "r")[: draw(st.integers(1, 2))]}
        file["scores"] = writer.scores
    names = SEGMENTS[: draw(st.integers(1, taste.max_segments))]
    written = {name: _segment(writer, names[index + 1 :]) for index, name in enumerate(names)}
    turned = draw(st.integers(0, len(names) - 1))
    file["segments"] = {name: written[name] for name in names[turned:] + names[:turned]}
    return file
