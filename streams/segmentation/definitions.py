"""A definition file, read whole and checked whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from schemas.records import definitions_hash
from streams.segmentation.calendars import Zone, load_zone
from streams.segmentation.canonical import canonical_hash, canonical_text
from streams.segmentation.conditions.reading import ScoreLeafSpec
from streams.segmentation.expressions import Leaf, Node, parse_condition, walk
from streams.segmentation.lists import ListReader, no_list_files, read_lists
from streams.segmentation.problems import DefinitionsError, Findings, Problem, Spec, join
from streams.segmentation.quantities import Duration
from streams.segmentation.references import Place, in_order, reached_from, references
from streams.segmentation.scores import PointsRule, ScoreSpec, WhileSpec, check_score
from streams.segmentation.units import Scope

SEMANTICS_VERSION = "1"
"""Version of the meaning of definitions; raised when the same text would come to mean something else."""
DEFAULT_DEDUPLICATE_MS = 48 * 3_600_000
MAX_DEDUPLICATE_MS = 30 * 86_400_000


class FileSpec(Spec):
    """The top level of a definition file."""

    version: Annotated[int, Field(ge=1, le=1)]
    deduplicate: Duration = Field(default=DEFAULT_DEDUPLICATE_MS, le=MAX_DEDUPLICATE_MS)
    zone: Zone = Field(default_factory=lambda: load_zone("UTC"))
    scores: dict[str, Any] = Field(default_factory=dict)
    lists: dict[str, Any] = Field(default_factory=dict)
    segments: dict[str, Any] = Field(default_factory=dict)


class SegmentSpec(Spec):
    """A segment as the file has it, its conditions still unread."""

    when: Any
    exit_when: Any = None
    description: str = ""
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] = Field(default_factory=list)
    meta: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: who is in it, and what it is called."""

    name: str
    when: Node
    exit_when: Node | None
    tags: tuple[str, ...]
    description: str
    definition: str = ""
    """SHA-256 of the canonical JSON of the segment and of all that it refers to."""

    def conditions(self) -> list[Node]:
        """`when`, and `exit_when` where there is one."""
        return [self.when] if self.exit_when is None else [self.when, self.exit_when]


@dataclass(frozen=True, slots=True)
class WhileRule:
    """Points that a score has while a condition holds, in billionths."""

    condition: Node
    points: int


@dataclass(frozen=True, slots=True)
class Definitions:
    """Checked definitions. `segments` stand in the order in which they are evaluated."""

    canonical: str
    """The text that stands in the log. Lists stand in it by name: who is on them is told by `list` records."""
    hash: str
    deduplicate_ms: int
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
    warnings: tuple[Problem, ...] = field(default=())


def compile_definitions(data: Any, read_list_file: ListReader = no_list_files) -> Definitions:
    """Definitions from the parsed data of a file. Raises `DefinitionsError` with everything that is wrong."""
    findings = Findings()
    spec = findings.read(FileSpec, data, "")
    if spec is None:
        raise DefinitionsError(findings.problems)
    scores = _read_scores(spec.scores, findings)
    lists = read_lists(spec.lists, read_list_file, findings)
    scope = Scope(scores, frozenset(spec.segments), frozenset(lists), spec.zone)
    whiles = {name: _read_whiles(name, spec.scores[name], scope, findings) for name in scores}
    segments = _read_segments(spec.segments, scope, findings)
    if not spec.segments:
        findings.add("segments", spec.segments, "expected at least one segment")
    if findings.problems:
        raise DefinitionsError(findings.problems)

    def refers_to(place: Place) -> list[Place]:
        if place.kind == "segments":
            return references(segments[place.name].conditions())
        return references(rule.condition for rule in whiles[place.name])

    starts = [*(Place("segments", name) for name in segments), *(Place("scores", name) for name in scores)]
    order = in_order(starts, refers_to, findings)
    if findings.problems:
        raise DefinitionsError(findings.problems)
    canonical = canonical_text(data | {"lists": {name: [] for name in lists}} if lists else data)
    return Definitions(
        canonical=canonical,
        hash=definitions_hash(canonical),
        deduplicate_ms=spec.deduplicate,
        zone=spec.zone,
        scores=scores,
        whiles=whiles,
        segments=tuple(
            replace(segments[place.name], definition=_hash(place, reached_from(place, refers_to), data))
            for place in order
            if place.kind == "segments"
        ),
        order=tuple(order),
        lists=lists,
        warnings=tuple(findings.warnings),
    )


def parse_canonical(text: str) -> Definitions:
    """Definitions from the canonical text of a `definitions` record. Raises `DefinitionsError`."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise DefinitionsError([Problem("definitions", text, f"expected JSON: {error}")]) from None
    return compile_definitions(data)


def _check_name(name: str, path: str, findings: Findings) -> None:
    if not name or len(name) > 64 or not name.replace("_", "a").replace("-", "a").isalnum() or not name.isascii():
        findings.add(join(path, name), name, "expected a name of at most 64 letters, digits, _ and -")


def _has_while(rule: Any) -> bool:
    return isinstance(rule, dict) and "while" in rule


def _read_scores(raw: dict[str, Any], findings: Findings) -> dict[str, ScoreSpec]:
    scores = {}
    for name, body in raw.items():
        path = join("scores", name)
        _check_name(name, "scores", findings)
        spec = findings.read(ScoreSpec, _without_whiles(body, path, findings), path)
        if spec is not None:
            check_score(spec, path, findings)
            scores[name] = spec
    return scores


def _without_whiles(body: Any, path: str, findings: Findings) -> Any:
    """The body of a score with those of its points rules read that are about events."""
    rules = body.get("points") if isinstance(body, dict) else None
    if not isinstance(rules, list):
        return body
    if not rules:
        findings.add(join(path, "points"), rules, "expected a list of at least one rule")
    read = [
        findings.read(PointsRule, rule, join(path, "points", place))
        for place, rule in enumerate(rules)
        if not _has_while(rule)
    ]
    return {**body, "points": [rule for rule in read if rule is not None]}


def _read_whiles(name: str, body: dict[str, Any], scope: Scope, findings: Findings) -> tuple[WhileRule, ...]:
    found = []
    rules = body.get("points")
    for place, rule in enumerate(rules if isinstance(rules, list) else ()):
        if _has_while(rule):
            path = join("scores", name, "points", place)
            rest = {key: value for key, value in rule.items() if key != "while"}
            spec = findings.read(WhileSpec, rest, path)
            condition = parse_condition(rule["while"], join(path, "while"), scope, findings)
            if spec is not None and condition is not None:
                found.append(WhileRule(condition, spec.points))
    return tuple(found)


def _read_segments(raw: dict[str, Any], scope: Scope, findings: Findings) -> dict[str, Segment]:
    segments = {}
    for name, body in raw.items():
        path = join("segments", name)
        _check_name(name, "segments", findings)
        spec = findings.read(SegmentSpec, body, path)
        if spec is None:
            continue
        when = parse_condition(spec.when, join(path, "when"), scope, findings)
        exit_when = None
        if "exit_when" in spec.model_fields_set:
            exit_when = parse_condition(spec.exit_when, join(path, "exit_when"), scope, findings)
        if when is not None:
            segments[name] = Segment(name, when, exit_when, tuple(spec.tags), spec.description)
            _warn_of_flapping(segments[name], scope.scores, join(path, "when"), findings)
    return segments


def _warn_of_flapping(segment: Segment, scores: dict[str, ScoreSpec], path: str, findings: Findings) -> None:
    if segment.exit_when is not None:
        return
    for node in walk(segment.when):
        if not isinstance(node, Leaf) or not isinstance(node.spec, ScoreLeafSpec) or node.spec.name not in scores:
            continue
        rises = node.spec.gte is not None or node.spec.gt is not None
        if rises and scores[node.spec.name].half_life is not None:
            findings.warn(
                path,
                node.spec.name,
                "a decaying score begins to fall in the millisecond in which it arrives at its bound; "
                "give the segment an exit_when with a lower bound",
            )


def _hash(segment: Place, reached: set[Place], data: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a segment and of all that it rests on."""

    def meaning(place: Place) -> dict[str, Any]:
        body: dict[str, Any] = data[place.kind][place.name]
        return {key: value for key, value in body.items() if key not in {"description", "tags", "meta"}}

    material: dict[str, Any] = {"segment": meaning(segment), "segments": {}, "scores": {}}
    for place in reached:
        material[place.kind][place.name] = meaning(place)
    if '"@' in canonical_text(material):
        material["zone"] = str(data.get("zone", "UTC"))  # it reads local hours or dates
    return canonical_hash(material)
