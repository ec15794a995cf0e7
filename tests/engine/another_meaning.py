"""A second version of the semantics, as a later Segue may have one: in it `at_least` means "more than"."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from streams.segmentation import Core, Cores, Definitions, RehearsingCore, compile_definitions

ANOTHER = "more"
"""Its version."""


def meant(definitions: Definitions) -> Definitions:
    """What the text means in it, in words of the first version."""
    return compile_definitions(_more(json.loads(definitions.canonical)))


def _more(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: each + 1 if key == "at_least" else _more(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_more(each) for each in value]
    return value


def _taken(definitions: Definitions) -> Definitions:
    """The definitions, with conditions as this version takes them."""
    taken = meant(definitions)
    segments = [
        replace(segment, definition=known.definition)
        for segment, known in zip(taken.segments, definitions.segments, strict=True)
    ]
    return replace(definitions, segments=tuple(segments), scores=taken.scores, whiles=taken.whiles, order=taken.order)


MORE = Cores(lambda definitions: Core(_taken(definitions)), lambda definitions: RehearsingCore(_taken(definitions)))
"""The cores of it."""
