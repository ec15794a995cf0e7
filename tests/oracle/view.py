"""A contact at one instant, and what may ask about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.history import History

Condition = dict[str, Any]


@dataclass(frozen=True)
class View:
    """What is known of a contact at `now`, and the segments that it is in at this step."""

    file: dict[str, Any]
    history: History
    now: int
    members: Mapping[str, bool]


@dataclass(frozen=True)
class Leaf:
    """A kind of condition: whether it is true, and the instants at which the clock alone may change that.

    Instants that turn out to change nothing do no harm, and neither do those in the past.
    """

    truth: Callable[[Any, View], bool]
    looks: Callable[[Any, View], Iterable[int]]


LEAVES: dict[str, Leaf] = {}


def leaf(
    name: str, looks: Callable[[Any, View], Iterable[int]]
) -> Callable[[Callable[[Any, View], bool]], Callable[[Any, View], bool]]:
    """Register the truth of a kind of condition beside its looks."""

    def register(truth: Callable[[Any, View], bool]) -> Callable[[Any, View], bool]:
        LEAVES[name] = Leaf(truth, looks)
        return truth

    return register


def truth(condition: Condition, view: View) -> bool:
    """Whether a condition holds."""
    ((name, inner),) = condition.items()
    if name == "all":
        return all(truth(part, view) for part in inner)
    if name == "any":
        return any(truth(part, view) for part in inner)
    if name == "not":
        return not truth(inner, view)
    return LEAVES[name].truth(inner, view)


def leaves(condition: Condition) -> Iterator[Condition]:
    """The conditions that nest no others, in the order in which they stand."""
    ((name, inner),) = condition.items()
    if name in ("all", "any"):
        for part in inner:
            yield from leaves(part)
    elif name == "not":
        yield from leaves(inner)
    else:
        yield condition


def next_look(condition: Condition, view: View) -> int | None:
    """The first instant after now at which a leaf of the condition may flip; None if there is none."""
    instants = [
        instant
        for part in leaves(condition)
        for name, inner in part.items()
        for instant in LEAVES[name].looks(inner, view)
        if instant > view.now
    ]
    return min(instants, default=None)
