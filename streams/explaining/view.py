"""Explanations as JSON, in the shape that `ops/explain.md` describes. Instants are RFC 3339."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

from schemas.instants import format_instant
from schemas.transitions import cause_body
from streams.segmentation.evidence import Evidence
from streams.segmentation.explanation import ExplainedNode, ExplainedSegment, WhyNot
from streams.segmentation.turns import Turn

View: TypeAlias = dict[str, Any]
_INSTANT = "_ms"


def segment_view(explained: ExplainedSegment) -> View:
    """A segment, with its trees."""
    return {
        "segment": explained.segment,
        "member": explained.member,
        "sequence": explained.sequence,
        "since": _turn(explained.since),
        "until": _instant(explained.until_ms),
        "when": _node(explained.when),
        "exit_when": None if explained.exit_when is None else _node(explained.exit_when),
        "why_not": None if explained.why_not is None else _why_not(explained.why_not),
    }


def _node(node: ExplainedNode) -> View:
    return {
        "kind": node.kind,
        "condition": node.condition,
        "holds": node.holds,
        "since": None if node.since is None else _turn(node.since),
        "until": _instant(node.until_ms),
        "evidence": None if node.evidence is None else _evidence(node.evidence),
        "parts": [_node(part) for part in node.parts],
        "segment": None if node.segment is None else segment_view(node.segment),
    }


def _why_not(why_not: WhyNot) -> View:
    return {
        "possible": why_not.possible,
        "smallest": why_not.smallest,
        "leaves": [
            {
                "condition": leaf.condition,
                "must_hold": not leaf.holds,
                "missing": leaf.missing(),
                "until": _instant(leaf.until_ms),
            }
            for leaf in why_not.leaves
        ],
    }


def _turn(turn: Turn) -> View:
    cause = None if turn.cause is None else cause_body(turn.cause)
    return {"at": format_instant(turn.at_ms), "cause": cause, "told_at": _instant(turn.told_ms)}


def _evidence(evidence: Evidence) -> View:
    return {"kind": evidence.kind, "found": evidence.found(), **_plain(evidence)}


def _plain(value: Any) -> Any:
    """A structure as plain data; a field `at_ms` becomes `at`."""
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {
            name.removesuffix(_INSTANT): _instant(item) if name.endswith(_INSTANT) else _plain(item)
            for name, item in pairs
            if name != "corrected_by" or item is not None
        }
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _instant(instant_ms: int | None) -> str | None:
    return None if instant_ms is None else format_instant(instant_ms)
