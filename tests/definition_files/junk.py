"""Random data in the place of a definition file: any tree at all, or a valid file with one thing wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from streams.segmentation.expressions import KEYS
from streams.segmentation.problems import join
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_files import files
from tests.oracle.writer import Taste

EVERYTHING = Taste(tuple(LEAF_WRITERS), max_segments=3, rich=True)
_WORDS = (
    *KEYS, "version", "segments", "scores", "lists", "when", "exit_when", "points", "mix", "tiers", "event", "where",
    "within", "since", "property", "function", "name", "is", "gte", "in", "matches", "zone", "while", "of", "to",
    "steps", "half_life", "recency", "weight", "file", "s", "e", "7d", "purchase", "sum", "granted", "Europe/Paris",
    "(", "",
)  # fmt: skip
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([10**15, 10**15 + 1, -(10**18), 10**300, 1e-9, 0.0005, 1e308, float("nan"), float("-inf")]),
    st.floats(),
    st.sampled_from(_WORDS),
    st.text(max_size=5),
    st.characters(categories=["Cs"]),
)
_KEYS = st.one_of(st.sampled_from(_WORDS), st.text(max_size=3), st.integers(-1, 1), st.characters(categories=["Cs"]))
TREES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=20,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with every key or index in it."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in list(steps):
        yield value, step
        yield from places(inner)


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The path of everything in the data."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, join(path, str(key)))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from paths(inner, join(path, place))


@st.composite
def slips(draw: st.DrawFn, replacement: st.SearchStrategy[Any] = TREES) -> dict[str, Any]:
    """A valid file with one key renamed, one value replaced, one thing taken out, or one list emptied."""
    file: dict[str, Any] = copy.deepcopy(draw(files(EVERYTHING)))
    container, step = draw(st.sampled_from(list(places(file))))
    kind = draw(st.sampled_from(("rename", "replace", "replace", "remove", "empty")))
    if kind == "rename" and isinstance(container, dict):
        name = draw(st.one_of(st.sampled_from(_WORDS), st.just(f"{step}s"), st.just(str(step)[1:])))
        items = [(name if key == step else key, value) for key, value in container.items()]
        container.clear()
        container.update(items)
    elif kind == "remove":
        del container[step]
    elif kind == "empty":
        container[step] = type(container[step])() if isinstance(container[step], dict | list | str) else []
    else:
        container[step] = draw(replacement)
    return file
