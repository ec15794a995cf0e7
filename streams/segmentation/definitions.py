"""A definition file, read whole and checked whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from schemas.records import definitions_hash
from streams.segmentation.calendars import Zone, load_zone
from streams.segmentation.canonical import canonical_hash, canonical_text
from streams.segmentation.conditions.reading import ScoreLeafSpec
from streams.segmentation.expressions import InSegment, Leaf, Node, parse_condition, walk
from streams.segmentation.problems import DefinitionsError, Findings, Problem, Spec, join
from streams.segmentation.quantities import Duration
from streams.segmentation.scores import ScoreSpec, check_score
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

    def nodes(self) -> Iterator[Node]:
        """Every node of its conditions."""
        yield from walk(self.when)
        if self.exit_when is not None:
            yield from walk(self.exit_when)

    def refers_to(self) -> list[str]:
        """Names of the segments that it follows directly, in the order of the file."""
        return list(dict.fromkeys(node.segment for node in self.nodes() if isinstance(node, InSegment)))

    def score_names(self) -> list[str]:
        """Names of the scores that its own conditions read."""
        found = (name for node in self.nodes() if isinstance(node, Leaf) for name in node.kind.score(node.spec))
        return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Definitions:
    """Checked definitions. `segments` stand in the order in which they are evaluated."""

    canonical: str
    hash: str
    deduplicate_ms: int
    zone: tzinfo
    """Of `@hour`, `@weekday` and `@date`."""
    scores: dict[str, ScoreSpec]
    segments: tuple[Segment, ...]
    warnings: tuple[Problem, ...] = field(default=())


def compile_definitions(data: Any) -> Definitions:
    """Definitions from the parsed data of a file. Raises `DefinitionsError` with everything that is wrong."""
    findings = Findings()
    spec = findings.read(FileSpec, data, "")
    if spec is None:
        raise DefinitionsError(findings.problems)
    scores = _read_scores(spec.scores, findings)
    segments = _read_segments(spec.segments, Scope(scores, frozenset(spec.segments), spec.zone), findings)
    if not spec.segments:
        findings.add("segments", spec.segments, "expected at least one segment")
    if findings.problems:
        raise DefinitionsError(findings.problems)
    ordered = _ordered(segments, findings)
    if findings.problems:
        raise DefinitionsError(findings.problems)
    canonical = canonical_text(data)
    return Definitions(
        canonical=canonical,
        hash=definitions_hash(canonical),
        deduplicate_ms=spec.deduplicate,
        zone=spec.zone,
        scores=scores,
        segments=tuple(_hashed(segment, segments, data) for segment in ordered),
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


def _read_scores(raw: dict[str, Any], findings: Findings) -> dict[str, ScoreSpec]:
    scores = {}
    for name, body in raw.items():
        path = join("scores", name)
        _check_name(name, "scores", findings)
        spec = findings.read(ScoreSpec, body, path)
        if spec is not None:
            check_score(spec, path, findings)
            scores[name] = spec
    return scores


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


def _ordered(segments: dict[str, Segment], findings: Findings) -> list[Segment]:
    """Depth-first in file order, each right after those it refers to."""
    done: dict[str, Segment] = {}
    under_way: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in under_way:
            circle = " -> ".join([*under_way[under_way.index(name) :], name])
            findings.add(join("segments", name), name, f"expected no circle of in_segment: {circle}")
            return
        under_way.append(name)
        for other in segments[name].refers_to():
            visit(other)
        under_way.pop()
        done[name] = segments[name]

    for name in segments:
        visit(name)
    return list(done.values())


def _hashed(segment: Segment, segments: dict[str, Segment], data: dict[str, Any]) -> Segment:
    reached: dict[str, Segment] = {}

    def reach(current: Segment) -> None:
        for other in current.refers_to():
            if other not in reached:
                reached[other] = segments[other]
                reach(segments[other])

    reach(segment)
    scores = {name for each in (segment, *reached.values()) for name in each.score_names()}

    def conditions(name: str) -> dict[str, Any]:
        return {key: data["segments"][name][key] for key in ("when", "exit_when") if key in data["segments"][name]}

    material: dict[str, Any] = {
        "segment": conditions(segment.name),
        "segments": {name: conditions(name) for name in reached},
        "scores": {
            name: {key: value for key, value in data["scores"][name].items() if key != "description"} for name in scores
        },
    }
    if '"@' in canonical_text(material):
        material["zone"] = str(data.get("zone", "UTC"))  # it reads local hours or dates
    return Segment(
        segment.name, segment.when, segment.exit_when, segment.tags, segment.description, canonical_hash(material)
    )
