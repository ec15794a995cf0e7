"""What refers to what in a definition file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.oracle.view import Condition, leaves

File = dict[str, Any]


def conditions_of(file: File, segment: str) -> list[Condition]:
    """`when`, and `exit_when` where there is one."""
    written = file["segments"][segment]
    return [written[key] for key in ("when", "exit_when") if key in written]


def leaves_of(file: File, segment: str) -> Iterator[Condition]:
    """The leaves of a segment's own conditions."""
    for condition in conditions_of(file, segment):
        yield from leaves(condition)


def _score_of(leaf: Condition) -> str | None:
    ((kind, of),) = leaf.items()
    name: str | None = of["name"] if kind in ("score", "tier") else None
    return name


def _while_leaves(file: File, score: str) -> Iterator[Condition]:
    for rule in file["scores"][score].get("points", []):
        if "while" in rule:
            yield from leaves(rule["while"])


def _referred(file: File, leaf: Condition) -> Iterator[str]:
    """Segments that a leaf depends on, also through the `while` of a score."""
    if "in_segment" in leaf:
        yield leaf["in_segment"]
    score = _score_of(leaf)
    if score is not None:
        for inner in _while_leaves(file, score):
            yield from _referred(file, inner)


def closure(file: File, segment: str) -> list[str]:
    """The segment after all that it depends on, depth first."""
    found: list[str] = []
    for leaf in leaves_of(file, segment):
        for other in _referred(file, leaf):
            found += [name for name in closure(file, other) if name not in found]
    return [*found, segment]


def order(file: File) -> list[str]:
    """All segments in the order in which a step evaluates them."""
    found: list[str] = []
    for segment in file["segments"]:
        found += [name for name in closure(file, segment) if name not in found]
    return found


def watched_leaves(file: File, segment: str) -> list[Condition]:
    """The leaves whose flips a search for the next transition sees: through `in_segment`; a score is one leaf."""
    found = []
    for leaf in leaves_of(file, segment):
        found.append(leaf)
        if "in_segment" in leaf:
            found += watched_leaves(file, leaf["in_segment"])
    return [leaf for leaf in found if "in_segment" not in leaf]


def scores_used(file: File, segment: str) -> set[str]:
    """The scores that a segment reads, itself or through `in_segment`."""
    return {score for leaf in watched_leaves(file, segment) if (score := _score_of(leaf)) is not None}


def _scores_read(file: File, leaf: Condition) -> Iterator[str]:
    """The score that a leaf reads, and those that its `while` conditions read."""
    score = _score_of(leaf)
    if score is not None:
        yield score
        for inner in _while_leaves(file, score):
            yield from _scores_read(file, inner)


def meaning(file: File, segment: str) -> str:
    """All that decides on a segment: what it says, and what all says that it refers to.

    To what reads local hours or dates the zone belongs, too.
    """
    names = closure(file, segment)
    scores = {score for name in names for leaf in leaves_of(file, name) for score in _scores_read(file, leaf)}

    def said(body: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in body.items() if key not in ("description", "tags", "meta")}

    parts = [
        said(file["segments"][segment]),
        {name: said(file["segments"][name]) for name in names[:-1]},
        {name: said(file["scores"][name]) for name in scores},
    ]
    text = json.dumps(parts, sort_keys=True)
    return text + file.get("zone", "UTC") if '"@' in text else text
