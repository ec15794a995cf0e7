"""The parts of a definition file, each read as far as it goes, so that one fault hides no other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import Field, StringConstraints

from streams.segmentation.calendars import Zone, load_zone
from streams.segmentation.correctable import CorrectSpec
from streams.segmentation.durations import Horizon
from streams.segmentation.expressions import Node, parse_condition
from streams.segmentation.names import NAME, NAME_EXPECTED
from streams.segmentation.problems import Findings, Spec, join
from streams.segmentation.refusals import ABSENT
from streams.segmentation.scores import PointsRule, ScoreSpec, WhileSpec, check_score
from streams.segmentation.units import Scope

DEFAULT_DEDUPLICATE_MS = 48 * 3_600_000
WHILE = "The points are added, undecayed, while this condition holds."
_PARTS = ("scores", "lists", "segments")
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class FileSpec(Spec):
    """The top level of a definition file."""

    version: Annotated[int, Field(ge=1, le=1)] = Field(description="Version of the language.", examples=[1])
    deduplicate: Horizon = Field(
        default=DEFAULT_DEDUPLICATE_MS,
        description="For how long a second record with the same event_id is known for a duplicate.",
        examples=["48h"],
    )
    correct: CorrectSpec = Field(
        default_factory=CorrectSpec,
        description="Which events a later record may still mark as a machine's, or take such a mark from.",
    )
    zone: Zone = Field(
        default_factory=lambda: load_zone("UTC"),
        description="The time zone of @hour, @weekday, @date and anniversaries.",
        examples=["Europe/Paris"],
    )
    scores: dict[str, Any] = Field(default_factory=dict, description="Scores by name.")
    lists: dict[str, Any] = Field(default_factory=dict, description="Static lists by name: contact ids, or a CSV file.")
    segments: dict[str, Any] = Field(description="Segments by name, in the order in which they are evaluated.")


class SegmentSpec(Spec):
    """A segment: who enters it, who leaves it, and its labels."""

    when: Any = Field(description="Who is in the segment, or, beside `exit_when`, who enters it.")
    exit_when: Any = Field(
        default=None, description="When a member leaves; without it, as soon as `when` holds no longer."
    )
    description: str = Field(default="", description="What the segment is for.", examples=["Leads to be called."])
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] = Field(
        default_factory=list, description="Labels that its transitions carry.", examples=[["sales"]]
    )
    meta: dict[str, Any] = Field(default_factory=dict, description="Anything of your own; it changes nothing.")


class Label(NamedTuple):
    """What transitions tell of their segment."""

    name: str
    tags: list[str]
    definition: str


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

    def label(self) -> Label:
        """What its transitions tell of it."""
        return Label(self.name, list(self.tags), self.definition)

    def conditions(self) -> list[Node]:
        """`when`, and `exit_when` where there is one."""
        return [self.when] if self.exit_when is None else [self.when, self.exit_when]


@dataclass(frozen=True, slots=True)
class WhileRule:
    """Points that a score has while a condition holds, in billionths."""

    condition: Node
    points: int


def read_file_spec(data: Any, findings: Findings) -> FileSpec:
    """The top level, or what is sound of it, with all else noted."""
    spec = findings.read_sound(FileSpec, data, "")
    if spec is None:
        parts = data if isinstance(data, dict) else {}
        sound = {name: part for name in _PARTS if isinstance(part := parts.get(name), dict)}
        spec = FileSpec.model_validate({"version": 1, "segments": {}, **sound})
    elif not spec.segments:
        findings.add("segments", ABSENT, "expected at least one segment, like `buyers: {when: {known_for: 7d}}`")
    return spec


def read_scores(raw: dict[str, Any], findings: Findings) -> dict[str, ScoreSpec]:
    """Scores by name, those with problems left out."""
    scores = {}
    for name, body in raw.items():
        path = join("scores", name)
        _check_name(name, path, findings)
        spec = findings.read_sound(ScoreSpec, _without_whiles(body, path, findings), path)
        if spec is not None:
            check_score(spec, path, findings)
            if findings.clean(path):
                scores[name] = spec
    return scores


def _check_name(name: str, path: str, findings: Findings) -> None:
    if not NAME.fullmatch(name):
        near = _NO_NAME.sub("_", name)[:64].strip("_")
        findings.add(path, ABSENT, NAME_EXPECTED, near if len(name) <= 64 else "", on_key=True)


def _has_while(rule: Any) -> bool:
    return isinstance(rule, dict) and "while" in rule


def _without_whiles(body: Any, path: str, findings: Findings) -> Any:
    """The body of a score with those of its points rules read that are about events."""
    rules = body.get("points") if isinstance(body, dict) else None
    if not isinstance(rules, list):
        return body
    if not rules:
        findings.add(
            join(path, "points"),
            ABSENT,
            "expected a list of at least one rule, like `[{event: purchase, points: 5}]`",
        )
    read = [
        findings.read(PointsRule, rule, join(path, "points", place))
        for place, rule in enumerate(rules)
        if not _has_while(rule)
    ]
    return {**body, "points": [rule for rule in read if rule is not None]}


def read_whiles(name: str, body: Any, scope: Scope, findings: Findings) -> tuple[WhileRule, ...]:
    """The rules of a score that add points while a condition holds."""
    found = []
    rules = body.get("points") if isinstance(body, dict) else None
    for place, rule in enumerate(rules if isinstance(rules, list) else ()):
        if _has_while(rule):
            path = join("scores", name, "points", place)
            rest = {key: value for key, value in rule.items() if key != "while"}
            spec = findings.read_sound(WhileSpec, rest, path)
            condition = parse_condition(rule["while"], join(path, "while"), scope, findings)
            if condition is not None:
                found.append(WhileRule(condition, 0 if spec is None else spec.points))
    return tuple(found)


def read_segments(raw: dict[str, Any], scope: Scope, findings: Findings) -> dict[str, Segment]:
    """Segments by name, as far as they can be read."""
    segments = {}
    for name, body in raw.items():
        path = join("segments", name)
        _check_name(name, path, findings)
        spec = findings.read_sound(SegmentSpec, body, path)
        given = body if isinstance(body, dict) else {}
        conditions = {
            key: parse_condition(given[key], join(path, key), scope, findings)
            for key in ("when", "exit_when")
            if key in given
        }
        when = conditions.get("when")
        if spec is not None and when is not None:
            segments[name] = Segment(name, when, conditions.get("exit_when"), tuple(spec.tags), spec.description)
    return segments
