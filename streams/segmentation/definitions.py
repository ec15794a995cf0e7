"""A definition file, read whole and checked whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any

from schemas.records import definitions_hash, definitions_identity
from streams.segmentation.advice import advise
from streams.segmentation.canonical import canonical_hash, canonical_text
from streams.segmentation.correctable import Correctable, check_correct, read_correctable
from streams.segmentation.file_parts import (
    Segment,
    WhileRule,
    read_file_spec,
    read_scores,
    read_segments,
    read_whiles,
)
from streams.segmentation.lists import ListReader, no_list_files, read_lists
from streams.segmentation.plain import plain
from streams.segmentation.problems import DefinitionsError, Findings, Problem
from streams.segmentation.reachable_states import Readings
from streams.segmentation.references import Place, in_order, reached_from, references
from streams.segmentation.scores import ScoreSpec
from streams.segmentation.units import Scope

__all__ = [
    "SEMANTICS_VERSION",
    "Definitions",
    "Segment",
    "WhileRule",
    "compile_definitions",
    "parse_canonical",
]

SEMANTICS_VERSION = "1"
"""Version of the meaning that definitions have now; raised when the same text would come to mean something else."""

_PLACES = ("scores", "segments")


@dataclass(frozen=True, slots=True)
class Definitions:
    """Checked definitions. `segments` stand in the order in which they are evaluated."""

    canonical: str
    """The text that stands in the log. Lists stand in it by name: who is on them is told by `list` records."""
    hash: str
    semantics: str
    """Version of the semantics that the text was written for."""
    meaning: str
    """SHA-256 of text and version without descriptions, tags and meta. Definitions of one meaning share the states of
    contacts."""
    deduplicate_ms: int
    correctable: Correctable
    zone: tzinfo
    """Of `@hour`, `@weekday` and `@date`."""
    scores: dict[str, ScoreSpec]
    whiles: dict[str, tuple[WhileRule, ...]]
    """Of each score, the points that it has while a condition holds."""
    segments: tuple[Segment, ...]
    order: tuple[Place, ...]
    """Segments and scores, each after all that it refers to: the order of evaluation."""
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Contact ids on each static list, as the definition file has them."""
    warnings: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def identity(self) -> str:
        """What holds: the text, by its hash, as a version of the semantics takes it."""
        return definitions_identity(self.hash, self.semantics)


def compile_definitions(
    data: Any, read_list_file: ListReader = no_list_files, semantics: str = SEMANTICS_VERSION
) -> Definitions:
    """Definitions from the parsed data of a file. Raises `DefinitionsError` with everything that is wrong."""
    findings = Findings()
    file = plain(data, findings)
    spec = read_file_spec(file, findings)
    scores = read_scores(spec.scores, findings)
    lists = read_lists(spec.lists, read_list_file, findings)
    unread = frozenset(spec.scores) - frozenset(scores)
    scope = Scope(scores, frozenset(spec.segments), frozenset(lists), spec.zone, unread)
    whiles = {name: read_whiles(name, body, scope, findings) for name, body in spec.scores.items()}
    segments = read_segments(spec.segments, scope, findings)

    def refers_to(place: Place) -> list[Place]:
        if place.kind == "segments":
            segment = segments.get(place.name)
            return [] if segment is None else references(segment.conditions())
        return references(rule.condition for rule in whiles.get(place.name, ()))

    starts = [*(Place("segments", name) for name in segments), *(Place("scores", name) for name in scores)]
    order = in_order(starts, refers_to, findings)
    check_correct(spec.correct, spec.deduplicate, findings)
    advise(segments, order, Readings(scores, whiles), findings)
    if findings.problems:
        raise DefinitionsError(findings.problems, warnings=findings.warnings)
    canonical = canonical_text(file | {"lists": {name: [] for name in lists}} if lists else file)
    bare = _bare(file)
    return Definitions(
        canonical=canonical,
        hash=definitions_hash(canonical),
        semantics=semantics,
        meaning=definitions_hash(canonical_text(bare | {"semantics": semantics})),
        deduplicate_ms=spec.deduplicate,
        correctable=read_correctable(spec.correct, spec.deduplicate, bare),
        zone=spec.zone,
        scores=scores,
        whiles=whiles,
        segments=tuple(
            replace(segments[place.name], definition=_hash(place, reached_from(place, refers_to), file))
            for place in order
            if place.kind == "segments"
        ),
        order=tuple(order),
        lists=lists,
        warnings=tuple(findings.warnings),
    )


def parse_canonical(text: str, semantics: str = SEMANTICS_VERSION) -> Definitions:
    """Definitions from the canonical text of a `definitions` record, written for a version of the semantics.

    Raises `DefinitionsError`.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DefinitionsError([Problem("definitions", text, f"expected JSON: {error}")]) from None
    return compile_definitions(data, semantics=semantics)


def _without_words(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in {"description", "tags", "meta"}}


def _bare(file: dict[str, Any]) -> dict[str, Any]:
    """All of a file that a state rests on. Who is on a list is told by records, so its name is enough, where it is."""
    parts = {kind: {name: _without_words(body) for name, body in file.get(kind, {}).items()} for kind in _PLACES}
    return {key: value for key, value in file.items() if key != "lists"} | parts


def _hash(segment: Place, reached: set[Place], data: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a segment and of all that it rests on."""

    def meaning(place: Place) -> dict[str, Any]:
        return _without_words(data[place.kind][place.name])

    material: dict[str, Any] = {"segment": meaning(segment), "segments": {}, "scores": {}}
    for place in reached:
        material[place.kind][place.name] = meaning(place)
    if '"@' in canonical_text(material):
        material["zone"] = str(data.get("zone", "UTC"))  # it reads local hours or dates
    return canonical_hash(material)
