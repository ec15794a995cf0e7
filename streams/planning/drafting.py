"""A plan before anything was compared: what becomes of each segment and score, and what is known of the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemas.records import definitions_identity
from streams.planning.lookback import short_lookbacks
from streams.planning.plan import Kind, Plan, ScoreChange, SegmentChange
from streams.ports import LogBounds
from streams.segmentation import Definitions


def empty_plan(
    before: Definitions, after: Definitions, bounds: Mapping[int, LogBounds], begins_ms: int, as_of_ms: int
) -> Plan:
    """The plan from `before` to `after` over logs that lie in `bounds` and begin at `begins_ms`."""
    segments = [
        SegmentChange(name, kind, _tags(name, after) or _tags(name, before))
        for name, kind in _kinds(
            {segment.name: definitions_identity(segment.definition, before.semantics) for segment in before.segments},
            {segment.name: definitions_identity(segment.definition, after.semantics) for segment in after.segments},
        )
    ]
    scores = [ScoreChange(name, kind) for name, kind in _kinds(_score_texts(before), _score_texts(after))]
    is_cut = any(bound.start > 0 for bound in bounds.values())
    kinds = ("added", "changed", "unchanged") if is_cut else ("added", "changed")  # else the rest has what it had
    touched = {f"segments.{each.name}" for each in segments if each.kind in kinds}
    touched |= {f"scores.{each.name}" for each in scores if each.kind in kinds}
    return Plan(
        before_hash=before.hash,
        before_semantics=before.semantics,
        before_number=0,
        after_hash=after.hash,
        after_semantics=after.semantics,
        partitions=len(bounds),
        records=sum(bound.end - bound.start for bound in bounds.values()),
        segments=segments,
        scores=scores,
        log_begins_ms=begins_ms,
        log_is_cut=is_cut,
        as_of_ms=as_of_ms,
        short=short_lookbacks(after, touched, max(0, as_of_ms - begins_ms)),
    )


def _kinds(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, Kind]]:
    """What becomes of each name, in the order of the new file, then those that are no more."""
    kinds: list[tuple[str, Kind]] = []
    for name, text in after.items():
        kinds.append((name, "added" if name not in before else "unchanged" if before[name] == text else "changed"))
    return kinds + [(name, "removed") for name in before if name not in after]


def _score_texts(definitions: Definitions) -> dict[str, str]:
    scores: dict[str, Any] = json.loads(definitions.canonical).get("scores", {})
    return {
        name: definitions.semantics + json.dumps({key: value for key, value in body.items() if key != "description"})
        for name, body in scores.items()
    }


def _tags(name: str, definitions: Definitions) -> tuple[str, ...]:
    return next((segment.tags for segment in definitions.segments if segment.name == name), ())
