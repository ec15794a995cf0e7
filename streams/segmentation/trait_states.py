"""Which comparisons of one trait can hold together.

A trait may be a list, and then a comparison holds if one element satisfies it: that a trait equals one value does
not say that it does not equal another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations, pairwise
from math import floor
from typing import Any

from streams.segmentation.conditions.trait import TraitSpec
from streams.segmentation.values import OPERATORS, Predicate

_ORDERS = ("gt", "gte", "lt", "lte")


def is_simple(spec: TraitSpec) -> bool:
    """Whether finitely many values tell all that the comparison can say."""
    searched = (spec.contains, spec.starts_with, spec.matches)
    return not spec.timed() and all(each is None for each in searched)


def trait_states(specs: Mapping[str, TraitSpec], most: int) -> list[dict[str, bool]]:
    """Every combination of truths that some value of the trait has; none where there are more than `most`."""
    samples = _telling(specs.values())
    if 2 ** len(samples) >= most:
        return []
    subsets = [list(each) for size in range(len(samples) + 1) for each in combinations(samples, size)]
    predicates = {text: Predicate("trait", spec) for text, spec in specs.items()}
    roots: list[dict[str, Any]] = [{}, *({"trait": values} for values in subsets)]
    states = (tuple((text, predicate.holds(root)) for text, predicate in predicates.items()) for root in roots)
    return [dict(state) for state in dict.fromkeys(states)]


def _telling(specs: Iterable[TraitSpec]) -> list[Any]:
    """One value for each way in which a single value can satisfy or refuse what the comparisons ask of one."""
    asked = [part for spec in specs for part in _asked(spec)]
    values = [bound for bounds in asked for bound in bounds.values()]
    options = [each for value in values for each in (value if isinstance(value, list) else [value])]
    found: dict[tuple[bool, ...], Any] = {}
    for sample in _samples(options):
        signature = tuple(all(OPERATORS[name](sample, bound) for name, bound in bounds.items()) for bounds in asked)
        if any(signature):
            found.setdefault(signature, sample)
    return list(found.values())


def _asked(spec: TraitSpec) -> list[dict[str, Any]]:
    """What is asked of one value: all operators that it must satisfy, and each value that it may not equal."""
    given = {name: getattr(spec, "in_" if name == "in" else name) for name in ("eq", "in", *_ORDERS)}
    together = {name: bound for name, bound in given.items() if bound is not None}
    refused = [*([] if spec.ne is None else [spec.ne]), *(spec.not_in or [])]
    return [*([together] if together else []), *({"eq": value} for value in refused)]


def _between(low: float, high: float) -> float:
    """A number between two, whole where there is such a one: wholes have no limit of digits."""
    whole = floor(low) + 1
    return whole if whole < high else (low + high) / 2


def _samples(options: list[Any]) -> list[Any]:
    """The values themselves, and some between and beyond them."""
    numbers = sorted(each for each in options if not isinstance(each, str | bool))
    texts = sorted(each for each in options if isinstance(each, str))
    samples = [*options]
    if numbers:
        samples += [floor(numbers[0]) - 1, floor(numbers[-1]) + 1]
        samples += [_between(low, high) for low, high in pairwise(numbers)]
    # Between a text and the next there is nothing, or the text with the least character behind it.
    return [*samples, *(["", *(text + "\0" for text in texts)] if texts else [])]
