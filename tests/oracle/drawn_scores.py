"""Random scores; their points and half-lives pass through the bounds that conditions compare with."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.oracle.drawn_conditions import EVENTS, LEAF_WRITERS, condition, filters, machines
from tests.oracle.writer import Writer

_POINTS = (8, 8, 4, 16, 1, 0.512, 2.5, -4, -8, 0.001, 0.1, 0.0005, -0.5005)
_TIERS: tuple[dict[str, Any], ...] = (
    {"cold": None, "warm": 4, "hot": 8},
    {"warm": 2, "hot": 7.999},
    {"low": -4, "middle": 0, "high": 4.001},
)
_PLAIN_LEAVES = tuple(kind for kind in LEAF_WRITERS if kind not in ("score", "tier"))


def _leaves_of_while(writer: Writer) -> tuple[str, ...]:
    of_scores = ("score", "tier") if writer.scores else ()
    if writer.taste.chained:
        return (*of_scores, *of_scores, "not_performed", "trait", "performed")
    return (*_PLAIN_LEAVES, *of_scores)


def _rule(writer: Writer) -> dict[str, Any]:
    points = writer.one(_POINTS)
    if writer.taste.rich and writer.sometimes() != writer.taste.chained:
        return {"while": condition(writer, writer.base, 1, _leaves_of_while(writer)), "points": points}
    rule = {"event": writer.one(EVENTS), "points": points, **filters(writer), **machines(writer)}
    if writer.taste.rich and writer.sometimes():
        rule["expires_after"] = writer.duration()
    if writer.taste.rich and writer.sometimes():
        rule["per"] = writer.one(("value", "value", "items.price", "@weekday"))
    return rule


def _part(writer: Writer) -> dict[str, Any]:
    kind = writer.one(("recency", "frequency", "monetary"))
    of = {"event": writer.one(EVENTS), **filters(writer)}
    if kind == "recency":
        of["over"] = writer.duration()
    else:
        of |= {"within": writer.duration(), "full": writer.one((2, 20, 0.5, 60.5))}
        if not writer.sometimes():
            of["scale"] = writer.one(("log", "linear"))
    if kind == "monetary":
        of["property"] = writer.one(("value", "value", "items.price", "nested", "context.basket"))
    return {"weight": writer.one((8, 4, 0.512)), kind: of}


def _sum(writer: Writer) -> dict[str, Any]:
    if writer.taste.rich and writer.sometimes():
        return {"mix": [_part(writer) for _ in range(writer.draw(st.integers(1, 3)))]}
    score: dict[str, Any] = {"points": [_rule(writer) for _ in range(writer.draw(st.integers(1, 3)))]}
    decay = writer.draw(st.integers(0, 7))
    if decay < 6:
        score["half_life" if decay < 5 or not writer.taste.rich else "expires_after"] = writer.duration()
    return score


def written_score(writer: Writer) -> dict[str, Any]:
    """A score that refers at most to those that the file has so far."""
    score = {**_sum(writer), "tiers": dict(writer.one(_TIERS))}
    if writer.sometimes():
        score["description"] = "Tells nothing."
    bounded = writer.draw(st.integers(0, 7))
    if bounded in (6, 7):
        score["cap"] = writer.one((8, 10, 4.001))
    if bounded in (5, 7):
        score["floor"] = writer.one((0, -1, 0.001))
    return score
