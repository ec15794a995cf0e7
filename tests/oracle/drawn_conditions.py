"""Random conditions. A kind that is to be drawn is one function and one line in `LEAF_WRITERS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.oracle.view import Condition
from tests.oracle.writer import Writer

EVENTS = ("email_open", "purchase", "x9_of_their_own")
LISTS = ("vip", "wärmste Kunden")
PURPOSES = ("news", "sms")

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
_FILTERS: tuple[dict[str, Any], ...] = (
    {"property": "value", "gte": 10},
    {"property": "value", "ne": 10},
    {"property": "value", "lt": 10.0, "exists": True},
    {"property": "value", "in": ["10", 10]},
    {"property": "value", "not_in": ["10", 0.1]},
    {"property": "value", "exists": False},
    {"property": "value", "eq": True},
    {"property": "value", "gt": 0.1, "lte": 10},
    {"property": "value", "contains": 10},
    {"property": "label", "eq": "ab"},
    {"property": "label", "ne": "ab"},
    {"property": "label", "contains": "ab"},
    {"property": "label", "starts_with": "a"},
    {"property": "label", "matches": "^[a-z]b?$"},
    {"property": "label", "matches": "b|\\d"},
    {"property": "label", "gte": "a", "lt": "b"},
    {"property": "label", "in": ["ab", "a"], "ne": "x1"},
    {"property": "items.sku", "eq": "b"},
    {"property": "items.sku", "ne": "b"},
    {"property": "items.price", "gt": 3, "lt": 9},
    {"property": "items.price", "exists": True},
    {"property": "items.sku", "contains": "b"},
    {"property": "nested", "gte": 2, "lt": 3},
    {"property": "nested", "contains": 1},
    {"property": "context.page", "exists": True},
    {"property": "context.page.path", "starts_with": "/c"},
    {"property": "context.page.path", "not_in": ["/cart"]},
    {"property": "@hour", "gte": 1},
    {"property": "@weekday", "in": [1, 7]},
    {"property": "@date", "gt": "2026-03-01"},
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
    {"name": "age", "gt": 5, "lt": 25},
    {"name": "age", "lte": 10},
    {"name": "age", "gt": -1, "exists": True},
    {"name": "age.years", "eq": 10},
    {"name": "age.years", "exists": True},
    {"name": "größe", "eq": 10},
)
_RICH_TRAITS: tuple[dict[str, Any], ...] = (
    {"name": "plan", "not_in": ["pro", 10]},
    {"name": "plan", "contains": "pr"},
    {"name": "plan", "contains": 10},
    {"name": "plan", "starts_with": "p"},
    {"name": "plan", "matches": "(?i)^PR"},
    {"name": "age.years", "not_in": [9]},
    {"name": "age.years", "contains": 10},
    {"name": "größe", "ne": 1, "gte": 0, "lte": 10, "exists": True},
)
_TIME_OPERATORS = ("older_than", "newer_than", "within_next")
# 1 / 16 and 2.5 / 8 are ties of the third decimal, read upwards.
_BOUNDS = (8, 4, 2, 1, 16, 12, 3.999, 4.001, 7.999, 0.001, 0, 0.5, 0.063, 0.313, -1, -4, -3.999, -0.062)
_COMPARISONS: tuple[tuple[str, ...], ...] = (
    ("gte",),
    ("gt",),
    ("lt",),
    ("lte",),
    ("gte", "lt"),
    ("gt", "lte"),
    ("gte", "lte"),
    ("gt", "lt"),
)


def filters(writer: Writer) -> dict[str, Any]:
    """`where`, or nothing."""
    if not (writer.taste.rich and writer.sometimes()):
        return {}
    return {"where": [dict(writer.one(_FILTERS)) for _ in range(writer.draw(st.integers(1, 2)))]}


def machines(writer: Writer) -> dict[str, Any]:
    """`include_machine`, or nothing."""
    return {"include_machine": writer.one((True, False))} if writer.sometimes() else {}


def window(writer: Writer) -> dict[str, Any]:
    """`within`, or nothing."""
    return {} if writer.sometimes() else {"within": writer.duration()}


def comparison(writer: Writer, bounds: Sequence[float]) -> dict[str, Any]:
    """One comparison or two that can hold together."""
    keys = writer.one(_COMPARISONS)
    low, high = sorted((writer.one(bounds), writer.one(bounds)))
    # Two bounds must leave room between them: a score, read in thousandths, needs more than one of these.
    return {keys[0]: low, **({keys[1]: high} if len(keys) > 1 and high - low > 0.002 else {})}


def _counted(writer: Writer) -> dict[str, Any]:
    of = {"event": writer.one(EVENTS), **filters(writer), **window(writer), **machines(writer)}
    if writer.taste.rich and writer.sometimes():
        of["since"] = {"event": writer.one(EVENTS), **filters(writer)}
        if writer.sometimes():
            of["since"]["nth"] = writer.draw(st.integers(1, 3))
    return of


def _performed(writer: Writer) -> dict[str, Any]:
    return {**_counted(writer), **writer.one(_COUNTS)}


def _aggregate(writer: Writer) -> dict[str, Any]:
    function = writer.one(("sum", "avg", "min", "max", "distinct"))
    distinct = ("value", "@hour", "@date", "context.page.path", "nested", "label")
    names = distinct if function == "distinct" else ("value", "@weekday", "items.price", "nested")
    bounds = (1, 2, 3) if function == "distinct" else (10, 0, 0.3, 20.1, -3.5, 9.999, 6, 1e15, 0.12345679)
    compared = comparison(writer, bounds)
    if writer.sometimes():
        bound = writer.one(bounds)
        compared = {"eq": bound, **({"gte": bound} if writer.sometimes() else {})}
    return {**_counted(writer), "property": writer.one(names), "function": function, **compared}


def _ratio(writer: Writer) -> dict[str, Any]:
    counts = []
    for _ in range(2):
        of = {"event": writer.one(EVENTS), **filters(writer), **window(writer), **machines(writer)}
        if "within" in of and writer.sometimes():
            of["ago"] = writer.duration()
        counts.append(of)
    least = {"min": writer.draw(st.integers(1, 3))} if writer.sometimes() else {}
    compared = comparison(writer, (0.5, 1, 0, 0.333333, 2))
    # No quotient of counts is below 0: the least bound from above is one that some quotient meets.
    compared = {key: bound or 0.5 if key == "lt" else bound for key, bound in compared.items()}
    return {"of": counts[0], "to": counts[1], **least, **compared}


def _sequence(writer: Writer) -> dict[str, Any]:
    steps = [{"event": writer.one(EVENTS), **filters(writer)} for _ in range(writer.draw(st.integers(1, 3)))]
    last = {"in_last": writer.duration()} if writer.draw(st.booleans()) else {}
    return {"steps": steps, "within": writer.duration(), **last, **machines(writer)}


def _trait(writer: Writer) -> dict[str, Any]:
    return dict(writer.one(_RICH_TRAITS if writer.taste.rich and writer.sometimes() else _TRAITS))


def _trait_time(writer: Writer) -> dict[str, Any]:
    of: dict[str, Any] = {"name": "renews", writer.one(_TIME_OPERATORS): writer.duration()}
    if writer.sometimes():
        of["newer_than"] = writer.duration()
    if writer.sometimes():
        of |= writer.one(({"exists": True}, {"gte": "2026"}, {"not_in": ["2026-12-31"]}, {"starts_with": "2"}))
    return of


def _anniversary(writer: Writer) -> dict[str, Any]:
    of: dict[str, Any] = {"trait": "born"}
    if writer.sometimes():
        of["days_before"] = writer.one((1, 7))
    if writer.sometimes():
        of["days"] = writer.one((2, 3, 365))
    if writer.sometimes():
        of["zone"] = "America/New_York"
    return of


def _score(writer: Writer) -> dict[str, Any]:
    name = writer.one(tuple(writer.scores))
    score = writer.scores[name]
    # A bound that no reading can lie on either side of is refused as impossible; a cap that was shifted may leave none.
    bounds = [bound for bound in _BOUNDS if score.get("floor", -9) < bound < score.get("cap", 99)]
    return {"name": name, **comparison(writer, bounds or _BOUNDS)}


def _tier(writer: Writer) -> dict[str, Any]:
    name = writer.one(tuple(writer.scores))
    return {"name": name, "is": writer.one(tuple(writer.scores[name]["tiers"]))}


LEAF_WRITERS: dict[str, Callable[[Writer], Any]] = {
    "performed": _performed,
    "not_performed": _counted,
    "aggregate": _aggregate,
    "ratio": _ratio,
    "sequence": _sequence,
    "trait": _trait,
    "trait_time": _trait_time,
    "anniversary": _anniversary,
    "known_for": Writer.duration,
    "consent": lambda writer: {"purpose": writer.one(PURPOSES), "is": writer.one(("granted", "denied", "unknown"))},
    "listed": lambda writer: writer.one(LISTS),
    "score": _score,
    "tier": _tier,
}


def leaf(writer: Writer, others: Sequence[str], kinds: Sequence[str]) -> Condition:
    """A condition that nests no others."""
    if others and writer.sometimes():
        return {"in_segment": writer.one(others)}
    kind = writer.one(kinds)
    return {kind.removesuffix("_time"): LEAF_WRITERS[kind](writer)}


def condition(writer: Writer, others: Sequence[str], depth: int, kinds: Sequence[str]) -> Condition:
    """A condition over some kinds and the other segments."""
    shape = writer.draw(st.integers(0, 5)) if depth else 0
    if shape <= 2:
        return leaf(writer, others, kinds)
    if shape == 3:
        return {"not": condition(writer, others, depth - 1, kinds)}
    parts = [condition(writer, others, depth - 1, kinds) for _ in range(writer.draw(st.integers(1, 3)))]
    return {"all" if shape == 4 else "any": parts}
